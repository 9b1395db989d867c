"""JSON of commands can be read by whoever reads JSON, whatever stdout is."""

import json
import os
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from weighbridge.cli.main import run
from weighbridge.domain.policy.waiver import NewWaiver
from weighbridge.store.session import open_database
from weighbridge.store.violations.waivers import put_waiver

REASON: Final = "Größe ist — 你好 \U0001f40b"


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """With one waiver, whose reason ASCII does not have."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WEIGHBRIDGE_DATABASE_URL", "sqlite:///w.db")
    assert run(["db", "upgrade"]) == 0
    until = datetime.now(UTC) + timedelta(days=3)
    waiver = NewWaiver("hub", "acme/*", "*", None, REASON, "cli:me", until)
    with (
        closing(open_database("sqlite:///w.db")) as opened,
        opened.write() as connection,
    ):
        put_waiver(connection, waiver, datetime.now(UTC))
    return "w.db"


def printed(database: str, encoding: str, form: str) -> bytes:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "weighbridge", "waive", "list"),
            *("--database", database, "-o", form),
        ],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize(
    "encoding", ["ascii", "ascii:strict", "ascii:replace", "latin-1", "cp1252", "utf-8"]
)
def test_json_is_json_on_every_terminal(database: str, encoding: str) -> None:
    out = printed(database, encoding, "json")

    assert json.loads(out)["items"][0]["reason"] == REASON
    assert out.isascii() is (encoding != "utf-8")


@pytest.mark.parametrize("form", ["table", "csv", "markdown"])
@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_other_forms_escape_what_a_terminal_lacks(
    database: str, encoding: str, form: str
) -> None:
    text = printed(database, encoding, form).decode(encoding)

    assert "?" not in text
    assert "\\u4f60" in text
