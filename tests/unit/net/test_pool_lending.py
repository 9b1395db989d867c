"""Which connection a pool lends, and when it lends none."""

import asyncio
import os
from collections.abc import Iterator

import httpx
import pytest

from support.wait import wait_until
from weighbridge.net.connection.connect import Connection
from weighbridge.net.connections import Pool, PoolRules
from weighbridge.net.failure.request_failures import (
    BadAnswer,
    CutOff,
    KeptConnectionClosed,
)
from weighbridge.net.http1.answer import AnswerReader

_WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


class _Wire(asyncio.Transport):
    """Takes what is written, and remembers being closed."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def abort(self) -> None:
        self.aborted = True

    def is_closing(self) -> bool:
        return self.aborted


class _Bench:
    """A pool with connections whose other end is a pipe that the test holds."""

    def __init__(self, rules: PoolRules) -> None:
        self.desyncs = 0
        self.pool = Pool(rules, self._count)
        self.pipes: list[int] = []
        self.wires: dict[Connection, _Wire] = {}

    def _count(self) -> None:
        self.desyncs += 1

    def connection(self) -> Connection:
        """A fresh connection of the pool."""
        pipe = os.pipe()
        self.pipes += pipe
        made = Connection(pipe[0], self.pool.forget, self.pool.distrust)
        wire = _Wire()
        made.connection_made(wire)
        self.pool.connections.add(made)
        self.wires[made] = wire
        return made

    def kept(self, now: float) -> Connection:
        """A connection that the pool has taken back."""
        made = self.connection()
        self.pool.keep(made, now)
        return made

    def closed(self, connection: Connection) -> bool:
        """Whether we ended it."""
        return self.wires[connection].aborted


@pytest.fixture
def bench() -> Iterator[_Bench]:
    """Rests 1 s and keeps 30 s."""
    made = _Bench(PoolRules(connections=4, keepalive_s=30.0, rest_s=1.0))
    yield made
    for descriptor in made.pipes:
        os.close(descriptor)


def _reader() -> AnswerReader:
    return AnswerReader("GET", 100)


async def test_the_connection_that_was_idle_longest_is_lent_first(
    bench: _Bench,
) -> None:
    first, second = bench.kept(100.0), bench.kept(101.0)

    assert bench.pool.lend(110.0) is first
    assert bench.pool.lend(110.0) is second
    assert bench.pool.lend(110.0) is None


async def test_a_connection_rests_while_another_may_be_opened(bench: _Bench) -> None:
    bench.pool.in_flight = 1
    resting = bench.kept(100.0)

    assert bench.pool.lend(100.9) is None
    assert bench.pool.lend(101.0) is resting


async def test_rest_ends_early_with_twice_as_many_connections_as_requests(
    bench: _Bench,
) -> None:
    bench.pool.in_flight = 1
    resting = bench.kept(100.0)
    bench.kept(100.0)

    assert bench.pool.lend(100.1) is resting


async def test_a_connection_that_was_idle_too_long_is_closed(bench: _Bench) -> None:
    stale = bench.kept(100.0)

    assert bench.pool.lend(130.1) is None
    assert bench.closed(stale)


async def test_a_connection_with_something_to_read_is_closed_instead_of_lent(
    bench: _Bench,
) -> None:
    noisy = bench.kept(100.0)
    os.write(bench.pipes[1], b"unasked")

    assert bench.pool.lend(110.0) is None
    assert bench.closed(noisy)


async def test_bytes_while_idle_close_every_kept_connection(bench: _Bench) -> None:
    first, second = bench.kept(100.0), bench.kept(100.0)

    first.data_received(b"HTTP/1.1 200 OK\r\n")

    assert bench.closed(first)
    assert bench.closed(second)
    assert bench.desyncs == 1


async def test_a_busy_connection_ends_its_answer_and_is_not_kept_after_a_desync(
    bench: _Bench,
) -> None:
    busy, idle = bench.connection(), bench.kept(100.0)
    answer = busy.ask(b"request", _reader())

    idle.data_received(b"unasked")
    busy.data_received(_WHOLE)
    bench.pool.keep(busy, asyncio.get_running_loop().time() + 3_600.0)

    assert answer.result().body == b"hi"
    assert bench.closed(busy)


async def test_for_a_minute_after_a_desync_no_connection_is_kept(bench: _Bench) -> None:
    bench.connection().data_received(b"unasked")
    now = asyncio.get_running_loop().time()
    early, late = bench.connection(), bench.connection()

    bench.pool.keep(early, now + 59.0)
    bench.pool.keep(late, now + 61.0)

    assert bench.closed(early)
    assert bench.pool.lend(now + 63.0) is late


async def test_an_unreadable_answer_is_a_desync_and_an_encoded_one_is_not(
    bench: _Bench,
) -> None:
    garbled, encoded = bench.connection(), bench.connection()
    answers = [garbled.ask(b"", _reader()), encoded.ask(b"", _reader())]

    encoded.data_received(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n")
    after_encoded = bench.desyncs
    garbled.data_received(b"SSH-2.0-server\r\n")

    assert after_encoded == 0
    assert bench.desyncs == 1
    failures = [answer.exception() for answer in answers]
    assert all(isinstance(failure, httpx.RequestError) for failure in failures)


async def test_a_kept_connection_that_ends_unanswered_says_that_it_may_be_repeated(
    bench: _Bench,
) -> None:
    fresh, kept = bench.connection(), bench.connection()
    kept.ask(b"one", _reader())
    kept.data_received(_WHOLE)
    repeatable = kept.ask(b"two", _reader())
    first = fresh.ask(b"one", _reader())

    kept.connection_lost(None)
    fresh.connection_lost(None)

    assert isinstance(repeatable.exception(), KeptConnectionClosed)
    assert type(first.exception()) is CutOff


async def test_an_error_of_the_reader_never_leaves_the_connection(
    bench: _Bench,
) -> None:
    class _Broken(AnswerReader):
        def feed(self, data: bytes) -> None:
            raise ZeroDivisionError

    connection = bench.connection()
    answer = connection.ask(b"", _Broken("GET", 1))

    connection.data_received(b"anything")

    failure = answer.exception()
    assert isinstance(failure, BadAnswer)
    assert isinstance(failure.__cause__, ZeroDivisionError)
    assert bench.closed(connection)


async def test_a_reset_inside_a_body_without_a_length_is_no_answer(
    bench: _Bench,
) -> None:
    connection = bench.connection()
    answer = connection.ask(b"", _reader())
    connection.data_received(b"HTTP/1.1 200 OK\r\n\r\nhalf")

    connection.connection_lost(ConnectionResetError("reset by peer"))

    assert isinstance(answer.exception(), CutOff)


async def test_a_lost_connection_is_forgotten(bench: _Bench) -> None:
    kept = bench.kept(100.0)

    kept.connection_lost(None)

    assert bench.pool.connections == set()
    assert bench.pool.unused(100.0)


async def test_an_answer_that_is_late_fails_and_closes_its_connection(
    bench: _Bench,
) -> None:
    connection = bench.connection()
    now = asyncio.get_running_loop().time()

    answer = connection.ask(b"", _reader(), ends_at=now + 0.01)

    with pytest.raises(httpx.ReadTimeout):
        await answer
    assert bench.closed(connection)


async def test_the_alarm_of_an_earlier_request_does_not_end_a_later_one(
    bench: _Bench,
) -> None:
    connection = bench.connection()
    now = asyncio.get_running_loop().time()
    connection.ask(b"one", _reader(), ends_at=now + 0.01)
    connection.data_received(_WHOLE)

    answer = connection.ask(b"two", _reader(), ends_at=now + 0.05)
    with pytest.raises(httpx.ReadTimeout):
        await answer

    assert asyncio.get_running_loop().time() >= now + 0.05


async def test_a_request_with_less_time_than_the_one_before_has_its_own_alarm(
    bench: _Bench,
) -> None:
    connection = bench.connection()
    now = asyncio.get_running_loop().time()
    connection.ask(b"one", _reader(), ends_at=now + 60.0)
    connection.data_received(_WHOLE)

    answer = connection.ask(b"two", _reader(), ends_at=now + 0.01)

    with pytest.raises(httpx.ReadTimeout):
        await answer
    assert asyncio.get_running_loop().time() < now + 5.0


async def test_an_idle_connection_outlives_the_alarm_of_its_last_request(
    bench: _Bench,
) -> None:
    connection = bench.connection()
    now = asyncio.get_running_loop().time()
    connection.ask(b"one", _reader(), ends_at=now + 0.01)
    connection.data_received(_WHOLE)
    later = connection.ask(b"two", _reader(), ends_at=now + 0.02)
    connection.data_received(_WHOLE)

    await wait_until(
        lambda: asyncio.get_running_loop().time() > now + 0.03, "the alarms went off"
    )

    assert later.result().body == b"hi"
    assert connection.open
