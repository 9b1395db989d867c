"""What the configuration of Docker Hub means."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.bootstrap.kinds import KINDS
from weighbridge.bootstrap.registries.sites import registry_entry, scope_of
from weighbridge.bootstrap.registries.targets import find_targets, kind_of
from weighbridge.config import Settings, load_settings
from weighbridge.domain.text.globs import Patterns, matches
from weighbridge.domain.text.printable import Secret
from weighbridge.errors import ConfigError
from weighbridge.registry.kinds.dockerhub.hub_kind import (
    DockerHubSettings,
    hub_namespaces,
    hub_patterns,
)

HUB = "registries:\n  - name: hub\n    kind: dockerhub\n    url: https://docker.io\n"


def settings(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "weighbridge.yaml"
    path.write_text(text)
    return load_settings(str(path), {}, KINDS)


def a_hub(tmp_path: Path, text: str) -> DockerHubSettings:
    (found,) = settings(tmp_path, text).registries
    assert isinstance(found, DockerHubSettings)
    return found


def refused(tmp_path: Path, text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        settings(tmp_path, text)
    return caught.value


@pytest.mark.parametrize(
    ("kind", "host", "expected"),
    [
        ("auto", "docker.io", "dockerhub"),
        ("auto", "registry-1.docker.io", "dockerhub"),
        ("auto", "registry.example", "distribution"),
        ("distribution", "docker.io", "distribution"),
        ("dockerhub", "127.0.0.1", "dockerhub"),
    ],
)
def test_auto_is_docker_hub_at_its_own_address(
    kind: str, host: str, expected: str
) -> None:
    assert KINDS.kind_of(kind, f"https://{host}") == expected


def test_namespaces_alone_are_all_that_is_looked_at(tmp_path: Path) -> None:
    hub = a_hub(tmp_path, f"{HUB}    namespaces: [acme]\n")

    assert hub.listed_namespaces == ("acme",)
    assert matches(hub.wanted_repositories, "acme/app")
    assert not matches(hub.wanted_repositories, "other/app")


def test_namespaces_come_beside_what_is_included(tmp_path: Path) -> None:
    text = (
        f"{HUB}    namespaces: [acme]\n"
        "    repositories: {include: [python, 'tools/x-*'], exclude: [acme/tmp-*]}\n"
    )
    (target,) = find_targets(settings(tmp_path, text), ["hub"])
    scope = scope_of(target)

    assert isinstance(target.settings, DockerHubSettings)
    assert target.settings.listed_namespaces == ("tools", "acme")
    assert scope.only is None
    assert scope.always == ("library/python",)
    wanted = ["acme/app", "library/python", "tools/x-1", "acme/tmp-1", "tools/y"]
    assert [n for n in wanted if scope.includes(n)] == wanted[:3]


def test_whole_names_need_no_discovery(tmp_path: Path) -> None:
    text = f"{HUB}    repositories: {{include: [python, acme/app]}}\n"

    (target,) = find_targets(settings(tmp_path, text), ["hub"])

    assert scope_of(target).only == ("library/python", "acme/app")


@pytest.mark.parametrize("name", ["hub/python", "docker.io/python"])
def test_an_official_image_is_a_target_by_one_word(tmp_path: Path, name: str) -> None:
    text = f"{HUB}    namespaces: [acme]\n"

    (target,) = find_targets(settings(tmp_path, text), [name])

    assert (target.name, target.only) == ("hub", ("library/python",))


def test_docker_hub_needs_no_configuration_for_one_repository() -> None:
    nothing = Settings(database_url=Secret("sqlite:///w.db"))

    (target,) = find_targets(nothing, ["docker.io/python"])

    assert (target.url, kind_of(target)) == (
        "https://registry-1.docker.io",
        "dockerhub",
    )
    assert target.only == ("library/python",)


def test_the_registry_is_stored_with_its_kind(tmp_path: Path) -> None:
    chosen = settings(tmp_path, f"{HUB}    namespaces: [acme]\n")
    (target,) = find_targets(chosen, ["hub"])

    assert registry_entry(chosen, target, None).kind == "dockerhub"


def test_an_official_image_is_left_out_by_one_word(tmp_path: Path) -> None:
    text = f"{HUB}    repositories: {{include: ['library/*'], exclude: [python]}}\n"
    hub = a_hub(tmp_path, text)

    assert not matches(hub.wanted_repositories, "library/python")
    assert matches(hub.wanted_repositories, "library/node")


def test_a_password_for_another_host_never_goes_to_docker_hub(tmp_path: Path) -> None:
    text = HUB.replace("docker.io", "mirror.example") + "    namespaces: [acme]\n"

    error = refused(tmp_path, text)

    assert error.code == "missing_key"
    assert "registries[0].api_url" in error.message
    named = a_hub(tmp_path, f"{text}    api_url: https://api.example\n")
    assert named.api_url == "https://api.example"


@pytest.mark.parametrize("line", ["namespaces: [acme]", "api_url: https://hub.example"])
def test_keys_of_docker_hub_are_for_docker_hub(tmp_path: Path, line: str) -> None:
    text = f"registries: [{{name: r, url: 'https://registry.example', {line}}}]\n"

    error = refused(tmp_path, text)

    assert error.code == "invalid_value"
    assert "dockerhub" in error.message


@pytest.mark.parametrize(
    "lines", ["", "    repositories: {include: ['*']}\n", "    namespaces: []\n"]
)
def test_a_docker_hub_without_a_name_is_told_what_is_missing(
    tmp_path: Path, lines: str
) -> None:
    error = refused(tmp_path, HUB + lines)

    assert error.code == "missing_key"
    assert "registries[0].namespaces" in error.message


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("namespaces: [Acme]", "invalid_name"),
        ("namespaces: ['acme/app']", "invalid_name"),
        ("namespaces: ['*']", "invalid_name"),
        ("namespaces: [a]\n    api_url: http://hub.example", "insecure_transport"),
        ("namespaces: [a]\n    api_url: https://hub.example/v2", "invalid_url"),
        ("namespaces: [a]\n    limits: {keep_quota: 50}", "invalid_percent"),
        ("namespaces: [a]\n    limits: {keep_quota: 0.5}", "invalid_percent"),
        ("namespaces: [a]\n    limits: {keep_quota: 101%}", "invalid_percent"),
        ("namespaces: [a]\n    limits: {keep_quota: null}", "invalid_percent"),
        ("namespaces: [a]\n    limits: {keep_quota: -1%}", "invalid_percent"),
    ],
)
def test_a_wrong_value_is_told(tmp_path: Path, line: str, code: str) -> None:
    assert refused(tmp_path, f"{HUB}    {line}\n").code == code


def test_what_is_kept_of_a_quota_is_half_unless_something_is_said(
    tmp_path: Path,
) -> None:
    plain = settings(tmp_path, f"{HUB}    namespaces: [a]\n")
    said = settings(
        tmp_path,
        f"defaults: {{limits: {{keep_quota: 80%}}}}\n{HUB}    namespaces: [a]\n",
    )
    own = settings(
        tmp_path,
        f"defaults: {{limits: {{keep_quota: 80%}}}}\n{HUB}    namespaces: [a]\n"
        "    limits: {keep_quota: 12.5%}\n",
    )

    kept = [s.keep_quota_of(s.registries[0]) for s in (plain, said, own)]

    assert kept == [0.5, 0.8, 0.125]
    assert said.keep_quota_of(None) == 0.8


_PATTERN = st.text(alphabet="ab/*", min_size=1, max_size=8)


@given(st.lists(_PATTERN, max_size=4), st.lists(st.sampled_from("ab"), max_size=2))
def test_whatever_fits_lies_in_a_listed_namespace_or_is_named(
    include: list[str], namespaces: list[str]
) -> None:
    """But for patterns that leave the namespace open."""
    patterns = hub_patterns(include, namespaces)
    listed = hub_namespaces(patterns)
    closed = tuple(p for p in patterns if "*" not in p.partition("/")[0])

    for name in ("a/b", "b/a", "a/ab", "library/a", "ab/b"):
        if matches(Patterns(closed), name):
            assert name in patterns or name.partition("/")[0] in listed
