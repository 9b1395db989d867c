"""A crawl that somebody asked for and does not wait for: who does it, and its end."""

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier

import pytest
from msgspec.structs import replace
from sqlalchemy import func, select

from support.crawler import Crawler
from support.crawling import Yard
from support.database import Engine, a_database
from support.fake_jobs import FakeJobs
from support.fake_registry import FakeRegistry
from support.images import a_layer, a_served_image
from support.statements import counted
from support.store_world import an_entry
from weighbridge.domain.limits import Retention
from weighbridge.engine.context.parts import Scope, Site
from weighbridge.engine.crawl_requests.requests import (
    RESUME_S,
    ask,
    handle_requests,
)
from weighbridge.engine.schedule.tick_job import JobToEnqueue, Tick
from weighbridge.engine.tasks.lease_renewal import LEASE_S
from weighbridge.ports.job_names import CRAWL, DISCOVER
from weighbridge.store.crawls.crawl_requests import (
    CrawlRequest,
    find_request,
    note_handled,
    open_requests,
)
from weighbridge.store.maintenance.pruning import prune
from weighbridge.store.models import crawl_requests
from weighbridge.store.session import Database

NAMES = ("acme/app", "acme/web", "acme/db")
ENDED = "UPDATE crawl_requests SET state"


class BrokenJobs(FakeJobs):
    """Takes none."""

    def put(self, job: str, argument: str, *, first: bool = False) -> None:
        raise RuntimeError("no job is taken")


def filled() -> FakeRegistry:
    registry = FakeRegistry(name="fake")
    for name in NAMES:
        registry.put(name, "one", a_served_image(layers=[a_layer(name, 100)]))
    return registry


@pytest.fixture
def yard(tmp_path: Path, engine: Engine) -> Iterator[Yard]:
    with a_database(tmp_path, engine) as database:
        yield Yard(database)


def asked(
    yard: Yard, names: Sequence[str] | None = None, *, site: Site | None = None
) -> CrawlRequest:
    with yard.database.write() as connection:
        return ask(
            connection,
            site or Site(yard.entry, Scope()),
            names,
            measures=True,
            now=yard.now,
        )


def as_it_is(yard: Yard, request: CrawlRequest) -> CrawlRequest:
    with yard.database.read() as connection:
        found = find_request(connection, request.id)
    assert found is not None
    return found


async def requests_handled(crawler: Crawler, times: int = 6) -> None:
    """What ticks do about requests, with time for the work between them."""
    for _ in range(times):
        await handle_requests(crawler.parts)
        await crawler.is_done()


async def test_a_registry_is_crawled_and_measured_by_whoever_is_there(
    yard: Yard,
) -> None:
    request = asked(yard)

    async with yard.crawler(filled()).running() as crawler:
        await requests_handled(crawler)

    found = as_it_is(yard, request)
    assert (found.state, found.known, found.reason) == ("done", 3, "")
    assert found.counts is not None
    assert (found.counts.complete, found.counts.tags) == (3, 3)
    assert found.counts.requests > 0
    assert found.ended_at == yard.now


async def test_a_repository_alone_is_crawled(yard: Yard) -> None:
    registry = filled()
    request = asked(yard, ["acme/web"])

    async with yard.crawler(registry).running() as crawler:
        await requests_handled(crawler)

    found = as_it_is(yard, request)
    assert found.counts is not None
    assert (found.state, found.counts.complete) == ("done", 1)
    assert registry.count("repositories") == 0


async def test_what_is_no_longer_to_be_crawled_fails_and_hangs_nowhere(
    yard: Yard,
) -> None:
    request = asked(yard, ["acme/web"])
    scope = Scope(wants_repository=lambda name: name != "acme/web")

    async with yard.crawler(filled(), scope).running() as crawler:
        await requests_handled(crawler)

    found = as_it_is(yard, request)
    assert (found.state, found.reason) == ("failed", "outside_filter")


def test_a_request_of_the_same_while_one_is_open_is_that_one(yard: Yard) -> None:
    first, again = asked(yard), asked(yard)
    other = asked(yard, ["acme/web"])

    assert (first.id, first.is_joined) == (again.id, False)
    assert again.is_joined
    assert other.id != first.id


