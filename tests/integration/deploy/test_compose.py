"""The compose files: understood by docker-compose, hardened, and whole."""

import re
import tomllib
from pathlib import Path
from typing import Final

import click
import pytest

from support.compose import COMPOSE, Compose, as_mounted, compose
from weighbridge.cli.main import cli, run

ROOT: Final = COMPOSE.parents[1]
NAMES: Final = ["embedded", "scaled"]


@pytest.fixture(params=NAMES)
def each(request: pytest.FixtureRequest) -> Compose:
    return compose(str(request.param))


@pytest.fixture(scope="module")
def scaled() -> Compose:
    return compose("scaled")


def test_every_service_is_hardened(each: Compose) -> None:
    for name, service in each.services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["pids_limit"] > 0, name
        assert int(service["mem_limit"]) > 0, name
        assert re.fullmatch(r"[1-9]\d*:\d+", service["user"]), name
        assert "/tmp" in {text.split(":")[0] for text in service["tmpfs"]}, name  # noqa: S108 - theirs
        assert not service.get("privileged", False), name
        assert service.get("network_mode") is None, name


def test_no_image_is_whatever_is_newest(each: Compose) -> None:
    for name, service in each.services.items():
        _, _, tag = service["image"].rpartition(":")
        assert re.match(r"v?\d", tag), name


def test_our_image_is_of_this_version_and_built_from_this_tree(each: Compose) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

    assert each.own
    for service in each.own.values():
        tag = service["image"].removeprefix("weighbridge:")
        assert tag.removesuffix("-embedded") == version
        assert Path(service["build"]["context"]) == ROOT
        is_embedded = service["build"].get("args", {}).get("EMBEDDED") == "1"
        assert is_embedded is tag.endswith("-embedded")


def test_every_command_is_one_of_ours(each: Compose) -> None:
    for service in each.own.values():
        command: click.Command | None = cli
        for word in service["command"]:
            if word.startswith("-"):
                break
            if isinstance(command, click.Group):
                command = command.get_command(click.Context(command), word)
        assert command is not None, service["command"]
        assert not isinstance(command, click.Group), service["command"]


def test_what_is_mounted_is_in_the_tree_and_cannot_be_changed(each: Compose) -> None:
    mounts = [mount for name in each.services for mount in each.mounts(name)]

    assert mounts
    for mount in mounts:
        assert mount.source.exists(), mount
        assert mount.source.is_relative_to(ROOT), mount
        assert mount.read_only, mount


def test_only_this_machine_reaches_what_is_published(each: Compose) -> None:
    assert {ip for ports in each.published().values() for ip, _, _ in ports} == {
        "127.0.0.1"
    }


@pytest.mark.parametrize("name", NAMES)
def test_the_configuration_is_right(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = compose(name).own.popitem()[0]
    mounts = as_mounted(compose(name).mounts(file), tmp_path)
    config = mounts / "etc/weighbridge/weighbridge.yaml"

    assert run(["config", "check", "--config", str(config)]) == 0

    assert "fine, 1 registry" in capsys.readouterr().out


def test_the_embedded_one_is_one_container_with_one_volume() -> None:
    document = compose("embedded").document

    assert list(document["services"]) == ["weighbridge"]
    assert list(document["volumes"]) == ["data"]


def test_only_pages_and_grafana_are_published(scaled: Compose) -> None:
    assert scaled.published() == {
        "serve": [("127.0.0.1", "8080", 8080)],
        "grafana": [("127.0.0.1", "3000", 3000)],
    }


def test_database_and_redis_are_on_a_network_that_leads_nowhere(
    scaled: Compose,
) -> None:
    networks = scaled.document["networks"]

    assert networks["data"]["internal"] is True
    assert networks["watch"]["internal"] is True
    for name in ("postgres", "redis"):
        assert list(scaled.services[name]["networks"]) == ["data"]
    assert list(scaled.services["prometheus"]["networks"]) == ["watch"]


def test_the_schema_is_changed_before_anything_starts(scaled: Compose) -> None:
    assert scaled.services["migrate"]["command"] == ["db", "upgrade"]
    for name in ("serve", "worker", "scheduler"):
        needed = scaled.services[name]["depends_on"]
        assert needed["migrate"]["condition"] == "service_completed_successfully"
    assert scaled.services["worker"]["deploy"]["replicas"] == 2
