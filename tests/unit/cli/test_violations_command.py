"""`weighbridge violations` and `policy simulate`: what is printed, in every form."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from support.database import a_database
from support.images import an_image, some_layers
from support.many_repositories import add_repositories, change
from support.read_model import NOW
from support.store_world import World
from support.violations import TORCH, Violations, waived
from weighbridge.cli.actions import violations
from weighbridge.cli.main import run
from weighbridge.domain.growth.cause import Cause, LineChange
from weighbridge.domain.report.violation import ViolationList
from weighbridge.presentation.forms.screen import Screen
from weighbridge.presentation.rows.policy_rows import VIOLATION_COLUMNS, ViolationRow
from weighbridge.store.reports.inventory import snapshot_version
from weighbridge.store.reports.violations import ViolationQuery, violation_page
from weighbridge.store.session import Database, open_database

Capture = pytest.CaptureFixture[str]
HOSTILE = '=cmd|"`<b>\x1b[31m\u202e'


URL = "sqlite:///weighbridge.db"


@pytest.fixture(autouse=True)
def numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, int]:
    """Three repositories, nothing of which exceeds a limit yet; their ids."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("WEIGHBRIDGE_CONFIG", raising=False)
    monkeypatch.setenv("WEIGHBRIDGE_DATABASE_URL", URL)
    with a_database(tmp_path) as database:
        ids = add_repositories(database, ["shop/api", "shop/web", "data/etl"])
        change(
            database,
            ids["shop/api"],
            newest_compressed_bytes=1_082_700_595,
            newest_uncompressed_bytes=None,
            newest_uncompressed_confidence="unknown",
            newest_layers=16,
            baseline_compressed_bytes=445_914_274,
        )
        for name, megabytes in (("shop/web", 84), ("data/etl", 918)):
            change(
                database,
                ids[name],
                newest_compressed_bytes=megabytes * 1_000_000,
                newest_uncompressed_bytes=megabytes * 2_500_000,
                newest_uncompressed_confidence="estimate",
                newest_layers=9,
                baseline_compressed_bytes=None,
            )
    return ids


@pytest.fixture
def database(numbers: Mapping[str, int]) -> Iterator[Database]:
    opened = open_database(URL)
    yield opened
    opened.close()


def printed(capsys: Capture, *arguments: str) -> str:
    capsys.readouterr()
    assert run([*arguments]) == 0
    return capsys.readouterr().out


def test_each_is_a_line_with_the_line_that_did_it(
    capsys: Capture, database: Database, numbers: Mapping[str, int]
) -> None:
    made = Violations(database)
    made.open(numbers["shop/api"])
    made.open(
        numbers["shop/web"],
        limit_key="max_layers",
        amount=70,
        limit_amount=60,
        team=None,
        cause=None,
    )

    assert printed(capsys, "violations") == (
        "STATE  AMOUNT     LIMIT      KEY             SEVERITY  TEAM  SINCE, UTC       "
        " IMAGE             ADDED               LINE THAT DID MOST OF IT\n"
        "open   70 layers  60 layers  max_layers      warning         2026-03-01 12:00 "
        " hub/shop/web:1.5\n"
        "open   1.08 GB    500 MB     max_compressed  warning   shop  2026-03-01 12:00 "
        " hub/shop/api:1.5  +612 MB compressed  RUN pip install … torch==1.13.1\n"
        "\n"
        "  2 violations\n"
    )


@pytest.mark.parametrize("width", [80, 60])
def test_a_narrow_terminal_keeps_the_image_and_the_line(
    database: Database, numbers: Mapping[str, int], width: int
) -> None:
    Violations(database).open(numbers["shop/api"])
    with database.read() as connection:
        rows = violation_page(connection, ViolationQuery(), NOW).items

    text = violations.printed(ViolationList(rows, False), "table", Screen(width), NOW)

    head, row, *_ = text.splitlines()
    assert "IMAGE" in head
    assert "hub/shop/api:1.5" in row
    assert "RUN pip install" in row
    assert "SINCE" not in head
    assert "AMOUNT" not in head
    foot = " ".join(text.split())
    assert "no room for since, utc, limit, added, amount" in foot
    assert foot.endswith("-o json has all")
    assert max(map(len, text.splitlines())) <= width


