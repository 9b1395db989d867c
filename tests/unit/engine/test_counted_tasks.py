"""What a scrape sees of the tasks of one process: how many, how long, which failed."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from support.crawling import Yard, a_yard
from support.fake_registry import FakeRegistry
from support.images import a_layer, a_served_image
from weighbridge.engine.engine import Engine
from weighbridge.errors import JobDropped, StoreError
from weighbridge.ports.job_names import CRAWL, DELIVER, DISCOVER, MEASURE
from weighbridge.store.leases.jobs import Job, make_due
from weighbridge.store.registries.registry_rows import put_registry


def filled() -> FakeRegistry:
    registry = FakeRegistry(name="fake")
    registry.put("acme/app", "one", a_served_image(layers=[a_layer("app", 100)]))
    return registry


@dataclass(slots=True)
class Counts:
    """Of one task."""

    yard: Yard
    job: str

    def _value(self, name: str) -> float:
        labels = {"task": self.job}
        return self.yard.telemetry.registry.get_sample_value(name, labels) or 0.0

    @property
    def done(self) -> float:
        return self._value("weighbridge_tasks_total")

    @property
    def failed(self) -> float:
        return self._value("weighbridge_task_failures_total")

    @property
    def timed(self) -> float:
        return self._value("weighbridge_task_duration_seconds_count")


async def test_each_task_is_counted_and_timed_once(tmp_path: Path) -> None:
    with a_yard(tmp_path) as yard:
        await yard.crawl(filled())

        for job in (DISCOVER, CRAWL):
            counts = Counts(yard, job)
            assert counts.done == counts.timed > 0
            assert counts.failed == 0
        assert Counts(yard, MEASURE).done == 0


async def test_a_task_that_fails_is_counted_and_raises(tmp_path: Path) -> None:
    async def fail(_: str) -> None:
        raise StoreError("the disk is full", code="disk_full")

    with a_yard(tmp_path) as yard:
        async with yard.crawler(filled()).running() as crawler:
            engine = Engine(crawler.parts, deliver=fail)
            try:
                with pytest.raises(StoreError):
                    await engine.handlers[DELIVER]("")
            finally:
                await engine.aclose()

        counts = Counts(yard, DELIVER)
        assert (counts.done, counts.failed, counts.timed) == (1, 1, 1)


async def test_a_task_that_goes_on_beside_others_counts_its_failure(
    tmp_path: Path,
) -> None:
    with a_yard(tmp_path) as yard:
        with yard.database.write() as connection:
            put_registry(connection, yard.entry, yard.now)
            make_due(connection, Job(MEASURE, "fake"), yard.now)
        crawler = yard.crawler(filled())
        crawler.registries = {}
        async with crawler.running():
            with pytest.raises(KeyError):
                await crawler.engine.handlers[MEASURE]("fake")

        counts = Counts(yard, MEASURE)
        assert (counts.done, counts.failed, counts.timed) == (1, 1, 1)


async def test_a_message_that_is_dropped_is_no_task(tmp_path: Path) -> None:
    with a_yard(tmp_path) as yard:
        async with yard.crawler(filled()).running() as crawler:
            with pytest.raises(JobDropped):
                await crawler.engine.handlers[DISCOVER]("nowhere")

        assert (Counts(yard, DISCOVER).done, Counts(yard, DISCOVER).failed) == (0, 0)
