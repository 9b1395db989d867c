"""Several entries may name one address where they never want the same repository."""

from pathlib import Path

import pytest

from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import Settings, load_settings
from weighbridge.errors import ConfigError


def loaded(folder: Path, *entries: str) -> Settings:
    """The settings of these entries, each its keys in one line."""
    file = folder / "weighbridge.yaml"
    file.write_text("registries:\n" + "".join(f"  - {{{e}}}\n" for e in entries))
    return load_settings(str(file), {}, KINDS)


def refused(folder: Path, *entries: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        loaded(folder, *entries)
    return caught.value


SHOP = 'name: shop, url: "https://harbor.example", repositories: {include: ["shop/*"]}'


@pytest.mark.parametrize(
    "url",
    [
        "https://harbor.example",
        "https://harbor.example/",
        "https://harbor.example:443",
        "https://Harbor.Example",
        "HTTPS://harbor.example",
        "https://harbor.example.",
    ],
)
def test_two_entries_that_may_want_one_repository_are_refused_by_both_names(
    tmp_path: Path, url: str
) -> None:
    error = refused(tmp_path, SHOP, f'name: all, url: "{url}"')

    assert error.code == "overlapping_registries"
    assert "shop and all are one registry (https://harbor.example:443)" in error.message
    assert "such as shop/" in error.message


@pytest.mark.parametrize("host", ["docker.io", "index.docker.io", "Docker.IO:443"])
def test_all_names_of_docker_hub_are_one_address(tmp_path: Path, host: str) -> None:
    hub = "name: hub, url: 'https://registry-1.docker.io', namespaces: [acme]"

    error = refused(
        tmp_path, hub, f"name: mine, url: 'https://{host}', namespaces: [acme]"
    )

    assert "hub and mine are one registry" in error.message


def test_entries_that_are_kept_apart_have_a_credential_each(tmp_path: Path) -> None:
    (tmp_path / "shop").write_text("one")
    (tmp_path / "team").write_text("two")
    place = 'url: "https://harbor.example"'

    settings = loaded(
        tmp_path,
        f"name: shop, {place}, repositories: {{include: ['shop/*']}},"
        " auth: {username: robot$shop, password_file: shop}",
        f"name: team, {place}, repositories: {{include: ['team/*']}},"
        " auth: {username: robot$team, password_file: team}",
        f"name: rest, {place}, repositories: {{exclude: ['shop/*', 'team/*']}}",
    )

    users = [r.auth.username if r.auth else None for r in settings.registries]
    assert users == ["robot$shop", "robot$team", None]


def test_organisations_of_docker_hub_may_be_entries_of_their_own(
    tmp_path: Path,
) -> None:
    url = "url: 'https://registry-1.docker.io'"

    settings = loaded(
        tmp_path,
        f"name: acme, {url}, namespaces: [acme]",
        f"name: other, {url}, namespaces: [other]",
        f"name: official, {url}, repositories: {{include: [python, node]}}",
    )

    assert settings.names == {"acme", "other", "official"}


@pytest.mark.parametrize(
    "url",
    ["https://harbor.example:8443", "http://harbor.example", "https://x.example"],
)
def test_another_port_scheme_or_host_is_another_address(
    tmp_path: Path, url: str
) -> None:
    plain = ", plain_http: true" if url.startswith("http:") else ""

    loaded(tmp_path, SHOP, f'name: all, url: "{url}"{plain}')


def test_an_overlap_is_said_beside_the_other_faults(tmp_path: Path) -> None:
    error = refused(
        tmp_path, SHOP, 'name: all, url: "https://harbor.example"', "name: third"
    )

    assert "shop and all are one registry" in error.message
    assert "registries[2].url" in error.message


def test_entries_below_two_paths_of_a_host_are_two_registries(tmp_path: Path) -> None:
    settings = loaded(
        tmp_path,
        'name: root, url: "https://Host.example"',
        'name: one, url: "https://Host.example/Team/one/"',
        'name: two, url: "https://host.example/team/one"',
    )

    assert [(r.url, r.prefix) for r in settings.registries] == [
        ("https://host.example", ""),
        ("https://host.example/Team/one", "/Team/one"),
        ("https://host.example/team/one", "/team/one"),
    ]


def test_two_entries_below_one_path_are_one_registry(tmp_path: Path) -> None:
    error = refused(
        tmp_path,
        'name: one, url: "https://host.example/a"',
        'name: two, url: "https://host.example:443/a/"',
    )

    assert "one and two are one registry (https://host.example:443/a)" in error.message


@pytest.mark.parametrize(
    "path",
    [
        *("/a/../b", "/a/./b", "/..", "/a//b", "//a", "/a/%2e%2e/b", "/a%2fb"),
        *("/a;x", "/a/..;/b", "/a:b", "/a@b", "/.hidden", "/~a", "/ä", "/a b"),
        *("/v2", "/a/v2", "/a/v2/", "/" + "a" * 256, "/a?x=1", "/a#x"),
    ],
)
def test_a_path_that_a_server_may_read_otherwise_is_refused(
    tmp_path: Path, path: str
) -> None:
    error = refused(tmp_path, f'name: one, url: "https://host.example{path}"')

    assert error.code == "invalid_url"


@pytest.mark.parametrize(
    "url",
    [
        "https://docker.io/acme",
        "https://quay.io/acme",
        "https://ghcr.io/acme",
        "https://europe-docker.pkg.dev/project/images",
        "https://123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop",
    ],
)
def test_a_known_host_has_no_path(tmp_path: Path, url: str) -> None:
    error = refused(tmp_path, f'name: one, url: "{url}"')

    assert "repositories.include" in error.message


def test_the_service_itself_has_no_path(tmp_path: Path) -> None:
    file = tmp_path / "weighbridge.yaml"
    file.write_text('web: {external_url: "https://host.example/a"}\n')

    with pytest.raises(ConfigError) as caught:
        load_settings(str(file), {}, KINDS)

    assert caught.value.code == "invalid_url"
