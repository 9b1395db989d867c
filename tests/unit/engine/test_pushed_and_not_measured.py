"""What a limit on uncompressed sizes waits for is measured, whoever was killed."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from support.crawling import Yard
from support.database import Engine, a_database
from support.fake_registry import FakeRegistry
from support.images import a_layer, a_served_image
from support.policies import a_policy
from support.push_world import Pusher, a_push
from support.telling import Told
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.policy.policy import Policy, PolicySet
from weighbridge.engine.judge.judged_batch import Judging
from weighbridge.engine.measure.many_layers import MEASURED_WITHIN
from weighbridge.ports.protocols import RangeAnswer
from weighbridge.store.leases.jobs import Job, claim_job, due_jobs, end_job

ONE, TWO = (a_served_image(layers=[a_layer(name, 100)]) for name in ("one", "two"))
APP = "acme/app"
MEASURE = Job("measure", "fake")
DAY = timedelta(days=1)


@dataclass
class Silent(FakeRegistry):
    """Says nothing of its layers. `is_asked`: once more, after the verdict."""

    is_asked: asyncio.Event = field(default_factory=asyncio.Event)
    times: int = 0

    async def get_range(
        self, repository: str, digest: Digest, first: int, last: int
    ) -> RangeAnswer:
        self.times += 1
        if self.times > 1:
            self.is_asked.set()
        await asyncio.Event().wait()
        raise AssertionError("it waits for ever")


@pytest.fixture
def yard(tmp_path: Path, engine: Engine) -> Iterator[Yard]:
    with a_database(tmp_path, engine) as database:
        yield Yard(database)


def judge_by(yard: Yard, policy: Policy) -> None:
    yard.judging = Judging(PolicySet((policy,)), tell=Told())


def measure_tomorrow(yard: Yard) -> None:
    """Everything was measured just now."""
    with yard.database.write() as connection:
        held = claim_job(
            connection,
            MEASURE,
            now=yard.now,
            next_at=yard.now + DAY,
            lease_s=30,
            owner="another",
        )
        assert held is not None
        end_job(connection, held, yard.now)


def is_due_in(yard: Yard, wait: timedelta) -> bool:
    with yard.database.read() as connection:
        return due_jobs(connection, [MEASURE], yard.now + wait) == [MEASURE]


async def look_and_be_killed(pusher: Pusher, registry: Silent) -> None:
    """The verdict is stored then, and nothing is measured."""
    looking = asyncio.create_task(pusher.handle())
    await registry.is_asked.wait()
    looking.cancel()
    with suppress(asyncio.CancelledError):
        await looking


async def test_what_a_killed_look_has_not_measured_is_measured_soon(yard: Yard) -> None:
    judge_by(yard, a_policy("room", max_uncompressed=4_000))
    registry = Silent()
    registry.put(APP, "1.0", ONE)
    await yard.crawl(registry)
    measure_tomorrow(yard)
    pusher = Pusher(yard, registry, measuring=MEASURE, word_within_s=0.05)

    registry.put(APP, "1.1", TWO)
    pusher.tell(a_push("1.1"))
    await look_and_be_killed(pusher, registry)

    assert pusher.outcomes == ["new"]
    assert not is_due_in(yard, timedelta(0))
    assert is_due_in(yard, MEASURED_WITHIN)


async def test_what_no_limit_waits_for_is_measured_in_its_time(yard: Yard) -> None:
    judge_by(yard, a_policy("services", max_layers=60))
    registry = Silent()
    registry.put(APP, "1.0", ONE)
    await yard.crawl(registry)
    measure_tomorrow(yard)
    pusher = Pusher(yard, registry, measuring=MEASURE, word_within_s=0.05)

    registry.put(APP, "1.1", TWO)
    pusher.tell(a_push("1.1"))
    await look_and_be_killed(pusher, registry)

    assert pusher.outcomes == ["new"]
    assert not is_due_in(yard, DAY - timedelta(seconds=1))
