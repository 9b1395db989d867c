"""What the configuration of GitHub's container registry means."""

from pathlib import Path

import pytest

from weighbridge.bootstrap.kinds import KINDS
from weighbridge.bootstrap.registries.sites import scope_of
from weighbridge.bootstrap.registries.targets import find_targets
from weighbridge.config import Settings, load_settings
from weighbridge.domain.text.globs import matches
from weighbridge.errors import ConfigError
from weighbridge.registry.kinds.ghcr.ghcr_kind import GHCRSettings, api_root
from weighbridge.registry.kinds.ghcr.ghcr_registry import owner_kinds

ENTRY = "registries:\n  - name: github\n    kind: ghcr\n    url: https://ghcr.io\n"
AUTH = "    auth: {username: bot, password: ghp_x}\n"


def settings(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "weighbridge.yaml"
    path.write_text(text)
    return load_settings(str(path), {}, KINDS)


def entry(tmp_path: Path, text: str) -> GHCRSettings:
    (found,) = settings(tmp_path, text).registries
    assert isinstance(found, GHCRSettings)
    return found


def refused(tmp_path: Path, text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        settings(tmp_path, text)
    return caught.value


@pytest.mark.parametrize(
    ("host", "kind"),
    [
        ("ghcr.io", "ghcr"),
        ("containers.corp.ghe.com", "ghcr"),
        ("containers.corp.example", "distribution"),
        ("x.containers.corp.ghe.com", "distribution"),
        ("ghcr.io.evil.example", "distribution"),
    ],
)
def test_auto_is_ghcr_at_github_s_own_addresses(host: str, kind: str) -> None:
    assert KINDS.kind_of("auto", f"https://{host}") == kind


def test_owners_are_all_that_is_looked_at(tmp_path: Path) -> None:
    text = f"{ENTRY}{AUTH}    organizations: [Acme, tools]\n    users: [octo]\n"

    found = entry(tmp_path, text)

    assert owner_kinds(found) == {"octo": "users", "acme": "orgs", "tools": "orgs"}
    wanted = ["acme/app", "acme/a/b", "octo/site", "other/app"]
    assert [n for n in wanted if matches(found.wanted_repositories, n)] == wanted[:3]


def test_include_chooses_among_them_and_names_others(tmp_path: Path) -> None:
    text = (
        f"{ENTRY}{AUTH}    organizations: [acme]\n"
        "    repositories: {include: ['acme/web-*', other/app], exclude: ['*-tmp']}\n"
    )
    (target,) = find_targets(settings(tmp_path, text), ["github"])

    scope = scope_of(target)

    assert (scope.only, scope.always) == (None, ("other/app",))
    assert scope.includes("acme/web-1")
    assert not scope.includes("acme/web-tmp")
    assert not scope.includes("acme/api")


@pytest.mark.parametrize("kind", ["ghcr", "auto"])
def test_whole_names_need_neither_owner_nor_token(tmp_path: Path, kind: str) -> None:
    text = ENTRY.replace("kind: ghcr", f"kind: {kind}")

    found = entry(tmp_path, f"{text}    repositories: {{include: [acme/app]}}\n")

    assert found.owners == ()
    assert matches(found.wanted_repositories, "acme/app")


def test_two_entries_of_two_owners_do_not_overlap(tmp_path: Path) -> None:
    second = ENTRY.removeprefix("registries:\n").replace("name: github", "name: two")
    text = f"{ENTRY}{AUTH}    users: [a]\n{second}{AUTH}    users: [b]\n"

    assert len(settings(tmp_path, text).registries) == 2
    assert (
        refused(tmp_path, text.replace("[b]", "[a]")).code == "overlapping_registries"
    )


@pytest.mark.parametrize(
    ("host", "url", "root"),
    [
        ("ghcr.io", "https://api.github.com", "https://api.github.com"),
        (
            "containers.corp.ghe.com",
            "https://api.corp.ghe.com",
            "https://api.corp.ghe.com",
        ),
    ],
)
def test_the_api_of_github_s_own_hosts_is_known(
    tmp_path: Path, host: str, url: str, root: str
) -> None:
    text = ENTRY.replace("ghcr.io", host)

    found = entry(tmp_path, f"{text}{AUTH}    users: [octo]\n")

    assert found.known_api_url == url
    assert api_root(url) == root


def test_a_token_for_another_host_never_goes_to_github(tmp_path: Path) -> None:
    text = ENTRY.replace("ghcr.io", "containers.corp.example")
    text += f"{AUTH}    organizations: [acme]\n"

    error = refused(tmp_path, text)
    named = entry(tmp_path, f"{text}    api_url: https://corp.example\n")

    assert error.code == "missing_key"
    assert "registries[0].api_url" in error.message
    assert named.known_api_url is not None
    assert api_root(named.known_api_url) == "https://corp.example/api/v3"


@pytest.mark.parametrize(
    ("lines", "code", "key"),
    [
        ("", "missing_key", "organizations"),
        ("repositories: {include: ['acme/*']}", "missing_key", "organizations"),
        ("organizations: [acme]", "missing_key", "auth"),
        ("users: [octo]", "missing_key", "auth"),
        (f"users: [a]\n{AUTH}    organizations: [A]", "duplicate_name", "users"),
        (f"users: [a/b]\n{AUTH}", "invalid_name", "users"),
        (f"users: ['*']\n{AUTH}", "invalid_name", "users"),
        (f"users: [..]\n{AUTH}", "invalid_name", "users"),
        (f"users: [a]\n{AUTH}    api_url: http://x.example", "insecure_", "api_url"),
        (f"users: [a]\n{AUTH}    api_url: https://x.example/api/v3", "invalid_", "api"),
    ],
)
def test_a_wrong_value_is_told(tmp_path: Path, lines: str, code: str, key: str) -> None:
    error = refused(tmp_path, f"{ENTRY}    {lines}\n")

    assert error.code.startswith(code)
    assert f"registries[0].{key}" in error.message


def test_its_keys_are_for_it_alone(tmp_path: Path) -> None:
    text = "registries: [{name: r, url: 'https://r.example', organizations: [acme]}]\n"

    error = refused(tmp_path, text)

    assert error.code == "invalid_value"
    assert "ghcr" in error.message
