"""When a sender is answered: once its push is committed, or that it cannot be."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import func, select

from support.database import a_database
from support.fake_jobs import FakeJobs
from support.read_model import NOW
from support.wait import PATIENCE_S, wait_until
from support.webhooks import a_hook, a_service
from weighbridge.domain.webhook.webhook_source import PushSeen
from weighbridge.errors import StoreError
from weighbridge.ports.job_names import PUSH
from weighbridge.store.models import pushes
from weighbridge.store.pushes.inbox import ReceivedPush
from weighbridge.store.session import Connection, Database
from weighbridge.web.request.answers import Refusal
from weighbridge.web.webhooks import inbox as inboxes
from weighbridge.web.webhooks.inbox import ANSWER_S, Inbox


class Sluggish(Database):
    """A database whose writers wait for the test.

    writing: how many transactions have begun; fault: what they end with
    """

    def __init__(self, database: Database) -> None:
        self._inner = database
        self.may_go_on = threading.Event()
        self.writing = 0
        self.fault: Exception | None = None

    @contextmanager
    def write(self) -> Iterator[Connection]:
        self.writing += 1
        assert self.may_go_on.wait(60)
        if self.fault is not None:
            raise self.fault
        with self._inner.write() as connection:
            yield connection


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Sluggish]:
    with a_database(tmp_path) as opened:
        yield Sluggish(opened)


@pytest.fixture
def jobs() -> FakeJobs:
    return FakeJobs()


@pytest.fixture
def inbox(database: Sluggish, jobs: FakeJobs) -> Iterator[Inbox]:
    made = Inbox(database, jobs, lambda: NOW, PATIENCE_S)
    yield made
    database.may_go_on.set()
    made.close()


def received(*events: str, repository: str = "shop/api") -> list[ReceivedPush]:
    return [
        ReceivedPush(
            "local", "distribution", PushSeen(repository, "1", None, False, None, event)
        )
        for event in events
    ]


def count(database: Sluggish) -> int:
    with database._inner.read() as connection:
        found: int = connection.execute(
            select(func.count()).select_from(pushes)
        ).scalar_one()
    return found


async def test_nobody_is_answered_before_the_commit(
    inbox: Inbox, database: Sluggish, jobs: FakeJobs
) -> None:
    keeping = asyncio.create_task(inbox.keep(received("a")))
    await wait_until(lambda: database.writing == 1, "the transaction begins")

    assert not keeping.done()
    assert (count(database), jobs.asked) == (0, [])
    database.may_go_on.set()
    assert await keeping == [True]
    assert count(database) == 1


async def test_what_comes_meanwhile_is_one_transaction(
    inbox: Inbox, database: Sluggish, jobs: FakeJobs
) -> None:
    first = asyncio.create_task(inbox.keep(received("first")))
    await wait_until(lambda: database.writing == 1, "the transaction begins")
    others = [asyncio.create_task(inbox.keep(received(str(n)))) for n in range(100)]
    others.append(asyncio.create_task(inbox.keep(received("7", "x"))))
    await asyncio.sleep(0)
    database.may_go_on.set()

    answers: Sequence[Sequence[bool]] = await asyncio.gather(first, *others)

    assert database.writing == 2
    assert answers[:-1] == [[True]] * 101
    assert answers[-1] == [False, True]
    await wait_until(lambda: len(jobs.asked) == 2, "one look a transaction")
    assert jobs.asked == [(PUSH, "local/shop/api")] * 2


async def test_nobody_is_asked_to_look_at_what_is_not_new(
    inbox: Inbox, database: Sluggish, jobs: FakeJobs
) -> None:
    database.may_go_on.set()
    await inbox.keep(received("a", repository="shop/api"))
    await inbox.keep(received("a", repository="shop/api"))
    await inbox.keep(received("b", repository="shop/web"))
    await wait_until(lambda: len(jobs.asked) == 2, "both repositories")

    assert jobs.of(PUSH) == ["local/shop/api", "local/shop/web"]


async def test_above_so_many_that_wait_the_others_are_sent_away(
    inbox: Inbox, database: Sluggish
) -> None:
    first = asyncio.create_task(inbox.keep(received("first")))
    await wait_until(lambda: database.writing == 1, "the transaction begins")
    most = received(*map(str, range(inboxes.WAITING)))
    waiting = asyncio.create_task(inbox.keep(most))
    await asyncio.sleep(0)

    with pytest.raises(Refusal) as caught:
        await inbox.keep(received("late"))
    database.may_go_on.set()

    assert (caught.value.status, caught.value.code) == (503, "overload")
    assert await first == [True]
    assert await waiting == [True] * inboxes.WAITING


async def test_a_body_of_more_than_that_is_taken_where_nothing_waits(
    inbox: Inbox, database: Sluggish
) -> None:
    database.may_go_on.set()

    kept = await inbox.keep(received(*map(str, range(inboxes.WAITING + 1))))

    assert len(kept) == inboxes.WAITING + 1


async def test_a_database_that_refuses_is_told(
    inbox: Inbox, database: Sluggish, jobs: FakeJobs
) -> None:
    database.fault = StoreError("locked", code="database_busy", retryable=True)
    database.may_go_on.set()

    with pytest.raises(StoreError) as caught:
        await inbox.keep(received("a"))
    database.fault = None

    assert caught.value.code == "database_busy"
    assert await inbox.keep(received("a")) == [True]
    assert jobs.of(PUSH) == ["local/shop/api"]


async def test_a_fault_of_ours_costs_one_batch(
    inbox: Inbox, database: Sluggish
) -> None:
    database.fault = ZeroDivisionError()
    database.may_go_on.set()

    with pytest.raises(StoreError):
        await inbox.keep(received("a"))
    database.fault = None

    assert await inbox.keep(received("b")) == [True]


async def test_who_cannot_be_asked_to_look_costs_nothing_that_is_kept(
    database: Sluggish,
) -> None:
    class Broken(FakeJobs):
        def put(self, job: str, argument: str, *, first: bool = False) -> None:
            raise ZeroDivisionError

    inbox = Inbox(database, Broken(), lambda: NOW, PATIENCE_S)
    database.may_go_on.set()

    found = [await inbox.keep(received(event)) for event in ("a", "b")]

    assert found == [[True], [True]]
    inbox.close()


async def test_nobody_waits_longer_than_two_seconds_and_late_ones_not_at_all(
    database: Sluggish, jobs: FakeJobs
) -> None:
    inbox = Inbox(database, jobs, lambda: NOW)
    loop = asyncio.get_running_loop()
    took_s, codes = [], []

    for event in "abcd":
        began = loop.time()
        with pytest.raises(StoreError) as caught:
            await inbox.keep(received(event))
        took_s.append(loop.time() - began)
        codes.append(caught.value.code)

    assert set(codes) == {"database_busy"}
    assert ANSWER_S == 2
    # A machine that stands still makes one of them slow, not each.
    assert min(took_s[1:]) < 0.1
    # It was not said to be kept; that it is all the same does no harm.
    database.may_go_on.set()
    await wait_until(lambda: count(database) == 1, "what waited is kept")
    inbox.close()


async def test_what_waits_is_kept_when_it_ends(
    inbox: Inbox, database: Sluggish
) -> None:
    keeping = asyncio.create_task(inbox.keep(received("a")))
    await wait_until(lambda: database.writing == 1, "the transaction begins")
    closing = asyncio.create_task(asyncio.to_thread(inbox.close))
    database.may_go_on.set()
    await closing

    assert await keeping == [True]
    with pytest.raises(Refusal):
        await inbox.keep(received("b"))


def test_a_busy_database_is_503_with_retry_after(database: Sluggish) -> None:
    database.fault = StoreError("locked", code="database_busy", retryable=True)
    database.may_go_on.set()
    service = a_service(database, [a_hook()])

    answer = service.post()

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "2"
    assert answer.json()["error"]["code"] == "database_busy"
    assert service.rejections() == {"unavailable": 1}
