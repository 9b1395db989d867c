"""A repository that is too large for one process is shared by all that are free."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import select, update

from support.crawler import Crawler
from support.crawling import Yard
from support.database import Engine, a_database
from support.database_dump import assert_same, dump_of
from support.fake_jobs import FakeJobs
from support.fake_registry import FakeRegistry
from support.images import Served, a_layer, an_artifact
from support.push_world import a_push, receive
from support.statements import counted
from support.wait import wait_until
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.limits import MANIFEST_BODY_BYTES
from weighbridge.engine.context.parts import Scope, Site
from weighbridge.errors import AuthError, NotFound, RegistryError
from weighbridge.ports.job_names import CRAWL
from weighbridge.ports.protocols import ManifestAnswer
from weighbridge.store.leases.validity import this_process
from weighbridge.store.ledger.holdings import settle_all
from weighbridge.store.maintenance.checking.verify import verify
from weighbridge.store.models import blobs, crawl_chunks, repositories, tags

pytestmark = pytest.mark.slow

APP = "acme/large"
TAGS = 3_000
ASK_S = 0.05


@dataclass(slots=True)
class Shared(FakeRegistry):
    """One client of a registry: what it asks it does not get at once.

    held: it gets no answer any more before that is set
    after: so many questions are answered before that
    """

    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    after: int | None = None

    async def _wait(self) -> None:
        if self.after is not None and self.asked.total() > self.after:
            await self.may_answer.wait()
        await asyncio.sleep(ASK_S)

    async def get_manifest(
        self, repository: str, reference: str, limit_bytes: int = MANIFEST_BODY_BYTES
    ) -> ManifestAnswer:
        answer = await FakeRegistry.get_manifest(self, repository, reference)
        await self._wait()
        return answer

    async def head_manifest(self, repository: str, reference: str) -> Digest | None:
        answer = await FakeRegistry.head_manifest(self, repository, reference)
        await self._wait()
        return answer

    def client(self) -> "Shared":
        """One more client of the same."""
        return Shared(
            page_length=self.page_length,
            tags_by_repository=self.tags_by_repository,
            manifests=self.manifests,
            blobs=self.blobs,
            lengths=self.lengths,
        )

    @property
    def asked_tags(self) -> Counter[str]:
        """How often each tag was asked for."""
        return Counter(
            {
                reference: count
                for (name, reference), count in self.asked.items()
                if name in ("get_manifest", "head_manifest")
                and reference in self.tags_by_repository[APP]
            }
        )


def filled(tags: int = TAGS) -> Shared:
    registry = Shared(page_length=1_000)
    for number in range(tags):
        registry.put(APP, tag(number), content(number))
    return registry


def tag(number: int) -> str:
    return f"t{number:05}"


@cache
def content(number: int) -> Served:
    """As little as a tag can lead to."""
    return an_artifact(blobs=[a_layer(number, 100 + number % 7)])


@dataclass(slots=True)
class Refused(Shared):
    """A client whose credentials are refused, or whose registry knows of nothing."""

    code: type[RegistryError] = AuthError

    async def get_manifest(
        self, repository: str, reference: str, limit_bytes: int = MANIFEST_BODY_BYTES
    ) -> ManifestAnswer:
        self.asked[("get_manifest", reference)] += 1
        raise self.code("refused")

    async def head_manifest(self, repository: str, reference: str) -> Digest | None:
        self.asked[("head_manifest", reference)] += 1
        raise self.code("refused")


@pytest.fixture
def yard(tmp_path: Path, engine: Engine) -> Iterator[Yard]:
    with a_database(tmp_path, engine) as database:
        yield Yard(database)


@pytest.fixture
def alone(tmp_path: Path, engine: Engine) -> Iterator[Yard]:
    """What one process crawls."""
    folder = tmp_path / "alone"
    folder.mkdir()
    with a_database(folder, engine) as database:
        yield Yard(database)


@asynccontextmanager
async def joining(*crawlers: Crawler) -> AsyncIterator[None]:
    """Processes that look all the time whether there is something to do."""

    async def join() -> None:
        while True:
            for crawler in crawlers:
                crawler.pool.put(CRAWL, "fake")
            await asyncio.sleep(0.02)

    async with AsyncExitStack() as stack:
        for crawler in crawlers:
            await stack.enter_async_context(crawler.running())
        task = asyncio.create_task(join())
        try:
            yield
        finally:
            task.cancel()
            for crawler in crawlers:
                await crawler.is_done()


def assert_whole(yard: Yard) -> None:
    settle_all(yard.database)
    assert [*verify(yard.database, {}, yard.now, lambda *_: None)] == []
    with yard.database.read() as connection:
        assert connection.execute(select(crawl_chunks)).all() == []


async def crawled_alone(alone: Yard, registry: Shared) -> Shared:
    client = registry.client()
    async with alone.crawler(client).running() as crawler:
        await crawler.crawl("fake")
    settle_all(alone.database)
    return client


@pytest.mark.long_on("sqlite")  # the rest of this file has it
async def test_two_processes_share_a_large_repository(yard: Yard, alone: Yard) -> None:
    one = filled()
    two = one.client()

    async with yard.crawler(one).running() as first:
        crawl = asyncio.create_task(first.crawl("fake"))
        await is_shared(yard)
        async with joining(yard.crawler(two)):
            await crawl

    by_one = await crawled_alone(alone, one)
    assert_whole(yard)
    assert_same(dump_of(alone.database), dump_of(yard.database))
    asked = one.asked_tags + two.asked_tags
    assert asked.total() <= 1.01 * TAGS
    assert min(one.asked_tags.total(), two.asked_tags.total()) >= TAGS // 3
    assert by_one.asked_tags.total() == TAGS
    counted = [
        (report.tags_seen, report.tags_new, report.tags_failed, report.requests)
        for report in (yard.crawls(APP)[0], alone.crawls(APP)[0])
    ]
    assert counted[0] == counted[1]


@pytest.mark.long_on("postgresql")  # no statement of its own
@pytest.mark.parametrize("code", [AuthError, NotFound])
async def test_what_is_refused_to_who_takes_part_is_left_to_the_other(
    yard: Yard, code: type[RegistryError]
) -> None:
    one = filled()
    two = Refused(
        page_length=one.page_length, tags_by_repository=one.tags_by_repository
    )
    two.code = code
    async with yard.crawler(one).running() as first:
        crawl = asyncio.create_task(first.crawl("fake"))
        await is_shared(yard)
        async with joining(yard.crawler(two)):
            await crawl

    assert two.asked.total() > 0
    (done,) = yard.crawls(APP)
    assert (done.state, done.tags_failed) == ("ok", 0)
    assert_whole(yard)


@pytest.mark.long_on("postgresql")  # no statement of its own
async def test_whose_configuration_leaves_it_out_takes_no_part(yard: Yard) -> None:
    one = filled()
    two = one.client()
    async with yard.crawler(one).running() as first:
        crawl = asyncio.create_task(first.crawl("fake"))
        await is_shared(yard)
        async with joining(yard.crawler(two, Scope(only=("acme/small",)))):
            await crawl

    assert two.asked.total() == 0
    assert yard.crawls(APP)[0].state == "ok"
    assert_whole(yard)


@pytest.mark.long_on("postgresql")  # the rest of this file has it
async def test_what_two_processes_find_unchanged_is_asked_once(yard: Yard) -> None:
    one = filled()
    async with yard.crawler(one).running() as first:
        await first.crawl("fake")
    two = one.client()
    one.asked.clear()
    yard.now += timedelta(hours=1)
    moved = range(0, TAGS, 100)
    for number in moved:
        one.put(APP, tag(number), content(number + 1))
    del one.tags_by_repository[APP][tag(7)]

    async with yard.crawler(one).running() as first:
        crawl = asyncio.create_task(first.crawl("fake"))
        await is_shared(yard)
        async with joining(yard.crawler(two)):
            await crawl

    assert_whole(yard)
    report = yard.crawls(APP)[0]
    assert (report.tags_seen, report.tags_moved) == (TAGS - 1, len(moved))
    assert (report.tags_deleted, report.state) == (1, "ok")
    assert max((one.asked_tags + two.asked_tags).values()) <= 2  # HEAD, then GET
    assert two.asked_tags.total() >= TAGS // 4


@pytest.mark.parametrize(
    ("has_others", "asked"), [(True, ["fake"]), (False, [])], ids=["others", "alone"]
)
async def test_others_are_told_of_chunks_where_there_are_others(
    yard: Yard, has_others: bool, asked: list[str]
) -> None:
    registry = Shared(name="fake")
    async with yard.crawler(registry).running() as crawler:
        jobs = FakeJobs()
        parts = replace(crawler.parts, jobs=jobs, has_others=has_others)

        parts.context(Site(yard.entry, Scope()), registry).shared()

    assert jobs.of(CRAWL) == asked


@pytest.mark.long_on("postgresql")  # no statement of its own
@pytest.mark.parametrize("tags", [pytest.param(1_000, marks=pytest.mark.long), 1_999])
async def test_what_one_process_has_in_hand_is_not_shared(
    yard: Yard, tags: int
) -> None:
    registry = filled(tags)

    with counted() as statements:
        await yard.crawl(registry)

    assert registry.asked_tags.total() == tags
    assert not [each for each in statements if each.startswith("UPDATE crawl_chunks")]


def digest_of_tag(yard: Yard, name: str) -> Digest | None:
    with yard.database.read() as connection:
        return connection.execute(
            select(blobs.c.digest)
            .join_from(tags, blobs, blobs.c.id == tags.c.target_id)
            .where(tags.c.name == name, tags.c.deleted_at.is_(None))
        ).scalar()


def a_dead_process() -> str:
    """The mark of a process that has the pid of none."""
    where, pid, start = this_process().rsplit(".", 2)
    return f"{where}.{2**22 + int(pid)}.{start}"


def has(yard: Yard, crawler: Crawler) -> bool:
    """Whether it has the repository."""
    with yard.database.read() as connection:
        owner = connection.execute(select(repositories.c.lease_owner)).scalar()
    return owner is not None and owner.startswith(crawler.owner)


def end_lease(yard: Yard, owner: str) -> None:
    """Of the chunks of one process, which does not renew it."""
    with yard.database.write() as connection:
        connection.execute(
            update(crawl_chunks)
            .where(crawl_chunks.c.lease_owner.startswith(owner))
            .values(lease_until=yard.now)
        )


async def is_shared(yard: Yard, owner: str | None = None) -> None:
    """Wait until there are chunks, or one is this process's."""

    def found() -> bool:
        with yard.database.read() as connection:
            rows = connection.execute(
                select(crawl_chunks.c.lease_owner).where(
                    crawl_chunks.c.tags.is_not(None)
                )
            ).all()
        marks = [row.lease_owner or "" for row in rows]
        return any(m.startswith(owner) for m in marks) if owner else bool(marks)

    await wait_until(found, "the repository is shared")


