"""`weighbridge audit`: what admins did, and that every act is there."""

import json
import re
from contextlib import closing
from pathlib import Path

import pytest

import weighbridge
from support.many_repositories import add_repositories
from weighbridge.cli.actions.tokens import system_user
from weighbridge.cli.main import run
from weighbridge.store.session import open_database

Capture = pytest.CaptureFixture[str]
ACT = re.compile(r'"((?:token|waiver|crawl|db)\.[a-z]+)"')
DOCS = Path(__file__).parents[3] / "docs" / "commands.md"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WEIGHBRIDGE_DATABASE_URL", "sqlite:///weighbridge.db")
    (tmp_path / "weighbridge.yaml").write_text(
        "registries: [{name: hub, url: 'https://hub.example'}]\n"
    )


def audited(capsys: Capture, *arguments: str) -> list[tuple[str, str, str, str]]:
    capsys.readouterr()
    assert run(["audit", "-o", "json", *arguments]) == 0
    return [
        (row["actor"], row["act"], row["subject"], row["detail"])
        for row in json.loads(capsys.readouterr().out)["items"]
    ]


def test_each_act_is_there_with_who_did_it(capsys: Capture) -> None:
    assert run(["token", "create", "--role", "read", "--team", "shop"]) == 0
    assert run(["token", "rotate", "read-1"]) == 0
    with closing(open_database("sqlite:///weighbridge.db")) as database:
        add_repositories(database, ["acme/app"])
    target = ["hub/acme/app", "--reason", "until it is smaller", "--until", "30d"]
    assert run(["waive", "create", *target]) == 0
    assert run(["waive", "revoke", "1"]) == 0
    assert run(["db", "recount"]) == 0
    assert run(["db", "forget", "hub", "--yes"]) == 0
    assert run(["token", "revoke", "read-1"]) == 0

    found = audited(capsys)

    assert [(who, act) for who, act, *_ in found] == [
        (system_user(), act)
        for act in (
            "token.create",
            "token.rotate",
            "waiver.create",
            "waiver.revoke",
            "db.recount",
            "db.forget",
            "token.revoke",
        )
    ]
    assert found[0][2:] == ("read-1", "read of shop")


def test_only_what_was_done_since_is_listed(capsys: Capture) -> None:
    assert run(["token", "create", "--role", "read"]) == 0

    assert len(audited(capsys, "--since", "1h")) == 1
    assert audited(capsys, "--since", "2999-01-01") == []
    assert run(["audit", "--since", "yesterday"]) == 2


def test_each_act_of_the_source_is_on_the_page_of_commands() -> None:
    folder = Path(weighbridge.__file__).parent
    source = {
        act for path in folder.rglob("*.py") for act in ACT.findall(path.read_text())
    }
    section = DOCS.read_text().partition("\n## weighbridge audit\n")[2]

    assert len(source) > 7
    assert source == set(re.findall(r"`((?:token|waiver|crawl|db)\.[a-z]+)`", section))
