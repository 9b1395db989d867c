"""`weighbridge bases`: what is printed in each form, and said of wrong names."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.database import a_database
from support.images import a_layer, an_image
from support.known_bases import KnownBases, a_fleet_on_bases
from support.slim_bases import three_repositories
from support.store_world import World
from weighbridge.cli.main import run
from weighbridge.presentation.rows.base_rows import BASE_COLUMNS, BASE_IMAGE_COLUMNS
from weighbridge.store.read_model.base_summaries import refresh_base_summaries
from weighbridge.store.session import Database, open_database

Capture = pytest.CaptureFixture[str]
URL = "sqlite:///weighbridge.db"


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("WEIGHBRIDGE_CONFIG", raising=False)
    monkeypatch.setenv("WEIGHBRIDGE_DATABASE_URL", URL)
    with a_database(tmp_path):
        pass
    opened = open_database(URL)
    yield opened
    opened.close()


@pytest.fixture
def known(database: Database) -> KnownBases:
    return a_fleet_on_bases(database)


def printed(capsys: Capture, *arguments: str) -> str:
    capsys.readouterr()
    assert run(["bases", *arguments]) == 0
    return capsys.readouterr().out


@pytest.mark.usefixtures("known")
def test_each_base_is_a_line_with_what_stands_on_it(capsys: Capture) -> None:
    lines = printed(capsys, "--ascii").splitlines()

    head = (
        "ON IT OWN BASE SAVES MB MB MB IMAGES REPOSITORIES TO REBUILD MB NAME IN FROM"
        " VARIANT"
    )
    assert " ".join(f"{lines[0]} {lines[1]}".split()) == head
    assert lines[2].split() == [
        *("!", "2120.0", "1200.0", "################", "320.0", "3", "2", "1"),
        *("library/python:3.7", "none", "known"),
        *("outdated", "since", "2026-03-03", "12:00"),
    ]
    assert lines[3].split()[-6:] == [
        *("library/alpine:3.9", "smallest"),
        "its",
        "tag",
        "is",
        "deleted",
    ]
    assert lines[4].split()[:3] == ["unknown", "unknown", "unknown"]
    assert lines[4].endswith("not crawled: 1 image named it")
    assert "of 1 on an older build (!)" in lines[6]
    assert "43 % of 2.13 GB is base, each image once" in lines[6]


@pytest.mark.usefixtures("known")
def test_only_what_is_to_be_built_anew_is_shown_where_asked_for(
    capsys: Capture,
) -> None:
    shown = json.loads(printed(capsys, "--outdated", "-o", "json"))["items"]

    assert [row["reference"] for row in shown] == ["library/python:3.7"]


@pytest.mark.usefixtures("known")
def test_the_forms_have_the_keys_of_the_api(capsys: Capture) -> None:
    of_csv = list(csv.DictReader(io.StringIO(printed(capsys, "-o", "csv"))))
    of_json = json.loads(printed(capsys, "-o", "json", "--by", "name"))["items"]
    markdown = printed(capsys, "-o", "markdown")

    assert tuple(of_csv[0]) == tuple(of_json[0]) == BASE_COLUMNS
    assert of_csv[0]["own_bytes"] == "1200000000"
    assert of_json[2]["own_bytes"] is None
    assert "| `library/python:3.7` |" in markdown


@pytest.mark.usefixtures("known")
def test_one_base_is_shown_with_the_images_on_it(capsys: Capture) -> None:
    text = printed(capsys, "python:3.7")

    head, _, _, _, *lines = text.splitlines()
    assert head.startswith("library/python:3.7   linux/amd64   320 MB compressed")
    assert "3 images in 2 repositories" in head
    assert "! 1 repository to rebuild" in head
    assert [line.split()[:2] for line in lines[:2]] == [["!", "800.0"], ["!", "400.0"]]
    assert "newest" in lines[1]
    assert "hub/shop/cart:6.3.0" in lines[1]
    assert "hub/shop/api:1.1 and 1 more tag" in lines[2]


@pytest.mark.usefixtures("known")
def test_the_images_on_a_base_have_the_keys_of_the_api(capsys: Capture) -> None:
    found = json.loads(printed(capsys, "python:3.7", "--outdated", "-o", "json"))
    of_csv = list(
        csv.DictReader(io.StringIO(printed(capsys, "python:3.7", "-o", "csv")))
    )

    assert [row["repository"] for row in found["items"]] == ["shop/api", "shop/cart"]
    assert tuple(found["items"][0]) == tuple(of_csv[0]) == BASE_IMAGE_COLUMNS
    assert found["base"]["outdated_images"] == 2
    assert found["next_cursor"] is None
    assert of_csv[2]["tags"] == "1.1 latest"


@pytest.mark.usefixtures("known")
def test_more_than_the_limit_is_said(capsys: Capture) -> None:
    assert "1 of 3 bases, there are more: --limit" in printed(capsys, "--limit", "1")
    assert "1 shown, there are more" in printed(capsys, "python:3.7", "--limit", "1")


@pytest.mark.usefixtures("known")
def test_an_unknown_base_is_told_with_the_nearest_names(capsys: Capture) -> None:
    assert run(["bases", "pyhton:3.7"]) == 3

    told = capsys.readouterr().err
    assert "no image is known to stand on 'pyhton:3.7' [base_not_found]" in told
    assert "nearest  library/python:3.7" in told


@pytest.mark.usefixtures("known")
def test_of_a_base_that_is_not_crawled_it_says_what_to_do(capsys: Capture) -> None:
    text = printed(capsys, "registry.example/base/cuda:12.8")

    assert "not crawled: 1 image named it" in text
    assert "`bases.repositories`" in text


@pytest.mark.usefixtures("database")
def test_without_a_crawl_it_says_so(capsys: Capture) -> None:
    assert "nothing crawled yet" in printed(capsys)


def test_without_a_base_it_says_what_to_do(database: Database, capsys: Capture) -> None:
    World(database).crawl({"1": an_image()})

    assert "`bases.repositories`" in printed(capsys)


def test_with_nothing_outdated_it_says_so(database: Database, capsys: Capture) -> None:
    world = World(database)
    known = KnownBases(database, world.now)
    known.base("debian", "library/debian:9")
    image = an_image()
    world.crawl({"1": image})
    known.stands_on(image.digest, "debian")
    refresh_base_summaries(database, world.now)

    assert "nothing stands on an older build" in printed(capsys, "--outdated")
    assert "none of them is outdated" in printed(capsys, "debian:9", "--outdated")


def test_of_a_base_that_is_not_crawled_any_more_its_amounts_are_shown(
    database: Database, capsys: Capture
) -> None:
    world = World(database)
    known = KnownBases(database, world.now)
    known.base("debian", "library/debian:9", compressed_bytes=100, is_crawled=False)
    image = an_image([a_layer("app", 5_000_000)])
    world.crawl({"1": image})
    known.stands_on(image.digest, "debian")
    refresh_base_summaries(database, world.now)

    (row,) = json.loads(printed(capsys, "-o", "json"))["items"]
    assert (row["state"], row["images"]) == ("unknown", 1)
    assert row["weighed_bytes"] == 5_000_000
    assert "not crawled any more" in printed(capsys)
    assert "not crawled any more" in printed(capsys, "debian:9")


def test_a_strangers_name_never_reaches_the_terminal_as_it_is(
    database: Database, capsys: Capture
) -> None:
    world = World(database)
    known = KnownBases(database, world.now)
    image = an_image()
    world.crawl({"1": image})
    known.stands_on(image.digest, None, reference="\x1b[31m=cmd|\u202e")
    refresh_base_summaries(database, world.now)

    for form in ("table", "markdown"):
        text = printed(capsys, "-o", form)

        assert "\x1b" not in text
        assert "\u202e" not in text


def test_what_slimmer_variants_save_is_a_column(
    database: Database, capsys: Capture
) -> None:
    bases = three_repositories(database)
    refresh_base_summaries(database, bases.world.now)

    lines = printed(capsys, "--by", "saved", "--ascii").splitlines()
    one = printed(capsys, "python:3.7")

    assert lines[2].split()[-3:] == [
        "319.0",
        "library/python:3.7",
        "3.7-alpine",
    ]
    assert lines[4].split()[-2:] == ["library/python:3.7-alpine", "smallest"]
    assert "slimmer bases save 342 MB of one pull of each newest image" in lines[6]
    assert "319 MB lighter as python:3.7-alpine" in " ".join(one.split())