@pytest.mark.long_on("postgresql")  # the rest of this file has it
async def test_a_chunk_of_a_process_that_hangs_is_done_by_another(
    yard: Yard, alone: Yard
) -> None:
    one = filled()
    two = one.client()
    two.after = 150
    hanging = yard.crawler(two)
    hanging.owner = "elsewhere:1.17.99"

    async with yard.crawler(one).running() as first:
        crawl = asyncio.create_task(first.crawl("fake"))
        await is_shared(yard)
        async with joining(hanging):
            await is_shared(yard, "elsewhere:1.17.99")
            await wait_until(lambda: two.asked.total() > 150, "it hangs")
            while not crawl.done():
                end_lease(yard, "elsewhere:1.17.99")
                await asyncio.sleep(0.1)
            await crawl
            settle_all(yard.database)
            before = dump_of(yard.database)
            # It finds that out.
            two.may_answer.set()

    assert_whole(yard)
    assert_same(before, dump_of(yard.database))
    await crawled_alone(alone, one)
    assert_same(dump_of(alone.database), before)


@pytest.mark.long_on("postgresql")  # the rest of this file has it
async def test_a_chunk_of_a_process_that_is_gone_is_done_at_once(
    yard: Yard, alone: Yard
) -> None:
    one = filled()
    two = one.client()
    two.after = 150
    hanging = yard.crawler(two)
    hanging.owner = a_dead_process()

    async with yard.crawler(one).running() as first:
        crawl = asyncio.create_task(first.crawl("fake"))
        await is_shared(yard)
        async with joining(hanging):
            await is_shared(yard, hanging.owner)
            await crawl
            two.may_answer.set()

    assert_whole(yard)
    await crawled_alone(alone, one)
    assert_same(dump_of(alone.database), dump_of(yard.database))


