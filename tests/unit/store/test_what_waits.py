"""What is told of a repository that waits is what keeps it, and counts agree."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from support.database import Engine, a_database
from support.store_world import T0, an_entry
from weighbridge.domain.report.inventory import RegistryWaiting
from weighbridge.engine.schedule.tick_job import queues_waiting, show_waiting
from weighbridge.ports.job_names import DISCOVER
from weighbridge.store.leases.claiming import STARTS, claim
from weighbridge.store.leases.jobs import Job, make_due
from weighbridge.store.leases.validity import one_claim, this_process
from weighbridge.store.models import registries, repositories
from weighbridge.store.registries.registry_rows import (
    mark_unconfigured,
    note_registry,
    put_registry,
)
from weighbridge.store.registries.repository_rows import put_repositories
from weighbridge.store.reports.crawls import (
    find_waiting,
    registries_waiting,
    repositories_waiting,
)
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry

HOUR = timedelta(hours=1)
NAMES = ("new", "leased", "parked", "spent", "later", "gone", "put-off")


@dataclass
class Scene:
    database: Database
    registry_id: int
    ids: dict[str, int]
    now: datetime = T0

    def set(self, name: str, **values: object) -> None:
        with self.database.write() as connection:
            connection.execute(
                update(repositories)
                .where(repositories.c.id == self.ids[name])
                .values(**values)
            )

    def why(self, name: str) -> str:
        with self.database.read() as connection:
            found = find_waiting(connection, "hub", name, self.now)
        assert found is not None
        return found.why

    def registry(self) -> RegistryWaiting:
        with self.database.read() as connection:
            (found,) = registries_waiting(connection, self.now)
        return found


@pytest.fixture
def scene(tmp_path: Path, engine: Engine) -> Iterator[Scene]:
    with a_database(tmp_path, engine) as database:
        with database.write() as connection:
            registry_id = put_registry(connection, an_entry("hub"), T0)
            note_registry(connection, registry_id, state="ok", reason="", now=T0)
            ids = put_repositories(connection, registry_id, NAMES, T0)
        made = Scene(database, registry_id, ids)
        with database.write() as connection:
            claim(
                connection,
                ids["leased"],
                now=T0,
                lease_s=30,
                owner=one_claim(this_process()),
            )
        made.set("parked", attempts=STARTS, due_at=T0 + HOUR, state_reason="poison")
        made.set("spent", due_at=T0 + 6 * HOUR, state_reason="quota_spent")
        made.set("put-off", due_at=T0 + 5 * HOUR)
        made.set("later", due_at=T0 + HOUR)
        made.set("gone", deleted_at=T0, state="deleted")
        yield made


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("new", "limit"),
        ("leased", "leased"),
        ("parked", "poison"),
        ("spent", "quota"),
        ("put-off", "put_off"),
        ("later", "not_due"),
        ("gone", "deleted"),
    ],
)
def test_each_repository_is_told_what_keeps_it(
    scene: Scene, name: str, why: str
) -> None:
    assert scene.why(name) == why


def test_what_is_due_alone_is_kept_by_nothing(scene: Scene) -> None:
    scene.set("leased", lease_until=None, lease_owner=None)

    assert scene.why("new") == "due"


def test_a_lease_names_its_process_and_ends_with_it(scene: Scene) -> None:
    with scene.database.read() as connection:
        found = find_waiting(connection, "hub", "leased", T0)
    scene.set("leased", lease_owner=f"{this_process().rpartition('.')[0]}.0/x")

    assert found is not None
    assert (found.owner or "").startswith(this_process())
    assert found.until == T0 + timedelta(seconds=30)
    assert scene.why("leased") != "leased"


def test_an_unreachable_registry_keeps_all_that_is_due(scene: Scene) -> None:
    with scene.database.write() as connection:
        note_registry(
            connection, scene.registry_id, state="unreachable", reason="dns", now=T0
        )

    found = scene.registry()
    assert scene.why("new") == "unreachable"
    assert (found.due, found.paused, found.leased) == (0, 1, 1)


def test_a_registry_that_is_not_configured_any_more_waits_for_nothing(
    scene: Scene,
) -> None:
    with scene.database.write() as connection:
        mark_unconfigured(connection, ["other"], T0)

    assert scene.why("new") == "unconfigured"
    with scene.database.read() as connection:
        assert registries_waiting(connection, T0) == []


def test_each_repository_is_counted_once(scene: Scene) -> None:
    found = scene.registry()

    counts = (found.due, found.paused, found.leased, found.put_off, found.parked)
    assert counts == (1, 0, 1, 2, 1)
    assert found.oldest_due_at == T0
    assert found.next_due_at is not None


def test_a_registry_lists_what_waits_for_something(scene: Scene) -> None:
    with scene.database.read() as connection:
        found = repositories_waiting(connection, "hub", T0, 100)
        first = repositories_waiting(connection, "hub", T0, 2)

    assert [one.repository for one in found] == [
        "leased",
        "parked",
        "new",
        "put-off",
        "spent",
    ]
    assert first == found[:2]


def test_the_oldest_work_of_each_queue_is_told(scene: Scene) -> None:
    with scene.database.write() as connection:
        make_due(connection, Job(DISCOVER, "hub"), T0 - HOUR)
        make_due(connection, Job(DISCOVER, "elsewhere"), T0 + HOUR)
    with scene.database.read() as connection:
        registries = registries_waiting(connection, T0)
        found = queues_waiting(connection, registries, T0)

    waiting = {one.queue: (one.waiting, one.oldest_at) for one in found}
    assert waiting == {
        "push": (0, None),
        "crawl": (2, T0 - HOUR),
        "measure": (0, None),
        "notify": (0, None),
    }


def test_a_scrape_sees_why_repositories_wait_and_forgets_what_is_gone(
    scene: Scene,
) -> None:
    telemetry = Telemetry()
    show_waiting(scene.database, telemetry, T0)
    shown = {
        reason: telemetry.registry.get_sample_value(
            "weighbridge_crawl_repositories_waiting",
            {"registry": "hub", "reason": reason},
        )
        for reason in ("due", "paused", "leased", "put_off", "parked")
    }
    with scene.database.write() as connection:
        connection.execute(update(registries).values(state="unconfigured"))
    show_waiting(scene.database, telemetry, T0)

    assert shown == {"due": 1, "paused": 0, "leased": 1, "put_off": 2, "parked": 1}
    (family,) = telemetry.crawl_repositories_waiting.collect()
    assert family.samples == []