def test_the_same_asked_for_by_many_in_one_moment_is_one_request(yard: Yard) -> None:
    together = Barrier(4)

    def ask_at_once(_: int) -> int:
        together.wait()
        return asked(yard).id

    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(ask_at_once, range(4)))

    assert len(found) == 1


def tick(yard: Yard, *sites: Site) -> list[JobToEnqueue]:
    return Tick(sites, yard.database, lambda: yard.now).run()


def test_a_request_of_a_registry_that_nobody_crawls_is_given_up_in_the_end(
    yard: Yard,
) -> None:
    request = asked(yard)
    yard.now += timedelta(seconds=RESUME_S)
    tick(yard)
    before = as_it_is(yard, request)
    yard.now += timedelta(seconds=1)
    tick(yard)

    assert before.ended_at is None
    found = as_it_is(yard, request)
    assert (found.state, found.reason) == ("interrupted", "nobody_crawls")
    assert found.ended_at == yard.now


def test_a_request_that_somebody_sees_to_takes_as_long_as_it_takes(yard: Yard) -> None:
    request = asked(yard)
    for _ in range(5):
        yard.now += timedelta(seconds=RESUME_S - 1)
        with yard.database.write() as connection:
            note_handled(connection, request, yard.now, LEASE_S)
        tick(yard)

    assert as_it_is(yard, request).ended_at is None


async def test_whoever_looks_after_a_request_says_so(yard: Yard) -> None:
    request = asked(yard, ["acme/web"])
    other = asked(yard, site=Site(an_entry("elsewhere"), Scope()))
    async with yard.crawler(filled()).running() as crawler:
        crawler.parts = replace(crawler.parts, jobs=FakeJobs())
        await handle_requests(crawler.parts)
    yard.now += timedelta(seconds=RESUME_S + 1)

    tick(yard)

    assert as_it_is(yard, request).ended_at is None
    assert as_it_is(yard, other).state == "interrupted"


async def test_a_request_is_handled_once_at_a_time_in_a_process(
    yard: Yard,
) -> None:
    request = asked(yard, ["acme/web"])
    async with yard.crawler(filled()).running() as crawler:
        await handle_requests(crawler.parts)
        crawler.parts.handling.add(request.id)
        await crawler.is_done()
        before = as_it_is(yard, request)
        crawler.parts.handling.clear()

        with counted() as statements:
            await asyncio.gather(*(handle_requests(crawler.parts) for _ in range(3)))

    written = [each for each in statements if each.startswith(ENDED)]
    assert before.state == "crawling"  # The tick of this process left it alone.
    assert len(written) == 1


async def test_a_request_that_could_not_be_handled_is_no_longer_in_hand(
    yard: Yard,
) -> None:
    request = asked(yard, ["acme/web"])
    async with yard.crawler(filled()).running() as crawler:
        jobs = FakeJobs()
        broken = replace(crawler.parts, jobs=BrokenJobs())
        with pytest.raises(RuntimeError, match="no job"):
            await handle_requests(broken)
        await handle_requests(replace(broken, jobs=jobs))

    assert request.id not in broken.handling
    assert jobs.of(CRAWL) == ["fake/acme/web"]


def test_the_tick_has_the_registry_listed_that_was_asked_for(yard: Yard) -> None:
    site = Site(yard.entry, Scope())
    asked(yard)

    assert JobToEnqueue(DISCOVER, yard.entry.name) in tick(yard, site)


def rows(database: Database) -> int:
    with database.read() as connection:
        count: int = connection.execute(
            select(func.count()).select_from(crawl_requests)
        ).scalar_one()
    return count


async def test_requests_go_when_the_history_of_crawls_does_and_open_ones_stay(
    yard: Yard,
) -> None:
    asked(yard, ["acme/web"])
    async with yard.crawler(filled()).running() as crawler:
        await requests_handled(crawler)
    still_open = asked(yard)
    keep = Retention(timedelta(days=30), None)

    yard.now += timedelta(days=30)
    prune(yard.database, keep, yard.now)
    kept = rows(yard.database)
    yard.now += timedelta(seconds=1)
    prune(yard.database, keep, yard.now)

    assert (kept, rows(yard.database)) == (2, 1)
    with yard.database.read() as connection:
        assert [one.id for one in open_requests(connection)] == [still_open.id]
