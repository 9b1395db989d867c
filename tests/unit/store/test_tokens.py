"""What is kept of tokens, and of who made them."""

from datetime import timedelta

from sqlalchemy import text

from support.read_model import NOW
from support.tokens import a_kept_token, a_token
from weighbridge.domain.access.roles import digest_of
from weighbridge.store.access import (
    Act,
    NewToken,
    acts,
    add_token,
    all_tokens,
    find_tokens,
    has_valid_token,
    note_act,
    note_use,
    revoke_token,
    valid_tokens,
)
from weighbridge.store.session import Database

MINUTE = timedelta(minutes=1)


def test_only_valid_tokens_are_found_by_their_digest(database: Database) -> None:
    kept = a_token(database, "read", NOW)
    brief = a_token(database, "metrics", NOW, expires_in=timedelta(days=1))
    a_token(database, "admin", NOW, is_revoked=True)

    with database.read() as connection:
        today = valid_tokens(connection, NOW)
        later = valid_tokens(connection, NOW + timedelta(days=1))

    assert today.keys() == {digest_of(kept), digest_of(brief)}
    assert [token.role for token in later.values()] == ["read"]


def test_the_text_of_a_token_is_nowhere_in_the_database(database: Database) -> None:
    secret = a_token(database, "admin", NOW)

    with database.read() as connection:
        rows = connection.execute(text("SELECT * FROM tokens")).all()

    assert len(rows) == 1
    assert secret not in repr(rows)
    assert secret.encode() not in b"".join(
        bytes(value) for value in rows[0] if isinstance(value, bytes | memoryview)
    )


def test_a_name_is_counted_up_and_free_again_once_revoked(database: Database) -> None:
    def added(name: str | None, secret: str) -> str | None:
        new = NewToken(name, "read", digest_of(secret), None)
        with database.write() as connection:
            token = add_token(connection, new, NOW)
        return None if token is None else token.name

    assert added(None, "a") == "read-1"
    assert added(None, "b") == "read-2"
    assert added("read-1", "c") is None
    with database.write() as connection:
        (first,) = find_tokens(connection, "read-1")
        assert revoke_token(connection, first.id, NOW)

    assert added("read-1", "d") == "read-1"
    with database.read() as connection:
        assert [t.state(NOW) for t in find_tokens(connection, "read-1")] == [
            "revoked",
            "valid",
        ]


def test_a_token_is_revoked_once(database: Database) -> None:
    _, token = a_kept_token(database, "read", NOW)

    with database.write() as connection:
        first = revoke_token(connection, token.id, NOW)
        second = revoke_token(connection, token.id, NOW + MINUTE)

    assert (first, second) == (True, False)
    with database.read() as connection:
        assert all_tokens(connection)[0].revoked_at == NOW
    assert not has_valid_token(database, NOW)


def test_the_token_of_a_webhook_lets_nobody_read(database: Database) -> None:
    a_kept_token(database, "webhook:harbor", NOW)
    assert not has_valid_token(database, NOW)

    a_kept_token(database, "metrics", NOW)
    assert has_valid_token(database, NOW)


def test_a_use_is_kept_once_a_minute_whichever_process_notes_it(
    database: Database,
) -> None:
    _, token = a_kept_token(database, "read", NOW)

    def used_at(seconds: int) -> object:
        moment = NOW + timedelta(seconds=seconds)
        with database.write() as connection:
            note_use(connection, token.id, moment, at_most=MINUTE)
        with database.read() as connection:
            return all_tokens(connection)[0].last_used_at

    assert used_at(0) == NOW
    assert used_at(59) == NOW
    assert used_at(60) == NOW + MINUTE
    assert used_at(30) == NOW + MINUTE


def test_acts_are_kept_in_their_order(database: Database) -> None:
    done = [
        Act(NOW, "cli:ann", "token.create", "read-1", "read"),
        Act(NOW, "cli:ann", "token.revoke", "read-1"),
    ]

    with database.write() as connection:
        for act in done:
            note_act(connection, act)

    with database.read() as connection:
        assert acts(connection) == done
