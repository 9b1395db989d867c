"""What the services of the scaled compose file are given: it fits, and works."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from support.compose import COMPOSE, Compose, as_mounted, compose
from support.missing import skip_or_fail
from support.wait import wait_in_thread
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import load_settings

ROOT: Final = COMPOSE.parents[1]


@pytest.fixture(scope="module")
def scaled() -> Compose:
    return compose("scaled")


def made_secrets(folder: Path) -> Path:
    """What ./make-secrets makes, in a folder of its own."""
    shutil.copy(COMPOSE / "scaled" / "make-secrets", folder)
    subprocess.run([str(folder / "make-secrets")], check=True)
    return folder / "secrets"


def test_make_secrets_makes_what_is_named_and_keeps_it(
    scaled: Compose, tmp_path: Path
) -> None:
    folder = made_secrets(tmp_path)
    first = {path.name: path.read_text() for path in folder.iterdir()}

    made_secrets(tmp_path)

    named = {Path(s["file"]).name for s in scaled.document["secrets"].values()}
    assert first.keys() == named
    assert {path.name: path.read_text() for path in folder.iterdir()} == first
    assert len(set(first.values())) == len(first)
    assert folder.stat().st_mode & 0o777 == 0o700
    # Each container's own user reads its file.
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o444}


def test_no_secret_is_in_the_tree(scaled: Compose) -> None:
    ignored = (ROOT / ".gitignore").read_text().splitlines()

    assert "deploy/compose/scaled/secrets/" in ignored
    for secret in scaled.document["secrets"].values():
        assert Path(secret["file"]).parent == COMPOSE / "scaled/secrets"


def test_the_secrets_are_urls_that_weighbridge_takes(
    scaled: Compose, tmp_path: Path
) -> None:
    folder = made_secrets(tmp_path)
    given: dict[str, str] = scaled.services["worker"]["environment"]
    environ = {
        name: path.replace("/run/secrets", str(folder)) for name, path in given.items()
    }

    settings = load_settings(str(COMPOSE / "scaled/weighbridge.yaml"), environ, KINDS)

    password = (folder / "database_password").read_text().strip()
    url = settings.database_url.reveal()
    assert (
        url == f"postgresql+psycopg://weighbridge:{password}@postgres:5432/weighbridge"
    )
    assert settings.redis_url is not None
    redis = (folder / "redis_password").read_text().split()[1]
    assert settings.redis_url.reveal() == f"redis://:{redis}@redis:6379/0"


def test_redis_wants_the_password_and_never_evicts(tmp_path: Path) -> None:
    if shutil.which("redis-server") is None:
        skip_or_fail("redis-server is not installed: run scripts/servers")
    folder = made_secrets(tmp_path)
    text = (COMPOSE / "scaled/redis.conf").read_text()
    conf = tmp_path / "redis.conf"
    conf.write_text(text.replace("/run/secrets", str(folder)))
    path = tmp_path / "redis.sock"
    server = subprocess.Popen(
        ["redis-server", str(conf), "--port", "0", "--unixsocket", str(path)],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
    )
    password = (folder / "redis_password").read_text().split()[1]

    def ask(*words: str, **environment: str) -> str:
        done = subprocess.run(
            ["redis-cli", "-s", str(path), *words],
            capture_output=True,
            text=True,
            env=os.environ | environment,
            check=False,
        )
        return done.stdout.strip()

    try:
        wait_in_thread(path.exists, "redis listens")

        assert ask("ping").startswith("NOAUTH")
        known = {"REDISCLI_AUTH": password}
        assert ask("ping", **known) == "PONG"
        policy = ask("config", "get", "maxmemory-policy", **known)
        assert policy.split() == ["maxmemory-policy", "noeviction"]
    finally:
        server.terminate()
        server.wait()


def checked(*command: str) -> str:
    """What a checker says; fails where it finds something."""
    if shutil.which(command[0]) is None:
        skip_or_fail(f"{command[0]} is not installed: run scripts/servers")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_promtool_takes_what_prometheus_is_given(
    scaled: Compose, tmp_path: Path
) -> None:
    folder = as_mounted(scaled.mounts("prometheus"), tmp_path)

    said = checked(
        "promtool", "check", "config", str(folder / "etc/prometheus/prometheus.yml")
    )

    assert "2 rule files found" in said


def test_amtool_takes_what_alertmanager_is_given(
    scaled: Compose, tmp_path: Path
) -> None:
    folder = as_mounted(scaled.mounts("alertmanager"), tmp_path)

    said = checked(
        "amtool", "check-config", str(folder / "etc/alertmanager/alertmanager.yml")
    )

    assert "SUCCESS" in said


def test_prometheus_differs_from_the_example_only_in_names(scaled: Compose) -> None:
    def without_targets(path: Path) -> dict[str, Any]:
        text = re.sub(r"targets: \[.*\]", "targets: []", path.read_text())
        text = re.sub(r'replacement: ".*"', 'replacement: ""', text)
        found: dict[str, Any] = yaml.safe_load(text)
        return found

    own = COMPOSE / "scaled/prometheus.yml"

    assert without_targets(own) == without_targets(
        ROOT / "deploy/prometheus/prometheus.yml"
    )
    hosts = re.findall(r'targets: \["([a-z]+):', own.read_text())
    assert len(hosts) == 3
    assert set(hosts) <= scaled.services.keys()


def test_grafana_finds_its_dashboards_and_prometheus(
    scaled: Compose, tmp_path: Path
) -> None:
    folder = as_mounted(scaled.mounts("grafana"), tmp_path)
    provisioning = folder / "etc/grafana/provisioning"
    dashboards = yaml.safe_load(_only(provisioning / "dashboards").read_text())
    sources = yaml.safe_load(_only(provisioning / "datasources").read_text())

    (provider,) = dashboards["providers"]
    (source,) = sources["datasources"]

    path = folder / provider["options"]["path"].lstrip("/")
    assert list(path.glob("*.json"))
    assert source["url"] == "http://prometheus:9090"
    networks = scaled.services["grafana"]["networks"].keys()
    assert networks & scaled.services["prometheus"]["networks"].keys() == {"watch"}


def _only(folder: Path) -> Path:
    (file,) = folder.iterdir()
    return file
