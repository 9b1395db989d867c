"""`weighbridge token accept`: the tokens of files are those that open the door."""

import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from weighbridge.cli.main import run
from weighbridge.domain.access.roles import digest_of, new_secret
from weighbridge.store.access import NewToken, acts, add_token, valid_tokens
from weighbridge.store.schema import upgrade
from weighbridge.store.session import open_database

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An absent database in the working folder, and a folder for tokens."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WEIGHBRIDGE_DATABASE_URL", "sqlite:///weighbridge.db")
    (tmp_path / "tokens").mkdir()


def a_token(name: str, role: str = "read", number: int = 1) -> str:
    """One in a file of the folder."""
    text = new_secret(role, bytes([number]) * 32).reveal()
    Path("tokens", name).write_text(f"{text}\n")
    return text


def accepted(*paths: str) -> int:
    return run(["token", "accept", *(paths or ("tokens",))])


def valid() -> dict[bytes, tuple[str, str]]:
    database = open_database("sqlite:///weighbridge.db")
    with database.read() as connection:
        found = valid_tokens(connection, datetime.now(UTC))
    database.close()
    return {sha256: (token.name, token.role) for sha256, token in found.items()}


def test_each_file_is_a_token_with_its_name_and_the_role_of_its_prefix(
    capsys: Capture,
) -> None:
    people, prometheus = a_token("people"), a_token("prometheus", "metrics", 2)

    assert accepted() == 0

    assert valid() == {
        digest_of(people): ("people", "read"),
        digest_of(prometheus): ("prometheus", "metrics"),
    }
    out, err = capsys.readouterr()
    assert out == "accepted: people (read)\naccepted: prometheus (metrics)\n"
    assert people not in out + err


def test_what_is_accepted_already_stays_and_is_noted_once() -> None:
    text = a_token("people")

    assert [accepted(), accepted()] == [0, 0]

    assert valid() == {digest_of(text): ("people", "read")}
    database = open_database("sqlite:///weighbridge.db")
    with database.read() as connection:
        assert [act.act for act in acts(connection)] == ["token.create"]
    database.close()


def test_another_text_of_the_name_revokes_the_one_before(capsys: Capture) -> None:
    a_token("people")
    accepted()
    text = a_token("people", "admin", 2)

    assert accepted() == 0

    assert valid() == {digest_of(text): ("people", "admin")}
    assert "the one before is revoked" in capsys.readouterr().out


def test_another_text_of_a_token_of_teams_is_of_the_same_teams() -> None:
    database = open_database("sqlite:///weighbridge.db")
    upgrade(database)
    now = datetime.now(UTC)
    with database.write() as connection:
        old = NewToken("people", "read", b"1" * 32, None, frozenset({"shop"}))
        add_token(connection, old, now)
    text = a_token("people")

    assert accepted() == 0

    with database.read() as connection:
        found = valid_tokens(connection, now)
    database.close()
    assert found.keys() == {digest_of(text)}
    assert found[digest_of(text)].teams == frozenset({"shop"})


def test_a_revoked_token_is_not_accepted_again(capsys: Capture) -> None:
    a_token("people")
    accepted()
    run(["token", "revoke", "people"])

    assert accepted() == 2

    assert valid() == {}
    assert "token_exists" in capsys.readouterr().err


def test_the_text_from_before_a_rotation_does_not_come_back(capsys: Capture) -> None:
    a_token("people", "admin")
    accepted()
    run(["token", "rotate", "people", "--overlap", "0s"])
    new = digest_of(capsys.readouterr().out.splitlines()[-1])

    assert accepted() == 2

    assert valid() == {new: ("people", "admin")}
    assert "token_exists" in capsys.readouterr().err


def test_the_text_from_before_a_rotation_stays_as_long_as_it_was_promised() -> None:
    old = a_token("people")
    accepted()
    run(["token", "rotate", "people", "--overlap", "1h"])
    before = valid()

    assert accepted() == 0

    assert len(before) == 2
    assert digest_of(old) in before
    assert valid() == before


def test_the_text_from_before_a_rotation_of_a_revoked_token_is_not_accepted() -> None:
    a_token("people")
    accepted()
    run(["token", "rotate", "people"])
    run(["token", "revoke", "people"])

    assert accepted() == 2

    assert valid() == {}


def test_another_text_of_a_revoked_token_of_teams_is_of_the_same_teams() -> None:
    run(["db", "upgrade"])
    run(["token", "create", "--role", "read", "--name", "people", "--team", "shop"])
    run(["token", "revoke", "people"])
    text = a_token("people")

    assert accepted() == 0

    database = open_database("sqlite:///weighbridge.db")
    with database.read() as connection:
        found = valid_tokens(connection, datetime.now(UTC))
    database.close()
    assert found[digest_of(text)].teams == frozenset({"shop"})


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("secret", "invalid_token"),
        ("", "secret_file"),
        (f"whsec_{'a' * 43}", "invalid_token"),
        (f"wbr_{'a' * 42}", "invalid_token"),
    ],
)
def test_of_a_folder_with_a_wrong_file_nothing_is_accepted(
    text: str, code: str, capsys: Capture
) -> None:
    a_token("a-right-one")
    Path("tokens/wrong").write_text(text)

    assert accepted() == 2

    err = capsys.readouterr().err
    assert code in err
    assert "tokens/wrong" in err
    assert not Path("weighbridge.db").exists()


def test_a_folder_as_kubernetes_mounts_it_is_read_through_its_links() -> None:
    text = a_token("people")
    folder = Path("volume/..2026_12_03")
    folder.mkdir(parents=True)
    Path("tokens/people").rename(folder / "people")
    os.symlink(folder.name, "volume/..data")
    os.symlink("..data/people", "volume/people")

    assert accepted("volume") == 0

    assert valid() == {digest_of(text): ("people", "read")}
    assert stat.S_ISLNK(os.lstat("volume/people").st_mode)


def test_an_empty_folder_is_told(capsys: Capture) -> None:
    assert accepted() == 2

    assert "contains no file" in capsys.readouterr().err
