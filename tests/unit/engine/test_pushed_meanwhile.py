"""A push never waits for a long crawl that has its repository."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence, Set
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Concatenate, Final, ParamSpec, TypeVar

import pytest
from sqlalchemy import select

from support.crawling import Yard
from support.database import Engine, a_database
from support.fake_registry import FakeRegistry
from support.images import a_layer, a_served_image
from support.push_world import Pusher, a_push
from support.wait import PATIENCE_S, wait_until
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.limits import MANIFEST_BODY_BYTES
from weighbridge.engine.context.crawl_context import CrawlContext, CrawlOutcome
from weighbridge.engine.context.parts import RESUME_S
from weighbridge.engine.crawl.registry.crawl_job import crawl_claimed
from weighbridge.engine.crawl.repository.transactions import keep_many
from weighbridge.engine.push.push_plan import plan_pushes
from weighbridge.engine.tasks.lease_renewal import Heartbeat
from weighbridge.engine.writer.writer import Writer
from weighbridge.ports.protocols import ManifestAnswer
from weighbridge.store.crawls.due import open_many
from weighbridge.store.leases.claiming import Opening
from weighbridge.store.maintenance.checking.verify import verify
from weighbridge.store.models import repositories
from weighbridge.store.registries.registry_rows import put_registry
from weighbridge.store.registries.repository_rows import put_repositories
from weighbridge.store.session import Connection, Database

# No statement of its own: tests of the store run on both.
pytestmark = [pytest.mark.slow, pytest.mark.long_on("postgresql")]

P = ParamSpec("P")
T = TypeVar("T")
Item = TypeVar("Item")
ONE, TWO, THREE = (
    a_served_image(layers=[a_layer(name, 100)]) for name in ("one", "two", "three")
)
APP = "acme/app"
BATCHES: Final[Set[object]] = {keep_many}


@dataclass
class Slow(FakeRegistry):
    """Knows what `1.0` is, and does not say it for a while.

    held: a tag that is served as late as that
    """

    is_asked: asyncio.Event = field(default_factory=asyncio.Event)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)

    held: str = ""

    async def get_manifest(
        self, repository: str, reference: str, limit_bytes: int = MANIFEST_BODY_BYTES
    ) -> ManifestAnswer:
        if reference == self.held and not self.may_answer.is_set():
            self.is_asked.set()
            await self.may_answer.wait()
        return await FakeRegistry.get_manifest(self, repository, reference)

    async def head_manifest(self, repository: str, reference: str) -> Digest | None:
        found = await FakeRegistry.head_manifest(self, repository, reference)
        if reference == "1.0" and not self.may_answer.is_set():
            self.is_asked.set()
            await self.may_answer.wait()
        return found


class Held(Writer):
    """Reads what was pushed while a batch is under way, and commits that batch once
    somebody wants to write behind it."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.is_looking = asyncio.Event()
        self._is_under_way = asyncio.Event()
        self._is_planned = False
        self._may_commit = threading.Event()

    async def write_many(
        self,
        function: Callable[[Connection, Sequence[Item]], Sequence[T | BaseException]],
        item: Item,
        *,
        lingers: bool = True,
    ) -> T:
        if function not in BATCHES:
            return await super().write_many(function, item, lingers=lingers)
        loop = asyncio.get_running_loop()

        def held(
            connection: Connection, items: Sequence[Item]
        ) -> Sequence[T | BaseException]:
            kept = function(connection, items)
            loop.call_soon_threadsafe(self._is_under_way.set)
            assert self._may_commit.wait(PATIENCE_S)
            return kept

        return await super().write_many(held, item, lingers=lingers)

    async def read(
        self,
        function: Callable[Concatenate[Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        is_plan = function is plan_pushes
        if is_plan:
            self.is_looking.set()
            await self._is_under_way.wait()
        found = await super().read(function, *args, **kwargs)
        self._is_planned |= is_plan
        return found

    async def write(
        self,
        function: Callable[Concatenate[Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        if self._is_planned:
            self._may_commit.set()
        return await super().write(function, *args, **kwargs)


@pytest.fixture
def yard(tmp_path: Path, engine: Engine) -> Iterator[Yard]:
    with a_database(tmp_path, engine) as database:
        yield Yard(database)


@pytest.fixture
def registry() -> Slow:
    registry = Slow()
    for tag in ("1.0", "other"):
        registry.put(APP, tag, ONE)
    return registry


async def crawled(
    context: CrawlContext, beat: Heartbeat, number: int
) -> CrawlOutcome | None:
    opening = Opening(number, context.clock(), 60.0, "me", resume_s=RESUME_S)
    (opened,) = await context.writer.write(open_many, [opening])
    return (
        None
        if opened is None
        else await crawl_claimed(context, beat, opened, lambda: None)
    )


@asynccontextmanager
async def a_long_crawl(
    yard: Yard, registry: Slow, pusher: Pusher
) -> AsyncIterator["asyncio.Task[CrawlOutcome | None]"]:
    """One that hangs at `1.0` until the block ends, or has ended it."""
    with yard.database.read() as connection:
        number = connection.execute(select(repositories.c.id)).scalar_one()
    async with pusher.context() as context:
        beat = Heartbeat(context.writer, context.clock)
        looking = asyncio.create_task(crawled(context, beat, number))
        await registry.is_asked.wait()
        yield looking
        registry.may_answer.set()
        if not looking.cancelled():
            await looking


def has(pusher: Pusher, *expected: str) -> Callable[[], bool]:
    return lambda: pusher.outcomes == list(expected)


async def test_a_push_is_looked_at_while_a_crawl_goes_on(
    yard: Yard, registry: Slow
) -> None:
    await yard.crawl(registry)
    pusher = Pusher(yard, registry)

    async with a_long_crawl(yard, registry, pusher) as looking:
        digest = registry.put(APP, "1.1", TWO)
        pusher.tell(a_push("1.1"))
        await wait_until(lambda: bool(pusher.judged), "the push is looked at")

        assert not looking.done()
        assert pusher.outcomes == ["new"]
        assert yard.tags(APP)["1.1"].digest == digest
        assert [judged.tag for judged in pusher.judged] == ["1.1"]


async def test_what_was_pushed_behind_the_listing_is_not_taken_for_gone(
    yard: Yard, registry: Slow
) -> None:
    await yard.crawl(registry)
    pusher = Pusher(yard, registry)

    async with a_long_crawl(yard, registry, pusher) as looking:
        registry.put(APP, "0.9", TWO)
        pusher.tell(a_push("0.9"))
        await wait_until(has(pusher, "new"), "the push is looked at")

    outcome = looking.result()
    assert outcome is not None
    assert outcome.result.complete
    assert yard.tags(APP)["0.9"].deleted_at is None


async def test_what_a_crawl_heard_before_a_push_does_not_come_back(
    yard: Yard, registry: Slow
) -> None:
    await yard.crawl(registry)
    pusher = Pusher(yard, registry)
    registry.put(APP, "1.0", TWO)

    async with a_long_crawl(yard, registry, pusher):
        digest = registry.put(APP, "1.0", THREE)
        pusher.tell(a_push("1.0"))
        await wait_until(has(pusher, "moved"), "the push is looked at")

    assert yard.tags(APP)["1.0"].digest == digest


async def test_what_a_batch_under_way_keeps_of_a_tag_does_not_outlast_its_push(
    yard: Yard, registry: Slow
) -> None:
    await yard.crawl(registry)
    writer = Held(yard.database)
    pusher = Pusher(yard, registry, lambda _: writer)
    registry.put(APP, "1.0", TWO)

    async with a_long_crawl(yard, registry, pusher):
        digest = registry.put(APP, "1.0", ONE)
        pusher.tell(a_push("1.0"))
        await writer.is_looking.wait()

    assert pusher.outcomes == ["moved"]
    assert yard.tags(APP)["1.0"].digest == digest


async def test_what_was_pushed_into_a_first_crawl_is_there_once(
    yard: Yard, registry: Slow
) -> None:
    registry.held = "1.0"
    pusher = Pusher(yard, registry)
    with yard.database.write() as connection:
        number = put_registry(connection, yard.entry, yard.now)
        put_repositories(connection, number, [APP], yard.now)

    async with a_long_crawl(yard, registry, pusher) as looking:
        # The tag is in the listing too, and is kept by whoever comes first.
        pusher.tell(a_push("other"))
        await wait_until(
            lambda: pusher.outcomes[0] in ("new", "same"), "the push is looked at"
        )

    outcome = looking.result()
    assert outcome is not None
    assert outcome.result.complete
    assert set(yard.tags(APP)) == {"1.0", "other"}
    assert [*verify(yard.database, {}, yard.now, lambda *_: None)] == []


async def test_a_tag_that_is_deleted_meanwhile_does_not_come_back(
    yard: Yard, registry: Slow
) -> None:
    await yard.crawl(registry)
    pusher = Pusher(yard, registry)
    registry.put(APP, "1.0", TWO)

    async with a_long_crawl(yard, registry, pusher):
        del registry.tags_by_repository[APP]["1.0"]
        pusher.tell(a_push("1.0", is_delete=True))
        await wait_until(has(pusher, "deleted"), "the deletion is looked at")

    assert yard.tags(APP)["1.0"].deleted_at is not None


async def test_a_push_that_says_nothing_is_answered_by_a_crawl_that_begins_later(
    yard: Yard, registry: Slow
) -> None:
    await yard.crawl(registry)
    pusher = Pusher(yard, registry)

    pusher.tell(a_push(None, is_delete=True))
    await pusher.handle()
    assert (pusher.outcomes, pusher.whole) == (["..."], [APP])
    async with a_long_crawl(yard, registry, pusher):
        pass

    assert pusher.outcomes == ["looked"]


async def test_a_push_that_says_nothing_is_not_answered_by_a_crawl_under_way(
    yard: Yard, registry: Slow
) -> None:
    await yard.crawl(registry)
    pusher = Pusher(yard, registry)

    async with a_long_crawl(yard, registry, pusher):
        pusher.tell(a_push(None, is_delete=True))
        await wait_until(lambda: pusher.whole == [APP], "a whole crawl is asked for")

    assert pusher.outcomes == ["..."]


async def test_a_push_that_says_nothing_is_not_answered_by_a_crawl_that_is_taken_up(
    yard: Yard, registry: Slow
) -> None:
    await yard.crawl(registry)
    pusher = Pusher(yard, registry)
    digest = registry.put(APP, "other", TWO)

    async with a_long_crawl(yard, registry, pusher) as looking:
        await wait_until(lambda: yard.tags(APP)["other"].digest == digest, "it is kept")
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking
        registry.put(APP, "other", THREE)
        pusher.tell(a_push(None))
        registry.may_answer.set()
        async with a_long_crawl(yard, registry, pusher) as again:
            pass

    outcome = again.result()
    assert outcome is not None
    assert outcome.result.complete
    assert pusher.outcomes == ["..."]


async def test_a_pushed_tag_that_cannot_be_read_keeps_a_repository_partial(
    yard: Yard, registry: Slow
) -> None:
    await yard.crawl(registry)
    pusher = Pusher(yard, registry)

    async with a_long_crawl(yard, registry, pusher) as looking:
        digest = registry.put(APP, "0.9", TWO)
        served = registry.manifests[digest]
        registry.manifests[digest] = type(served)(b"{", served.media_type)
        registry.tags_by_repository[APP]["0.9"] = digest
        pusher.tell(a_push("0.9"))
        await wait_until(lambda: "..." not in pusher.outcomes, "it is looked at")

    outcome = looking.result()
    assert outcome is not None
    assert outcome.result.state == "partial"


async def test_a_whole_crawl_is_not_asked_for_without_an_end(
    yard: Yard, registry: Slow
) -> None:
    await yard.crawl(registry)
    pusher = Pusher(yard, registry)

    pusher.tell(a_push(None, is_delete=True))
    for _ in range(2 * 24 * 60):
        if pusher.outcomes != ["..."]:
            break
        await pusher.handle()
        yard.now += timedelta(minutes=5)

    assert pusher.outcomes == ["needs_crawl"]
    assert len(pusher.whole) < 40