@pytest.mark.long_on("postgresql")  # the rest of this file has it
async def test_who_takes_part_ends_when_whoever_shared_it_was_taken_over(
    yard: Yard, alone: Yard
) -> None:
    one = filled()
    one.after = 2_100  # It hangs, with the repository and its chunks in hand.
    two = one.client()

    async with yard.crawler(one).running() as first:
        crawl = asyncio.create_task(first.crawl("fake"))
        await is_shared(yard)
        await wait_until(lambda: one.asked.total() > 2_100, "it hangs")
        other = yard.crawler(two)
        other.owner = "elsewhere:1.17.99"
        async with joining(other):
            # With its clock the one that hangs might take it over itself.
            while not has(yard, other):
                yard.now += timedelta(minutes=1)
                await asyncio.sleep(0.5)
            await wait_until(lambda: yard.crawls(APP)[0].ended_at is not None, "done")
            settle_all(yard.database)
            before = dump_of(yard.database)
            one.may_answer.set()
            await crawl

    assert_whole(yard)
    assert_same(before, dump_of(yard.database))
    await crawled_alone(alone, one)
    assert_same(dump_of(alone.database), before)


@pytest.mark.long_on("postgresql")  # the rest of this file has it
async def test_what_others_heard_of_a_tag_before_its_push_does_not_come_back(
    yard: Yard,
) -> None:
    one = filled()
    async with yard.crawler(one).running() as first:
        await first.crawl("fake")
    yard.now += timedelta(hours=1)
    two = one.client()
    for number in range(TAGS):
        one.put(APP, tag(number), content(number + TAGS))
    two.after = 20  # All that it has asked since waits, and is what was true before.

    async with yard.crawler(one).running() as first:
        crawl = asyncio.create_task(first.crawl("fake"))
        await is_shared(yard)
        async with joining(yard.crawler(two)):
            await wait_until(lambda: two.asked.total() > 100, "it hangs")
            pushed = sorted(two.asked_tags)[-1]
            digest = one.put(APP, pushed, content(5 * TAGS))
            receive(yard.database, yard.now, a_push(pushed, repository=APP))
            await wait_until(
                lambda: digest_of_tag(yard, pushed) == digest, "the push is looked at"
            )
            assert not crawl.done()
            two.may_answer.set()
            await crawl

    assert_whole(yard)
    assert digest_of_tag(yard, pushed) == digest
