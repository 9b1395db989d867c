"""Repositories that are crawled side by side come out as each does alone."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Concatenate, Final, ParamSpec, TypeVar, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import func, select

from support.contexts import a_context
from support.court import DEFAULTS
from support.database import Engine, a_database
from support.database_dump import assert_same, dump_of
from support.fake_registry import FakeRegistry
from support.images import (
    Served,
    ServedImage,
    a_layer,
    a_served_image,
    an_artifact,
    an_attestation,
    an_index,
)
from support.statements import counted
from support.store_world import T0, an_entry
from support.wait import wait_until
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.policy.policy import PolicySet
from weighbridge.engine.context.crawl_context import (
    CrawlContext,
    CrawlOutcome,
    InFlightLimiter,
)
from weighbridge.engine.crawl.registry.crawl_job import crawl_claimed
from weighbridge.engine.crawl.repository.transactions import CrawlEnd, finish_many
from weighbridge.engine.judge.judged_batch import Judging
from weighbridge.engine.measure.many_layers import MEASURED_WITHIN, sum_up
from weighbridge.engine.tasks.lease_renewal import Heartbeat
from weighbridge.engine.writer.writer import Writer
from weighbridge.errors import StaleFence, StoreError
from weighbridge.ports.protocols import ManifestAnswer
from weighbridge.store.crawls.due import Opened, open_many
from weighbridge.store.leases.claiming import Claim, Opening, claim, give_up
from weighbridge.store.leases.jobs import Job, claim_job, due_jobs, end_job
from weighbridge.store.ledger.holdings import settle_all
from weighbridge.store.maintenance.checking.verify import verify
from weighbridge.store.models import crawls, repositories
from weighbridge.store.registries.registry_rows import put_registry
from weighbridge.store.registries.repository_rows import put_repositories
from weighbridge.store.session import Connection, Database
from weighbridge.store.sizes.manifest_sizes import Swept, sweep_manifests
from weighbridge.store.sizes.unmeasured import LiveManifest
from weighbridge.store.tags.applying import Move

P = ParamSpec("P")
T = TypeVar("T")
Item = TypeVar("Item")
IMAGES: Final = [a_served_image(layers=[a_layer(n, 100 + n)]) for n in range(6)]
SHARED: Final = a_layer("shared", 5_000)
ALIKE: Final = [
    a_served_image(layers=[SHARED, a_layer(f"own {n}", 70 + n)]) for n in range(3)
]
ATTESTED: Final = an_index([IMAGES[0].manifest, an_attestation()])
HALF: Final = an_index([IMAGES[1].manifest, IMAGES[2].manifest])
ODD: Final = an_artifact()
BROKEN: Final = Served(b"{", IMAGES[0].manifest.media_type)
SERVED: Final[Sequence[ServedImage | Served]] = (
    *IMAGES,
    *ALIKE,
    ATTESTED,
    HALF,
    ODD,
    BROKEN,
)


@dataclass
class Stage:
    """A registry, and a database that knows its repositories' names."""

    database: Database
    registry: FakeRegistry = field(default_factory=FakeRegistry)
    now: float = 0
    judging: Judging = field(default_factory=lambda: Judging(PolicySet(DEFAULTS)))

    def open(self, names: Sequence[str]) -> list[Opened]:
        at = T0 + timedelta(hours=self.now)
        with self.database.write() as connection:
            number = put_registry(connection, an_entry("fake"), at)
            ids = put_repositories(connection, number, names, at)
            found = open_many(
                connection, [Opening(ids[name], at, 60.0, name) for name in names]
            )
        return [one for one in found if one is not None]

    @asynccontextmanager
    async def context(
        self, writer: Callable[[Database], Writer] = Writer
    ) -> AsyncIterator[CrawlContext]:
        made = writer(self.database)
        try:
            yield a_context(
                self.registry,
                made,
                lambda: T0 + timedelta(hours=self.now),
                lambda: self.judging,
            )
        finally:
            made.close()

    async def crawl(
        self, names: Sequence[str], *, at_once: int
    ) -> list[CrawlOutcome | BaseException]:
        outcomes: list[CrawlOutcome | BaseException] = []
        async with self.context() as context:
            for start in range(0, len(names), at_once):
                outcomes += await crawled(
                    context, self.open(names[start : start + at_once])
                )
        settle_all(self.database)
        self.now += 1
        return outcomes

    @property
    def states(self) -> dict[str, str]:
        with self.database.read() as connection:
            rows = connection.execute(
                select(repositories.c.name, repositories.c.state)
            ).all()
        return {row.name: row.state for row in rows}

    def differences(self) -> list[object]:
        found = verify(self.database, {}, T0, lambda *_: None)
        return list(found)


async def crawled(
    context: CrawlContext, opened: Sequence[Opened]
) -> list[CrawlOutcome | BaseException]:
    heartbeat = Heartbeat(context.writer, context.clock)
    return list(
        await asyncio.gather(
            *(crawl_claimed(context, heartbeat, one, lambda: None) for one in opened),
            return_exceptions=True,
        )
    )


