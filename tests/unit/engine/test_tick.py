"""What a scheduler asks for is what the database says is due, and nothing else."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from support.database import a_database
from support.fake_jobs import FakeJobs
from support.store_world import T0, an_entry
from weighbridge.engine.context.parts import Scope, Site
from weighbridge.engine.schedule.tick_job import Tick
from weighbridge.ports.job_names import BASES, CRAWL, DISCOVER, MEASURE, PRUNE
from weighbridge.store.leases.claiming import STARTS, claim
from weighbridge.store.leases.jobs import Job, claim_job
from weighbridge.store.leases.validity import this_process
from weighbridge.store.models import repositories
from weighbridge.store.registries.registry_rows import note_registry, put_registry
from weighbridge.store.registries.repository_rows import put_repositories
from weighbridge.store.session import Database

HOUR = timedelta(hours=1)


@dataclass
class Scene:
    database: Database
    now: datetime = T0

    def tick(self) -> FakeJobs:
        """One tick; what it asked for."""
        site = Site(an_entry("hub"), Scope())
        jobs = FakeJobs()
        for wanted in Tick([site], self.database, lambda: self.now).run():
            jobs.put(wanted.job, wanted.argument, first=wanted.first)
        return jobs

    def add(self, *names: str, registry: str = "hub") -> dict[str, int]:
        """Repositories that were just found."""
        with self.database.write() as connection:
            registry_id = put_registry(connection, an_entry(registry), self.now)
            return put_repositories(connection, registry_id, names, self.now)

    def claim(self, repository_id: int) -> bool:
        """A worker begins and is not heard of any more."""
        with self.database.write() as connection:
            taken = claim(
                connection, repository_id, now=self.now, lease_s=30, only_due=True
            )
        return taken is not None

    def row(self, repository_id: int) -> tuple[str, str, int]:
        table = repositories.c
        with self.database.read() as connection:
            found = connection.execute(
                select(table.state, table.state_reason, table.attempts).where(
                    table.id == repository_id
                )
            ).one()
        return found[0], found[1], found[2]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with a_database(tmp_path) as database:
        yield Scene(database)


def test_a_new_registry_is_asked_what_it_has(scene: Scene) -> None:
    asked = scene.tick().asked

    assert asked == [(PRUNE, ""), (BASES, ""), (DISCOVER, "hub"), (MEASURE, "hub")]


def test_f20_what_is_due_is_asked_for_at_every_tick_until_somebody_has_it(
    scene: Scene,
) -> None:
    ids = scene.add("acme/app", "acme/web")

    both = scene.tick().of(CRAWL)
    scene.claim(ids["acme/app"])
    one = scene.tick().of(CRAWL)
    scene.claim(ids["acme/web"])
    none = scene.tick().of(CRAWL)

    assert both == one == ["hub"]
    assert none == []


def test_f14_what_a_killed_worker_held_is_asked_for_when_its_lease_ends(
    scene: Scene,
) -> None:
    ids = scene.add("acme/app")
    scene.claim(ids["acme/app"])
    scene.now += timedelta(seconds=31)

    assert scene.tick().of(CRAWL) == ["hub"]


def test_f14_nobody_waits_for_the_lease_of_a_process_of_this_machine_that_has_ended(
    scene: Scene,
) -> None:
    ids = scene.add("acme/app", "acme/web")
    mine = this_process()
    # Its number has been given anew: another one began at another time.
    theirs = f"{mine.rpartition('.')[0]}.0"
    with scene.database.write() as connection:
        for name, owner in (("acme/app", theirs), ("acme/web", mine)):
            claim(connection, ids[name], now=scene.now, lease_s=30, owner=owner)

    scene.tick()

    assert scene.claim(ids["acme/app"])
    assert not scene.claim(ids["acme/web"])


def test_f30_a_job_that_one_worker_does_is_not_asked_for(scene: Scene) -> None:
    with scene.database.write() as connection:
        claim_job(
            connection,
            Job(DISCOVER, "hub"),
            now=scene.now,
            next_at=scene.now + HOUR,
            lease_s=30,
            owner="a/1",
        )

    while_done = scene.tick().of(DISCOVER)
    scene.now += timedelta(seconds=31)
    after_its_death = scene.tick().of(DISCOVER)

    assert (while_done, after_its_death) == ([], ["hub"])


def test_what_is_not_configured_any_more_is_not_asked_for(scene: Scene) -> None:
    scene.add("acme/app", registry="old")

    assert scene.tick().of(CRAWL) == []


def test_nothing_of_an_unreachable_registry_is_asked_for_but_the_registry(
    scene: Scene,
) -> None:
    scene.add("acme/app")
    with scene.database.write() as connection:
        note_registry(
            connection, 1, state="unreachable", reason="deadline", now=scene.now
        )

    jobs = scene.tick()

    assert jobs.of(CRAWL) == []
    assert jobs.of(DISCOVER) == ["hub"]


def test_broker_005_what_was_begun_three_times_in_vain_is_parked_and_tried_later(
    scene: Scene,
) -> None:
    app = scene.add("acme/app", "acme/web")["acme/app"]
    for _ in range(STARTS):
        assert scene.claim(app)
        scene.now += timedelta(seconds=31)

    scene.tick()
    state = scene.row(app)
    is_begun = scene.claim(app)
    scene.now += HOUR

    assert state == ("error", "poison", STARTS)
    assert not is_begun
    assert scene.claim(app)


def test_h1_what_a_clock_years_ahead_has_put_off_is_asked_for(scene: Scene) -> None:
    scene.now = T0 + timedelta(days=2000)
    ids = scene.add("acme/app", "acme/web")
    scene.claim(ids["acme/web"])
    with scene.database.write() as connection:
        for job in (DISCOVER, MEASURE):
            claim_job(
                connection,
                Job(job, "hub"),
                now=scene.now,
                next_at=scene.now + HOUR,
                lease_s=30,
                owner="far/1",
            )
    scene.now = T0

    asked = scene.tick().asked

    assert asked == [
        (PRUNE, ""),
        (BASES, ""),
        (DISCOVER, "hub"),
        (MEASURE, "hub"),
        (CRAWL, "hub"),
    ]
