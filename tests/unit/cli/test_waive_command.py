"""`weighbridge waive`: made, listed, revoked, each act noted."""

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from support.database import a_database
from support.store_world import World
from weighbridge.bootstrap.actor import system_user
from weighbridge.cli.main import run
from weighbridge.store.audit_log import acts
from weighbridge.store.session import Database, open_database
from weighbridge.store.waivers import active_waivers

Capture = pytest.CaptureFixture[str]
URL = "sqlite:///weighbridge.db"
MAIN = 'registries: [{name: hub, url: "https://registry-1.docker.io"}]\n'


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that knows the registry `hub`, in the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("WEIGHBRIDGE_CONFIG", raising=False)
    monkeypatch.setenv("WEIGHBRIDGE_DATABASE_URL", URL)
    (tmp_path / "weighbridge.yaml").write_text(MAIN)
    with a_database(tmp_path) as database:
        World(database)


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
