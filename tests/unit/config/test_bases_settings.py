"""Which repositories are read to know bases, and which registry is asked for each."""

from pathlib import Path

import pytest

from weighbridge.bootstrap.kinds import KINDS
from weighbridge.bootstrap.registries.sites import configured_targets, site_of
from weighbridge.bootstrap.registries.targets import BasesToCrawl, base_repositories
from weighbridge.cli.main import run
from weighbridge.config import Settings, load_settings
from weighbridge.domain.base.base_repositories import BasePlace
from weighbridge.errors import ConfigError

HUB = "  - {name: hub, kind: dockerhub, url: 'https://docker.io', namespaces: [acme]}\n"
HARBOR = "  - {name: harbor, url: 'https://harbor.example'}\n"
MIRROR = (
    "  - {name: mirror, url: 'https://m.example', mirror_of: registry-1.docker.io}\n"
)
SECOND = "  - {name: second, url: 'https://n.example', mirror_of: docker.io}\n"
NEAR = "  - {name: near, url: 'http://127.0.0.1:5000'}\n"


def loaded(folder: Path, text: str) -> Settings:
    file = folder / "weighbridge.yaml"
    file.write_text(text)
    return load_settings(str(file), {}, KINDS)


def found(folder: Path, registries: str, bases: str = "") -> BasesToCrawl:
    return base_repositories(loaded(folder, f"registries:\n{registries}{bases}"))


def test_official_images_are_asked_of_docker_hub_where_that_is_configured(
    tmp_path: Path,
) -> None:
    bases = found(tmp_path, HARBOR + HUB)

    assert list(bases.at) == ["hub"]
    assert len(bases.at["hub"]) == 13
    assert bases.at["hub"][0] == BasePlace(
        "library/debian", "docker.io", "library/debian"
    )
    assert bases.nowhere == ()


def test_nothing_is_asked_where_docker_hub_is_not_configured(tmp_path: Path) -> None:
    bases = found(tmp_path, HARBOR)

    assert bases.at == {}
    assert str(bases.nowhere[0]) == "docker.io/library/debian"


def test_a_mirror_is_asked_where_what_it_mirrors_is_not_configured(
    tmp_path: Path,
) -> None:
    assert list(found(tmp_path, HARBOR + MIRROR).at) == ["mirror"]
    assert list(found(tmp_path, MIRROR + HUB).at) == ["hub"]


def test_names_are_read_as_in_references(tmp_path: Path) -> None:
    names = "[harbor/shop/base, hub/python, python, 127.0.0.1:5000/b]"

    bases = found(tmp_path, HARBOR + HUB + NEAR, f"bases: {{repositories: {names}}}")

    assert bases.at == {
        "harbor": (BasePlace("shop/base", "harbor.example", "shop/base"),),
        "hub": (BasePlace("library/python", "docker.io", "library/python"),),
        "near": (BasePlace("b", "127.0.0.1:5000", "b"),),
    }


def test_bases_of_a_mirror_have_the_names_that_people_write(tmp_path: Path) -> None:
    bases = found(tmp_path, MIRROR, "bases: {repositories: [python, mirror/node]}")

    assert bases.at["mirror"] == (
        BasePlace("library/python", "docker.io", "library/python"),
        BasePlace("node", "docker.io", "node"),
    )


@pytest.mark.parametrize(
    ("registries", "asked"),
    [(MIRROR + HUB, "hub"), (HUB + MIRROR, "hub"), (MIRROR + SECOND, "mirror")],
)
def test_of_two_bases_of_one_name_one_is_asked(
    tmp_path: Path, registries: str, asked: str
) -> None:
    """Else each would take the tags of the other for deleted."""
    other = "second" if SECOND in registries else "hub"
    names = f"[mirror/library/python, {other}/library/python]"

    bases = found(tmp_path, registries, f"bases: {{repositories: {names}}}")

    place = BasePlace("library/python", "docker.io", "library/python")
    assert bases.at == {asked: (place,)}
    assert [name for _, name in bases.twice] == [asked]


def test_no_bases_are_no_bases(tmp_path: Path) -> None:
    bases = found(tmp_path, HUB, "bases: {repositories: []}")

    assert bases == BasesToCrawl({}, ())


def test_a_site_knows_the_bases_that_are_asked_of_it(tmp_path: Path) -> None:
    settings = loaded(tmp_path, f"registries:\n{HARBOR}{HUB}")

    sites = [site_of(settings, target) for target in configured_targets(settings)]

    assert [len(site.bases) for site in sites] == [0, 13]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("python:3.12", "it has a tag"),
        ("Python", "the repository's name has capitals"),
        ("https://x.example/base", "it begins with a scheme"),
    ],
)
def test_a_name_that_is_none_is_told_with_the_line(
    tmp_path: Path, name: str, words: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, f"bases:\n  repositories: ['{name}']\n")

    assert f":2 bases.repositories[0] = {name}" in " ".join(
        caught.value.message.split()
    )
    assert "is no repository's name, such as python" in caught.value.message
    assert words in caught.value.message


def test_the_check_names_a_base_that_nobody_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "weighbridge.yaml"
    written = f"registries:\n{HARBOR}bases: {{repositories: [quay.io/acme/base]}}\n"
    file.write_text(written)

    code = run(["config", "check", "--config", str(file)])

    assert code == 0
    shown = capsys.readouterr().out
    assert "bases: quay.io/acme/base is not asked for" in shown
    assert "mirror_of: quay.io" in shown


def test_the_check_names_a_base_that_has_the_name_of_another_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "weighbridge.yaml"
    bases = "bases: {repositories: [mirror/library/python, python]}\n"
    file.write_text(f"registries:\n{MIRROR}{HUB}{bases}")

    code = run(["config", "check", "--config", str(file)])

    assert code == 0
    shown = capsys.readouterr().out
    assert "bases: mirror/library/python is not asked for" in shown
    assert "for which hub is asked" in shown