def fill(registry: FakeRegistry, content: Mapping[str, Mapping[str, int]]) -> None:
    """Let repositories have these tags, and no others; the children of `HALF` are
    there only in part."""
    for repository, named in content.items():
        registry.tags_by_repository[repository] = {}
        for tag, number in named.items():
            registry.put(repository, tag, SERVED[number])
    registry.hold(IMAGES[0], an_attestation(), IMAGES[1])


@pytest.fixture
def stage(tmp_path: Path, engine: Engine) -> Iterator[Stage]:
    with a_database(tmp_path, engine) as database:
        yield Stage(database)


NAMES: Final = [f"acme/app-{n}" for n in range(5)]
CONTENT: Final = st.fixed_dictionaries(
    {
        name: st.dictionaries(
            st.sampled_from(["1.0", "1.1", "2.0", "latest"]),
            st.integers(0, len(SERVED) - 1),
            max_size=4,
        )
        for name in NAMES
    }
)


@pytest.mark.slow  # takes seconds
@pytest.mark.long_on("postgresql")  # batches are made by the same statements
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(CONTENT, min_size=2, max_size=3))
def test_a_history_comes_out_the_same_side_by_side_and_one_by_one(
    tmp_path_factory: pytest.TempPathFactory,
    engine: Engine,
    history: list[dict[str, dict[str, int]]],
) -> None:
    folders = [tmp_path_factory.mktemp(name) for name in ("many", "one")]
    with a_database(folders[0], engine) as many, a_database(folders[1], engine) as one:
        together, alone = Stage(many), Stage(one)

        async def run() -> None:
            for content in history:
                for stage, at_once in ((together, len(NAMES)), (alone, 1)):
                    fill(stage.registry, content)
                    await stage.crawl(NAMES, at_once=at_once)
                assert_same(dump_of(alone.database), dump_of(together.database))

        asyncio.run(run())
        assert together.differences() == []


async def test_many_that_have_not_changed_cost_few_statements_more_than_one(
    stage: Stage,
) -> None:
    names = [f"acme/small-{n}" for n in range(30)]
    fill(stage.registry, {name: {"1.0": 0} for name in names})
    await stage.crawl(names, at_once=30)

    with counted() as of_one:
        await stage.crawl(names[:1], at_once=1)
    with counted() as of_many:
        outcomes = await stage.crawl(names, at_once=30)

    assert all(isinstance(o, CrawlOutcome) and o.result.complete for o in outcomes)
    assert len(of_many) <= len(of_one) + 6


async def test_a_repository_that_was_taken_over_drops_out_alone(stage: Stage) -> None:
    fill(stage.registry, {name: {"1.0": n} for n, name in enumerate(NAMES)})
    opened = stage.open(NAMES)
    with stage.database.write() as connection:
        other = claim(
            connection,
            opened[1].claim.repository_id,
            now=T0 + timedelta(days=1),
            lease_s=60,
        )
    assert other is not None

    async with stage.context() as context:
        outcomes = await crawled(context, opened)

    assert [type(outcome) for outcome in outcomes] == [
        *(CrawlOutcome, StaleFence),
        *(CrawlOutcome, CrawlOutcome, CrawlOutcome),
    ]
    assert [stage.states[name] for name in NAMES] == ["ok", "new", "ok", "ok", "ok"]


class WithPoison(Writer):
    """Has one repository's data break a rule of the store."""

    poisoned = NAMES[2]

    async def write_many(
        self,
        function: Callable[[Connection, Sequence[Item]], Sequence[T | BaseException]],
        item: Item,
        *,
        lingers: bool = True,
    ) -> T:
        if (
            isinstance(item, CrawlEnd)
            and item.closing.claim.repository == self.poisoned
        ):
            assert item.step is not None
            never_kept = Digest(f"sha256:{'0' * 64}")
            batch = item.step.batch
            answers = [
                replace(a, move=Move(a.name, never_kept, None)) for a in batch.answers
            ]
            step = replace(item.step, batch=replace(batch, answers=answers))
            # It is what it was, but for what it holds.
            item = cast(Item, replace(item, step=step))
        return await super().write_many(function, item, lingers=lingers)


async def test_learned_conflicts_are_counted_though_the_next_write_fails(
    stage: Stage,
) -> None:
    counted_once: list[tuple[str, int]] = []

    class FailsAlone(Writer):
        async def write(
            self,
            function: Callable[Concatenate[Connection, P], T],
            *args: P.args,
            **kwargs: P.kwargs,
        ) -> T:
            assert function is sweep_manifests
            if kwargs.get("is_alone"):
                raise StoreError("gone", code="database_unreachable")
            return cast(T, Swept(count=1, left={2}, learned=3))

    async with stage.context(FailsAlone) as context:
        context = replace(
            context, count_conflicts=lambda *seen: counted_once.append(seen)
        )
        with pytest.raises(StoreError):
            await sum_up(context, [LiveManifest(1, 1, 1), LiveManifest(1, 2, 1)])

    assert counted_once == [("manifest", 3)]


