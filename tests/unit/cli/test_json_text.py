"""JSON of commands can be read by whoever reads JSON, whatever stdout is."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from support.database import a_database_url
from weighbridge.cli.main import run
from weighbridge.cli.process.streams import take_over
from weighbridge.domain.policy.waiver import NewWaiver
from weighbridge.store.session import open_database
from weighbridge.store.violations.waivers import put_waiver

REASON: Final = "Größe ist — 你好 \U0001f40b"
LIST: Final = ("waive", "list", "--database")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a database with one waiver, whose reason ASCII does not have."""
    until = datetime.now(UTC) + timedelta(days=3)
    waiver = NewWaiver("hub", "acme/*", "*", None, REASON, "cli:me", until)
    with a_database_url(tmp_path_factory.mktemp("waived")) as url:
        with closing(open_database(url)) as opened, opened.write() as connection:
            put_waiver(connection, waiver, datetime.now(UTC))
        yield url


@pytest.fixture
def printed(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, str], bytes]:
    """What is written to a stdout that was opened as PYTHONIOENCODING says."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))

    def printed(encoding: str, form: str) -> bytes:
        name, _, errors = encoding.partition(":")
        written = io.BytesIO()
        with monkeypatch.context() as patched:
            stream = io.TextIOWrapper(written, name, errors or "strict")
            patched.setattr(sys, "stdout", stream)
            patched.setattr(sys, "stderr", sys.stderr)
            take_over()
            with sys.stderr:
                assert run([*LIST, url, "-o", form]) == 0
            stream.flush()
        return written.getvalue()

    return printed


@pytest.mark.slow
def test_a_process_of_its_own_prints_the_same(
    url: str, printed: Callable[[str, str], bytes]
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "weighbridge", *LIST, url, "-o", "json"],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=True,
    )

    assert done.stdout == printed("ascii", "json")


@pytest.mark.parametrize(
    "encoding", ["ascii", "ascii:strict", "ascii:replace", "latin-1", "cp1252", "utf-8"]
)
def test_json_is_json_on_every_terminal(
    printed: Callable[[str, str], bytes], encoding: str
) -> None:
    out = printed(encoding, "json")

    assert json.loads(out)["items"][0]["reason"] == REASON
    assert out.isascii() is (encoding != "utf-8")


@pytest.mark.parametrize("form", ["table", "csv", "markdown"])
@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_other_forms_escape_what_a_terminal_lacks(
    printed: Callable[[str, str], bytes], encoding: str, form: str
) -> None:
    text = printed(encoding, form).decode(encoding)

    assert "?" not in text
    assert "\\u4f60" in text
