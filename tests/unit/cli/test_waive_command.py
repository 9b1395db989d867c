"""`weighbridge waive`: made, listed, revoked, each act noted."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from support.database import a_database
from support.images import an_image
from support.store_world import World
from weighbridge.cli.actions.tokens import system_user
from weighbridge.cli.main import run
from weighbridge.store.access import acts
from weighbridge.store.session import Database, open_database
from weighbridge.store.violations.waivers import active_waivers

Capture = pytest.CaptureFixture[str]
URL = "sqlite:///weighbridge.db"
MAIN = 'registries: [{name: hub, url: "https://registry-1.docker.io"}]\n'


@pytest.fixture(autouse=True)
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A database that knows `hub/acme/app`, in the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("WEIGHBRIDGE_CONFIG", raising=False)
    monkeypatch.setenv("WEIGHBRIDGE_DATABASE_URL", URL)
    (tmp_path / "weighbridge.yaml").write_text(MAIN)
    with a_database(tmp_path) as database:
        yield World(database)


def opened() -> Database:
    return open_database(URL)


def waive(*arguments: str) -> int:
    return run(["waive", *arguments])


CREATE = ("hub/acme/*:1.*", "--reason", "torch moves out", "--until", "30d")


def listed(capsys: Capture, *arguments: str) -> list[dict[str, object]]:
    capsys.readouterr()
    assert waive("list", "-o", "json", *arguments) == 0
    items: list[dict[str, object]] = json.loads(capsys.readouterr().out)["items"]
    return items


def test_a_waiver_is_made_and_says_what_it_covers(capsys: Capture) -> None:
    assert waive("create", *CREATE, "--limit", "max_growth") == 0

    out = capsys.readouterr().out
    assert out.startswith("waived: max_growth of hub/acme/*:1.* until 20")
    assert out.endswith(" UTC (waiver 1)\n")
    (row,) = listed(capsys)
    assert (row["registry"], row["repository"], row["tag"]) == ("hub", "acme/*", "1.*")
    assert (row["limit_key"], row["author"]) == ("max_growth", system_user())


def test_a_waiver_ends_at_a_moment_with_its_zone(capsys: Capture) -> None:
    year = datetime.now(UTC).year + 1
    until = f"{year}-10-01T12:00:00+02:00"

    assert waive("hub/acme/app", "--reason", "x", "--until", until) == 0

    assert f" until {year}-10-01 10:00 UTC " in capsys.readouterr().out
    assert [row["expires_at"] for row in listed(capsys)] == [f"{year}-10-01T10:00:00Z"]


@pytest.mark.parametrize(
    ("ref", "is_known"),
    [
        ("hub/acme/app", True),
        ("hub/acme/app:1.4-Slim", True),
        ("*/*:*-Slim", True),
        ("hub/acme/ap", False),
        ("hub/acme/ap*", True),
        ("other*/acme/app", False),
        ("hub/acme/app:1.5", False),
        ("hub/acme/app:1.4-slim", False),
        ("hub/acme/app:*-slim", False),
        ("hub/acme/app:1.4_*", False),
    ],
)
def test_a_waiver_of_nothing_that_is_known_says_so_and_holds(
    world: World, capsys: Capture, ref: str, is_known: bool
) -> None:
    world.crawl({"1.4-Slim": an_image()})

    assert waive(ref, "--reason", "x", "--until", "1d") == 0

    captured = capsys.readouterr()
    assert captured.out.startswith("waived: every limit of ")
    assert (captured.err == "") == is_known
    assert is_known or f"nothing that is known is called {ref};" in captured.err
    assert len(listed(capsys)) == 1


def test_what_is_gone_is_not_known(world: World, capsys: Capture) -> None:
    world.crawl({"1": an_image(), "2": an_image()})
    world.crawl(deleted=["1"])

    assert waive("hub/acme/app:1", "--reason", "x", "--until", "1d") == 0

    assert "nothing that is known" in capsys.readouterr().err


def test_the_word_create_may_be_left_out(capsys: Capture) -> None:
    assert waive(*CREATE) == 0

    assert [row["repository"] for row in listed(capsys)] == ["acme/*"]


def test_each_act_is_noted_with_the_user_of_the_system(capsys: Capture) -> None:
    waive(*CREATE)
    waive("revoke", "1")
    waive("revoke", "1")

    out = capsys.readouterr().out
    assert "revoked: waiver 1 of hub/acme/*:1.*\n" in out
    assert "was over before: waiver 1" in out
    database = opened()
    with database.read() as connection:
        noted = [(act.act, act.actor, act.subject) for act in acts(connection)]
        left = active_waivers(connection, datetime.now(UTC)).waivers
    database.close()
    assert noted == [
        ("waiver.create", system_user(), "hub/acme/*:1.*"),
        ("waiver.revoke", system_user(), "hub/acme/*:1.*"),
    ]
    assert left == ()
    assert listed(capsys) == []
    assert [row["state"] for row in listed(capsys, "--all")] == ["revoked"]


def test_the_address_of_a_registry_is_its_name(capsys: Capture) -> None:
    assert waive("docker.io/acme/app", *CREATE[1:]) == 0

    assert [row["registry"] for row in listed(capsys)] == ["hub"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("create", "hub", *CREATE[1:]), "invalid_waiver"),
        (("hub/ACME", *CREATE[1:]), "invalid_waiver"),
        (("acme/app", *CREATE[1:]), "unknown_registry"),
        ((*CREATE, "--limit", "min_growth"), "invalid_waiver"),
        (("hub/a", "--reason", " ", "--until", "1d"), "invalid_waiver"),
        (("hub/a", "--reason", "x", "--until", "2020-01-01"), "invalid_waiver"),
        (("hub/a", "--reason", "x", "--until", "soon"), "invalid_waiver"),
        (("hub/a", "--reason", "x", "--until", "11y"), "invalid_waiver"),
        (("revoke", "7"), "unknown_waiver"),
    ],
)
def test_what_cannot_be_waived_is_refused(
    capsys: Capture, arguments: tuple[str, ...], code: str
) -> None:
    assert waive(*arguments) == 2

    assert f"[{code}]" in capsys.readouterr().err
    assert listed(capsys, "--all") == []


@pytest.mark.parametrize(
    "arguments",
    [("hub/a", "--until", "1d"), ("hub/a", "--reason", "x"), ("revoke", "x")],
)
def test_a_reason_an_end_and_a_number_are_needed(
    capsys: Capture, arguments: tuple[str, ...]
) -> None:
    assert waive(*arguments) == 2


def test_a_database_that_is_not_there_is_not_made(capsys: Capture) -> None:
    assert waive(*CREATE, "--database", "other.db") == 3

    assert "[no_database]" in capsys.readouterr().err
    assert not Path("other.db").exists()


def test_reasons_are_plain_text_in_every_form(capsys: Capture) -> None:
    reason = "=cmd|`x` \x1b[31m@all"
    assert waive("hub/a", "--reason", reason, "--until", "1d") == 0

    capsys.readouterr()
    shown = {}
    for output in ("table", "json", "csv", "markdown"):
        waive("list", "-o", output)
        shown[output] = capsys.readouterr().out

    assert r"=cmd|`x` \x1b[31m@all" in shown["table"]
    (row,) = csv.DictReader(io.StringIO(shown["csv"]))
    assert row["reason"] == r"'=cmd|`x` \x1b[31m@all"
    assert r"`` =cmd\|`x` \x1b[31m@all ``" in shown["markdown"]
    assert json.loads(shown["json"])["items"][0]["reason"].startswith("=cmd")
    assert "\x1b" not in "".join(shown.values())


def test_an_empty_list_says_so(capsys: Capture) -> None:
    assert waive("list") == 0

    assert capsys.readouterr().out == "nothing is waived\n"