async def test_data_that_breaks_a_rule_ends_its_own_crawl_alone(stage: Stage) -> None:
    fill(stage.registry, {name: {"1.0": n} for n, name in enumerate(NAMES)})

    async with stage.context(WithPoison) as context:
        outcomes = await crawled(context, stage.open(NAMES))

    assert [type(outcome) for outcome in outcomes] == [
        *(CrawlOutcome, CrawlOutcome, StoreError),
        *(CrawlOutcome, CrawlOutcome),
    ]
    assert getattr(outcomes[2], "code", None) == "unknown_digest"
    assert [stage.states[name] for name in NAMES] == ["ok", "ok", "new", "ok", "ok"]
    # It is given back, and is begun again a little later.
    assert len(stage.open(NAMES)) == len(NAMES)


class SlowToGiveUp(WithPoison):
    """Gives a claim back only after its lease was renewed once more."""

    stage: Stage

    def _lease(self, repository_id: int) -> datetime | None:
        with self.stage.database.read() as connection:
            until: datetime | None = connection.execute(
                select(repositories.c.lease_until).where(
                    repositories.c.id == repository_id
                )
            ).scalar_one()
        return until

    async def write(
        self,
        function: Callable[Concatenate[Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        if function is give_up:
            (held,) = cast(list[Claim], args[0])
            before = self._lease(held.repository_id)
            self.stage.now += 0.01
            await wait_until(
                lambda: self._lease(held.repository_id) != before, "the lease renewed"
            )
        return await super().write(function, *args, **kwargs)


async def test_a_lease_is_renewed_until_it_has_been_given_back(stage: Stage) -> None:
    fill(stage.registry, {WithPoison.poisoned: {"1.0": 1}})

    def slow(database: Database) -> SlowToGiveUp:
        made = SlowToGiveUp(database)
        made.stage = stage
        return made

    async with stage.context(slow) as context:
        heartbeat = Heartbeat(context.writer, context.clock, beat_s=0.01)
        beating = asyncio.create_task(heartbeat.beat())
        (opened,) = stage.open([WithPoison.poisoned])
        with pytest.raises(StoreError):
            await crawl_claimed(context, heartbeat, opened, lambda: None)
        beating.cancel()

    assert stage.states == {WithPoison.poisoned: "new"}


async def test_what_a_crawl_brought_is_measured_also_if_its_process_ends_with_it(
    stage: Stage,
) -> None:
    job = Job("measure", "fake")
    fill(stage.registry, {NAMES[0]: {"1.0": 0}})
    async with stage.context() as context:
        at_once = T0 + timedelta(hours=stage.now)
        context = replace(context, measuring=job)
        await crawled(context, stage.open(NAMES[:1]))
        with stage.database.write() as connection:
            due = due_jobs(connection, [job], at_once + MEASURED_WITHIN)
            next_at = at_once + timedelta(days=1)
            took = claim_job(
                connection,
                job,
                now=at_once + MEASURED_WITHIN,
                next_at=next_at,
                lease_s=60,
                owner="it",
            )
            assert took is not None
            end_job(connection, took, at_once + MEASURED_WITHIN)
        # Nothing is new now.
        stage.now += 1
        await crawled(context, stage.open(NAMES[:1]))

    with stage.database.read() as connection:
        then = due_jobs(connection, [job], next_at - timedelta(seconds=1))
    assert (due, then) == ([job], [])


async def test_an_ending_of_which_the_answer_was_lost_is_made_once(
    stage: Stage,
) -> None:
    endings: list[CrawlEnd] = []

    class Noting(Writer):
        async def write_many(
            self,
            function: Callable[
                [Connection, Sequence[Item]], Sequence[T | BaseException]
            ],
            item: Item,
            *,
            lingers: bool = True,
        ) -> T:
            if isinstance(item, CrawlEnd):
                endings.append(item)
            return await super().write_many(function, item, lingers=lingers)

    fill(stage.registry, {name: {"1.0": n} for n, name in enumerate(NAMES)})
    async with stage.context(Noting) as context:
        await crawled(context, stage.open(NAMES))
    before = dump_of(stage.database)

    with stage.database.write() as connection:
        answers = finish_many(connection, endings)

    assert answers == [None] * len(NAMES)
    assert_same(before, dump_of(stage.database))


@dataclass
class Counting(FakeRegistry):
    """Notes with each manifest how many crawls were stored by then."""

    database: Database | None = None
    ended: list[int] = field(default_factory=list)

    async def get_manifest(
        self, repository: str, reference: str, limit_bytes: int = 10**7
    ) -> ManifestAnswer:
        assert self.database is not None
        with self.database.read() as connection:
            self.ended.append(
                connection.execute(
                    select(func.count()).where(crawls.c.ended_at.is_not(None))
                ).scalar_one()
            )
        return await FakeRegistry.get_manifest(self, repository, reference)


async def test_places_are_held_until_the_crawl_is_stored(stage: Stage) -> None:
    stage.registry = registry = Counting(database=stage.database)
    fill(registry, {name: {"1.0": n} for n, name in enumerate(NAMES)})

    async with stage.context() as context:
        await crawled(replace(context, unsaved=InFlightLimiter(1)), stage.open(NAMES))

    # One place is one crawl: the next one begins to ask when it is stored.
    assert registry.ended == [0, 1, 2, 3, 4]
