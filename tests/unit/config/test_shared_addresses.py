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