def test_a_name_that_fills_a_terminal_leaves_room_for_the_line(
    database: Database, numbers: Mapping[str, int]
) -> None:
    Violations(database).open(numbers["shop/api"])
    with database.read() as connection:
        rows = violation_page(connection, ViolationQuery(), NOW).items
    long = tuple(replace(row, repository="a-team/" * 12 + "api") for row in rows)

    text = violations.printed(ViolationList(long, False), "table", Screen(80), NOW)

    row = text.splitlines()[1]
    assert row.startswith("…")
    assert "a-team/api:1.5  RUN pip install" in row
    assert len(row) <= 80


def test_an_empty_database_is_no_clean_one(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEIGHBRIDGE_DATABASE_URL", "sqlite:///empty.db")
    assert run(["db", "upgrade"]) == 0
    capsys.readouterr()

    for command in ("violations", "top"):
        assert printed(capsys, command).startswith(
            "nothing crawled yet: weighbridge crawl "
        )
    assert json.loads(printed(capsys, "violations", "-o", "json")) == {"items": []}


def test_a_waived_one_has_its_reason_below_it(
    capsys: Capture, database: Database, numbers: Mapping[str, int]
) -> None:
    Violations(database).open(numbers["shop/api"])
    waived(database, "shop/*", datetime.now(UTC), reason="torch moves out")

    out = printed(capsys, "violations")

    assert "waived  1.08 GB" in out
    assert " by ops: torch moves out\n" in out


def test_filters_and_the_end_of_episodes(
    capsys: Capture, database: Database, numbers: Mapping[str, int]
) -> None:
    made = Violations(database)
    made.close(made.open(numbers["shop/api"]))
    made.open(numbers["data/etl"], team="data", severity="critical")

    def found(*arguments: str) -> list[str]:
        out = printed(capsys, "violations", "-o", "json", *arguments)
        return [row["repository"] for row in json.loads(out)["items"]]

    assert found() == ["data/etl"]
    assert found("--all") == ["data/etl", "shop/api"]
    assert found("--all", "--limit", "1") == ["data/etl"]
    assert found("--team", "shop") == []
    assert found("--all", "--team", "shop") == ["shop/api"]
    assert found("--severity", "critical") == ["data/etl"]
    assert found("--severity", "info") == []
    assert found("--registry", "hub") == ["data/etl"]
    assert printed(capsys, "violations", "--team", "x") == "there is none of these\n"
    assert "there are more: --limit" in printed(
        capsys, "violations", "--all", "--limit", "1"
    )


def test_a_registry_that_is_not_known_is_refused(capsys: Capture) -> None:
    assert run(["violations", "--registry", "hubb"]) == 2

    assert "[unknown_registry]" in capsys.readouterr().err


def test_json_and_csv_are_the_rows_of_the_api(
    capsys: Capture, database: Database, numbers: Mapping[str, int]
) -> None:
    Violations(database).open(numbers["shop/api"])

    (item,) = json.loads(printed(capsys, "violations", "-o", "json"))["items"]
    (row,) = csv.DictReader(io.StringIO(printed(capsys, "violations", "-o", "csv")))

    assert item.keys() == ViolationRow.__dataclass_fields__.keys()
    assert (item["amount"], item["limit_amount"]) == (1_082_700_595, 500_000_000)
    assert tuple(row) == VIOLATION_COLUMNS
    assert row["cause_instruction"] == TORCH.changes[0].instruction


def test_hostile_names_and_lines_are_plain_text_in_every_form(
    capsys: Capture, database: Database, numbers: Mapping[str, int]
) -> None:
    line = LineChange("added", HOSTILE, None, 9, 9)
    Violations(database).open(
        numbers["shop/api"],
        policy=HOSTILE,
        team=HOSTILE,
        tag=HOSTILE,
        cause=Cause("own", None, (line,), 9),
    )

    shown = {
        output: printed(capsys, "violations", "-o", output)
        for output in ("table", "csv", "markdown")
    }

    assert "\x1b" not in shown["table"] + shown["markdown"]
    assert "\u202e" not in shown["table"] + shown["markdown"]
    (row,) = csv.DictReader(io.StringIO(shown["csv"]))
    for key in ("policy", "team", "tag", "cause_instruction"):
        assert row[key].startswith("'=")
    assert "`` =cmd\\|" in shown["markdown"]


def test_limits_are_tried_on_the_newest_image_of_every_repository(
    capsys: Capture,
) -> None:
    out = printed(
        capsys,
        "policy",
        "simulate",
        "--max-compressed",
        "500MB",
        "--max-uncompressed",
        "2GB",
    )

    assert out == (
        "OVER BY    AMOUNT    LIMIT  KEY               REPOSITORY    TAG\n"
        " 583 MB   1.08 GB   500 MB  max_compressed    hub/shop/api  1.2.3\n"
        " 418 MB    918 MB   500 MB  max_compressed    hub/data/etl  1.2.3\n"
        " 295 MB  ~2.30 GB  2.00 GB  max_uncompressed  hub/data/etl  1.2.3\n"
        "\n"
        "2 of 3 repositories would be over a limit\n"
        "  max_compressed: 2\n"
        "  max_uncompressed: 1\n"
        "  of 1 repository it is unknown: max_uncompressed needs a size that is not "
        "known\n"
    )


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ("--max-growth 25% --min-growth 50MB", ["shop/api"]),
        ("--max-growth 25% --min-growth 900MB", []),
        ("--max-layers 10", ["shop/api"]),
        ("--max-layers 8 --repository shop/*", ["shop/api", "shop/web"]),
        ("--max-deduplicated 3kB", ["data/etl", "shop/api", "shop/web"]),
        ("--max-compressed 80MB --repository *web", ["shop/web"]),
        ("--max-compressed 80MB --repository none/*", []),
        ("--max-compressed 80MB --registry hub --repository data/etl", ["data/etl"]),
    ],
)
def test_each_limit_can_be_tried_and_repositories_chosen(
    capsys: Capture, arguments: str, found: list[str]
) -> None:
    out = printed(capsys, "policy", "simulate", *arguments.split(), "-o", "json")

    whole = json.loads(out)
    assert sorted(item["repository"] for item in whole["items"]) == found
    assert whole["exceeding"] == len(found)


