"""Several processes judge at once, on PostgreSQL: nobody waits for nobody's end."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Barrier

import pytest

from support.court import MB, Court, built
from support.crowd import Crowd
from support.database import Engine, a_database
from support.images import a_layer
from weighbridge.domain.image.document import Image, Layer
from weighbridge.domain.message.grouping import NotificationEvent
from weighbridge.store.facts.images import keep_documents
from weighbridge.store.session import Connection, Database

pytestmark = pytest.mark.only_on("postgresql")

BASE = ("FROM debian", a_layer("debian", 50 * MB))
LIGHT = ("RUN java", a_layer("java 8", 70 * MB))
HEAVY = ("RUN java", a_layer("java 9", 470 * MB))
ROUNDS = 6


@pytest.fixture
def database(tmp_path: Path, engine: Engine) -> Iterator[Database]:
    with a_database(tmp_path, engine) as opened:
        yield opened


def test_repositories_that_share_a_cause_are_judged_beside_one_another(
    database: Database,
) -> None:
    courts = [Court(database, names=[f"acme/app-{n}"]) for n in range(4)]

    def live(court: Court) -> None:
        """Over the limit and below it again; raises where the database gives up on
        one of two that wait for each other."""
        (name,) = court.names
        for turn in range(ROUNDS):
            for java in (LIGHT, HEAVY):
                own = ("COPY app", a_layer((name, turn, java[1].digest), MB))
                court.crawl({"latest": built(BASE, java, own)})

    with ThreadPoolExecutor(len(courts)) as pool:
        list(pool.map(live, courts))

    assert [len(court.rows()) for court in courts] == [1] * len(courts)
    assert len({court.cause().key for court in courts}) == 1
    # Whoever was judged last has seen all others.
    assert "base" in {court.cause().of for court in courts}


@dataclass
class TogetherCourt(Court):
    """A court that tells nobody before the others are about to as well."""

    barrier: Barrier | None = None

    def _tell(
        self,
        connection: Connection,
        violation_ids: Sequence[int],
        event: NotificationEvent,
        now: datetime,
    ) -> None:
        if self.barrier is not None:
            self.barrier.wait()
        Court._tell(self, connection, violation_ids, event, now)


def test_repositories_that_find_a_cause_at_the_same_moment_know_of_each_other(
    database: Database,
) -> None:
    barrier = Barrier(2, timeout=30)
    courts = [
        TogetherCourt(database, names=[f"acme/app-{n}"], barrier=barrier)
        for n in range(2)
    ]

    images = {
        court.names[0]: [
            built(BASE, java, ("COPY app", a_layer((court.names[0], java[0]), MB)))
            for java in (LIGHT, HEAVY)
        ]
        for court in courts
    }
    with database.write() as connection:
        # Who keeps the same layer first is waited for.
        for some in images.values():
            keep_documents(connection, some, {})

    def grow(court: Court) -> None:
        for image in images[court.names[0]]:
            court.crawl({"latest": image})

    with ThreadPoolExecutor(len(courts)) as pool:
        list(pool.map(grow, courts))

    assert [court.cause().of for court in courts] == ["base", "base"]


def test_batches_of_repositories_that_share_a_cause_are_judged_beside_one_another(
    database: Database,
) -> None:
    crowds = [
        Crowd(database, names=[f"acme/app-{n}-{turn}" for turn in range(4)])
        for n in range(3)
    ]

    def image(name: str, turn: int, java: tuple[str, Layer]) -> Image:
        own = ("COPY app", a_layer((name, turn, java[1].digest), MB))
        return built(BASE, java, own)

    looks = [(turn, java) for turn in range(ROUNDS) for java in (LIGHT, HEAVY)]
    with database.write() as connection:
        # Facts are kept by themselves: who keeps the same layer first is waited for.
        for crowd in crowds:
            some = [image(name, *look) for look in looks for name in crowd.names]
            keep_documents(connection, some, {})

    def live(crowd: Crowd) -> None:
        for look in looks:
            crowd.look_at({n: {"latest": image(n, *look)} for n in crowd.names})

    with ThreadPoolExecutor(len(crowds)) as pool:
        list(pool.map(live, crowds))

    found = [crowd.cause(name) for crowd in crowds for name in crowd.names]
    assert len({cause.key for cause in found}) == 1
    assert {cause.of for cause in found} == {"base"}
