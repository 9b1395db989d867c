"""The tokens that are kept in memory: how long, and what they cost the database."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from starlette.testclient import TestClient

from support.read_model import NOW
from support.tokens import a_kept_token, a_token
from support.wait import wait_in_thread
from support.web_app import create_app
from weighbridge.domain.access.roles import new_secret
from weighbridge.errors import StoreError
from weighbridge.store.access import all_tokens, revoke_token
from weighbridge.store.session import Connection, Database
from weighbridge.telemetry import Telemetry
from weighbridge.web.options import WebOptions
from weighbridge.web.request.access import KEPT_S, UNANSWERED_S, KnownTokens


class Counted(Database):
    """Counts what is asked of a database, and may stop answering."""

    def __init__(self, database: Database) -> None:
        self._inner = database
        self.reads = 0
        self.writes = 0
        self.is_away = False
        self._answers = threading.Event()
        self._answers.set()

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """What is asked within the block is answered at its end."""
        self._answers.clear()
        try:
            yield
        finally:
            self._answers.set()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        self.reads += 1
        self._answer()
        with self._inner.read() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        self.writes += 1
        self._answer()
        with self._inner.write() as connection:
            yield connection

    def _answer(self) -> None:
        self._answers.wait()
        if self.is_away:
            raise StoreError("away", code="database_unavailable")


class Time:
    """Both clocks, moved together by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.seconds)

    def clock(self) -> float:
        return self.seconds


@pytest.fixture
def counted(database: Database) -> Counted:
    return Counted(database)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def known(counted: Counted, time: Time) -> KnownTokens:
    return KnownTokens(counted, time.now, time.clock)


def role_of(known: KnownTokens, text: str) -> str | None:
    """As a request asks."""
    if known.is_due:
        known.refresh()
    token = known.find(text)
    return None if token is None else token.role


def test_a_valid_token_is_found_and_no_other(
    known: KnownTokens, database: Database
) -> None:
    read = a_token(database, "read", NOW)
    admin = a_token(database, "admin", NOW)

    assert role_of(known, read) == "read"
    assert role_of(known, admin) == "admin"
    for text in (
        "",
        read[:-1],
        read.swapcase(),
        new_secret("read", bytes(32)).reveal(),
    ):
        assert role_of(known, text) is None


def test_a_thousand_requests_cost_one_query(
    known: KnownTokens, counted: Counted, database: Database
) -> None:
    read = a_token(database, "read", NOW)
    guess = new_secret("read", bytes(32)).reveal()

    for _ in range(500):
        role_of(known, read)
        role_of(known, guess)

    assert (counted.reads, counted.writes) == (1, 0)


def test_a_revoked_token_is_refused_within_five_seconds(
    known: KnownTokens, database: Database, time: Time
) -> None:
    text, token = a_kept_token(database, "read", NOW)
    assert role_of(known, text) == "read"

    with database.write() as connection:
        revoke_token(connection, token.id, NOW)
    time.seconds = KEPT_S

    assert KEPT_S == 5
    assert role_of(known, text) is None


def test_a_token_expires_at_its_moment_however_long_it_is_kept(
    known: KnownTokens, database: Database, time: Time
) -> None:
    text = a_token(database, "read", NOW, expires_in=timedelta(seconds=2))

    assert role_of(known, text) == "read"
    time.seconds = 2
    assert not known.is_due
    assert role_of(known, text) is None


def test_known_tokens_are_taken_for_a_while_when_the_database_is_away(
    known: KnownTokens, counted: Counted, database: Database, time: Time
) -> None:
    text = a_token(database, "metrics", NOW)
    assert role_of(known, text) == "metrics"
    counted.is_away = True

    time.seconds = UNANSWERED_S - 1
    assert role_of(known, text) == "metrics"
    time.seconds = UNANSWERED_S
    with pytest.raises(StoreError):
        role_of(known, text)

    counted.is_away = False
    time.seconds += KEPT_S
    assert role_of(known, text) == "metrics"


def test_a_database_that_is_away_is_not_asked_by_every_request(
    known: KnownTokens, counted: Counted, database: Database, time: Time
) -> None:
    text = a_token(database, "metrics", NOW)
    role_of(known, text)
    counted.is_away = True
    time.seconds = KEPT_S

    for _ in range(100):
        assert role_of(known, text) == "metrics"

    assert counted.reads == 2


def test_a_database_that_hangs_holds_no_request_while_tokens_are_known(
    known: KnownTokens, counted: Counted, database: Database, time: Time
) -> None:
    text = a_token(database, "metrics", NOW)
    role_of(known, text)
    time.seconds = KEPT_S

    with counted.hanging():
        stop = threading.Event()
        thread = threading.Thread(target=known.watch, args=(stop, 0.001))
        thread.start()
        wait_in_thread(lambda: counted.reads == 2, "it hangs")
        known.refresh()  # would wait for the other thread's answer
        is_due, found = known.is_due, known.find(text)
        stop.set()
    thread.join()

    assert not is_due
    assert found is not None
    assert counted.reads == 2


def test_nobody_is_let_in_before_the_database_has_answered(
    known: KnownTokens, counted: Counted
) -> None:
    counted.is_away = True

    with pytest.raises(StoreError):
        role_of(known, new_secret("admin", bytes(32)).reveal())


@pytest.mark.slow
def test_a_database_that_hangs_does_not_keep_the_service_from_ending(
    counted: Counted,
) -> None:
    app = create_app(counted, Telemetry(), WebOptions())
    ended = threading.Event()

    def serve() -> None:
        with TestClient(app):
            wait_in_thread(lambda: counted.reads > 0, "tokens are read")
        ended.set()

    thread = threading.Thread(target=serve)
    with counted.hanging():
        thread.start()
        has_ended = ended.wait(10)
    thread.join()

    assert has_ended


def test_uses_are_kept_at_most_once_a_minute(
    known: KnownTokens, counted: Counted, database: Database, time: Time
) -> None:
    text = a_token(database, "read", NOW)

    def used_at() -> datetime | None:
        role_of(known, text)
        known.note_uses()
        with database.read() as connection:
            return all_tokens(connection)[0].last_used_at

    assert used_at() == NOW
    time.seconds = 59
    assert used_at() == NOW
    assert counted.writes == 1
    time.seconds = 60
    assert used_at() == NOW + timedelta(seconds=60)
    assert counted.writes == 2


def test_a_use_that_cannot_be_kept_is_kept_later(
    known: KnownTokens, counted: Counted, database: Database
) -> None:
    text = a_token(database, "read", NOW)
    role_of(known, text)

    counted.is_away = True
    known.note_uses()
    counted.is_away = False
    known.note_uses()

    with database.read() as connection:
        assert all_tokens(connection)[0].last_used_at == NOW


def test_while_it_watches_a_request_reads_nothing(
    known: KnownTokens, counted: Counted, database: Database, time: Time
) -> None:
    text, _ = a_kept_token(database, "read", NOW)
    stop = threading.Event()
    thread = threading.Thread(target=known.watch, args=(stop, 0.001))
    thread.start()
    try:
        wait_in_thread(lambda: not known.is_due, "the tokens are read")
        found = known.find(text)
    finally:
        stop.set()
        thread.join()

    assert found is not None
    with database.read() as connection:
        # Noted at the end, whatever was noted before.
        assert all_tokens(connection)[0].last_used_at == NOW
    assert counted.writes == 1