def test_json_has_limits_rows_and_totals_for_programs(capsys: Capture) -> None:
    arguments = ("policy", "simulate", "--max-compressed", "1GB")
    whole = json.loads(printed(capsys, *arguments, "-o", "json"))
    (row,) = csv.DictReader(io.StringIO(printed(capsys, *arguments, "-o", "csv")))
    markdown = printed(capsys, *arguments, "-o", "markdown")

    assert whole == {
        "items": [
            {
                "registry": "hub",
                "repository": "shop/api",
                "tag": "1.2.3",
                "platform": "linux/amd64",
                "limit_key": "max_compressed",
                "unit": "bytes",
                "limit_amount": 1_000_000_000,
                "amount": 1_082_700_595,
                "excess": 82_700_595,
                "baseline_compressed_bytes": None,
            }
        ],
        "limits": {"max_compressed": 1_000_000_000},
        "repositories": 3,
        "exceeding": 1,
        "by_key": {"max_compressed": 1},
        "unknown": {},
    }
    assert list(row.values())[:2] == ["hub", "shop/api"]
    assert "| 82.7 MB | 1.08 GB | 1.00 GB | `max_compressed` | `hub/shop/api` |" in (
        markdown
    )


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ((), "give at least one limit"),
        (("--min-growth", "50MB"), "give at least one limit"),
        (("--max-compressed", "500"), "needs a unit"),
        (("--max-compressed", "0MB"), "more than nothing"),
        (("--max-layers", "0"), "no number from 1 to 4096"),
        (("--max-growth", "0.25"), "not a percentage"),
        (("--max-layers", "3", "--registry", "x"), "[unknown_registry]"),
    ],
)
def test_limits_that_are_none_are_refused(
    capsys: Capture, arguments: tuple[str, ...], word: str
) -> None:
    assert run(["policy", "simulate", *arguments]) == 2

    assert word in capsys.readouterr().err


def test_trying_changes_nothing(capsys: Capture, database: Database) -> None:
    def everything() -> str:
        with database.read() as connection:
            return snapshot_version(connection)

    before = everything()
    printed(capsys, "policy", "simulate", "--max-compressed", "1MB")

    assert everything() == before
    assert run(["violations", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"items": []}


def test_the_largest_layer_is_that_of_the_newest_image(
    capsys: Capture, database: Database
) -> None:
    world = World(database, repository="shop/layers")
    world.crawl({"1": an_image(some_layers(4_000_000, 9_000_000, 96))})

    out = printed(
        capsys, "policy", "simulate", "--max-layer-compressed", "8MB", "-o", "json"
    )

    (item,) = json.loads(out)["items"]
    assert (item["repository"], item["amount"]) == ("shop/layers", 9_000_000)
