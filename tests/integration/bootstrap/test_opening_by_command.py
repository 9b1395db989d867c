"""Which database a command opens or makes, and what it says where it cannot."""

from pathlib import Path

import pytest

from weighbridge.cli.main import run


def test_a_server_that_does_not_answer_is_told_with_what_to_check(
    capsys: pytest.CaptureFixture[str],
) -> None:
    url = "postgresql://u:SEC%40RET@127.0.0.1:1/x"

    assert run(["top", "--database", url]) == 3

    assert capsys.readouterr().err == (
        "127.0.0.1:1/x: the database server does not answer [database_unavailable]\n"
        "  try    check host and port of the database's URL, and that the server runs\n"
    )


def test_a_crawl_makes_its_database(tmp_path: Path) -> None:
    assert (
        run(["crawl", "127.0.0.1:1", "--database", f"{tmp_path}/new/weights.db"]) == 3
    )

    assert (tmp_path / "new" / "weights.db").exists()
