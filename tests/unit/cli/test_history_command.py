"""`weighbridge history`: what it prints in every form, and what it says of what is not
known."""

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from support.images import a_layer, an_image
from support.store_world import World
from weighbridge.cli.main import run
from weighbridge.domain.image.document import Image, Line
from weighbridge.domain.text.units import parse_since
from weighbridge.errors import UsageError
from weighbridge.store.schema import upgrade
from weighbridge.store.session import open_database

NOW: Final = datetime(2026, 9, 22, 9, 40, tzinfo=UTC)
MB: Final = 1_000_000


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A year of one repository, and a configuration that knows its registry."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("WEIGHBRIDGE_CONFIG", "WEIGHBRIDGE_DATABASE_URL"):
        monkeypatch.delenv(variable, raising=False)
    database = open_database("sqlite:///w.db")
    upgrade(database)
    world = World(database, url="https://registry.example:5000")
    for number, size in enumerate((100, 130, 90)):
        world.crawl(
            {"main": a_build(number, size), f"1.{number}": a_build(number, size)}
        )
    database.close()
    (tmp_path / "weighbridge.yaml").write_text(
        "database_url: sqlite:///w.db\n"
        "registries:\n"
        '  - {name: hub, url: "https://registry.example:5000"}\n'
    )
    return tmp_path


def a_build(number: int, size: int) -> Image:
    layers = [a_layer("base", 50 * MB), a_layer(number, size * MB)]
    texts = ("ADD rootfs /", "=COPY . /app")
    return an_image(layers, lines=[Line(t, None, layer=i) for i, t in enumerate(texts)])


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(["history", *arguments]) == 0
    return capsys.readouterr().out


def test_a_row_says_when_how_large_and_by_which_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = shown(capsys, "hub/acme/app:main")

    assert [" ".join(line.split()) for line in out.splitlines()[2:4]] == [
        "2026-03-04 12:00 140.0 -40.0 unknown ████████████▌ 1.2, main"
        " -40.0 MB =COPY . /app",
        "2026-03-03 12:00 180.0 +30.0 unknown ████████████████ 1.1, main"
        " +30.0 MB =COPY . /app",
    ]
    assert "3 steps of the tag main, linux/amd64" in out


@pytest.mark.parametrize(
    "ref", ["hub/acme/app", "registry.example:5000/acme/app", "hub/acme/app:main"]
)
def test_a_repository_is_found_by_its_name_and_by_its_address(
    ref: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = json.loads(shown(capsys, ref, "-o", "json", "--limit", "2"))

    assert (found["registry"], found["repository"]) == ("hub", "acme/app")
    assert found["tag"] == ("main" if ref.endswith(":main") else None)
    assert [step["grown_bytes"] for step in found["items"]] == [-40 * MB, 30 * MB]
    assert found["items"][0]["cause"]["changes"][0]["instruction"] == "=COPY . /app"
    assert found["next_cursor"] is not None
    assert found["reason"] is None


def test_a_row_of_csv_is_flat_and_begins_no_formula(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = list(csv.DictReader(io.StringIO(shown(capsys, "hub/acme/app", "-o", "csv"))))

    assert [row["tags"] for row in rows] == ["1.2 main", "1.1 main", "1.0 main"]
    assert rows[0]["cause_instruction"] == "'=COPY . /app"
    assert rows[1]["cause_grown_bytes"] == "30000000"
    assert rows[2]["grown_bytes"] == ""
    assert rows[2]["heaviest_compressed_bytes"] == str(100 * MB)


def test_tags_that_are_not_read_are_said(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (folder / "weighbridge.yaml").open("a") as file:
        file.write('    tags: {exclude: ["*-dev"]}\n')
    text = (folder / "weighbridge.yaml").read_text()
    entry = '  - {name: hub, url: "https://registry.example:5000"}\n'
    written = '  - name: hub\n    url: "https://registry.example:5000"\n'
    (folder / "weighbridge.yaml").write_text(text.replace(entry, written))

    out = shown(capsys, "hub/acme/app")

    assert "! steps may be missing: tags are left out by the configuration" in out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["hub/acme/ap"], 3, "[repository_not_found]\n  nearest  hub/acme/app\n"),
        (["hub/acme/app:mian"], 3, "[tag_not_found]\n  nearest  main"),
        (["elsewhere.example/app"], 2, "[unknown_registry]"),
        ([f"hub/acme/app@sha256:{'a' * 64}"], 2, "[no_digest]"),
        (["hub/acme/app", "--since", "yesterday"], 2, "[invalid_since]"),
        (["hub/acme/app", "--platform", "linux"], 2, "[invalid_platform]"),
        (["hub/acme/app", "--limit", "0"], 2, "no number from 1 to 1000"),
        (["hub/acme/app", "--database", "none.db"], 3, "[no_database]"),
        (["Not A Reference"], 2, "[invalid_reference]"),
    ],
)
def test_what_cannot_be_shown_is_told_on_stderr(
    arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["history", *arguments]) == code

    captured = capsys.readouterr()
    assert captured.out == ""
    assert words in captured.err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30d", datetime(2026, 8, 23, 9, 40, tzinfo=UTC)),
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31T13:00:00+01:00", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31t12:00:00z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
    ],
)
def test_since_is_a_duration_a_day_or_a_moment(text: str, expected: datetime) -> None:
    assert parse_since(text, NOW) == expected


@pytest.mark.parametrize(
    "text",
    ["", "1y", "2026-02-30", "2026-01-31T12:00:00", "0001-01-01T00:00:00+01:00", "²d"],
)
def test_any_other_since_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_since(text, NOW)

    assert refused.value.code == "invalid_since"
