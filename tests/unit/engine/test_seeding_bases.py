"""Repositories that are named for their bases alone: what is read of them, and what
that costs."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Row, func, select

from support.crawling import ENTRY, Yard
from support.database import Engine, a_database
from support.fake_registry import FakeRegistry
from support.images import ServedImage, a_digest, a_layer, a_served_image, an_index
from weighbridge.domain.base.base_repositories import BasePlace
from weighbridge.domain.image.platform import parse_platform
from weighbridge.engine.bases.seed_job import AGAIN, EVERY, REQUESTS, SOON, seed
from weighbridge.engine.context.parts import Scope, Site
from weighbridge.errors import AuthError, QuotaSpent, TransportError
from weighbridge.store.bases.readings import plan_readings
from weighbridge.store.models import (
    base_chains,
    base_names,
    base_readings,
    jobs,
    repositories,
    tags,
)

ARM = parse_platform("linux/arm64")
DEBIAN = BasePlace("library/debian", "docker.io", "library/debian")
PYTHON = BasePlace("library/python", "docker.io", "library/python")
MINUTE = timedelta(minutes=1)


def base_image(name: str, layers: int = 1) -> ServedImage:
    return a_served_image([a_layer((name, n)) for n in range(layers)])


@dataclass(slots=True)
class Scene:
    """A registry of which the bases alone are wanted."""

    yard: Yard
    registry: FakeRegistry = field(default_factory=FakeRegistry)
    bases: tuple[BasePlace, ...] = (DEBIAN,)
    is_written: bool = True
    scope: Scope = field(default_factory=lambda: Scope(only=("acme/app",)))

    async def seed(self) -> None:
        """One run, if it is due; the clock then stands a minute later."""
        crawler = self.yard.crawler(self.registry)
        site = Site(
            ENTRY, self.scope, bases=self.bases, seeds_when_asked=self.is_written
        )
        try:
            async with crawler.running():
                await seed(crawler.parts, site)
        finally:
            self.yard.now += MINUTE

    def names(self, *, left: bool = False) -> list[str]:
        """`repository:tag` of all that leads to a base, or has led there."""
        at = base_names.c.left_at
        where = at.is_not(None) if left else at.is_(None)
        statement = select(base_names.c.repository, base_names.c.tag).where(where)
        with self.yard.database.read() as connection:
            rows = connection.execute(statement).all()
        return sorted(f"{repository}:{tag}" for repository, tag in rows)

    def reading(self, base: BasePlace = DEBIAN) -> Row[Any]:
        where = base_readings.c.repository == base.repository
        with self.yard.database.read() as connection:
            return connection.execute(select(base_readings).where(where)).one()

    def count(self, table: Any) -> int:
        with self.yard.database.read() as connection:
            statement = select(func.count()).select_from(table)
            return int(connection.execute(statement).scalar_one())

    def wait(self) -> timedelta:
        """Until the next run."""
        where = jobs.c.job == "weighbridge.seed"
        with self.yard.database.read() as connection:
            due = connection.execute(select(jobs.c.due_at).where(where)).scalar_one()
        wait: timedelta = due - self.yard.now + MINUTE
        return wait


@pytest.fixture
def scene(tmp_path: Path, engine: Engine) -> Iterator[Scene]:
    with a_database(tmp_path, engine) as database:
        yield Scene(Yard(database))


async def test_the_layers_of_a_base_are_known_and_nothing_is_crawled(
    scene: Scene,
) -> None:
    scene.registry.put("library/debian", "bookworm", base_image("one"))
    scene.registry.put("library/debian", "trixie", base_image("two"))

    await scene.seed()

    assert scene.names() == ["library/debian:bookworm", "library/debian:trixie"]
    assert scene.count(base_chains) == 2
    assert (scene.count(repositories), scene.count(tags)) == (0, 0)
    reading = scene.reading()
    assert (reading.tags_wanted, reading.tags_read, reading.code) == (2, 2, "")
    assert reading.read_at == scene.yard.now - MINUTE


async def test_of_an_index_the_wanted_platforms_are_read(scene: Scene) -> None:
    amd = base_image("amd")
    arm = a_served_image([a_layer("arm")], platform=ARM)
    scene.registry.put("library/debian", "12", an_index([amd.manifest, arm.manifest]))
    scene.registry.hold(amd, arm)

    await scene.seed()

    assert scene.count(base_chains) == 1
    # The index by HEAD and GET, the image, its config.
    assert scene.registry.count("get_manifest") == 2
    assert scene.registry.count("get_blob") == 1


async def test_what_is_known_is_not_read_again(scene: Scene) -> None:
    scene.registry.put("library/debian", "12", base_image("one"))
    await scene.seed()
    asked = dict(scene.registry.asked)
    await scene.seed()
    early = dict(scene.registry.asked)
    scene.yard.now += EVERY
    await scene.seed()

    assert early == asked
    assert scene.registry.count("get_manifest") == 1
    assert scene.registry.count("head_manifest") == 2


async def test_a_tag_that_moved_leads_to_its_new_build_and_the_old_one_is_kept(
    scene: Scene,
) -> None:
    scene.registry.put("library/debian", "12", base_image("one"))
    await scene.seed()
    scene.registry.put("library/debian", "12", base_image("two"))
    scene.yard.now += EVERY
    await scene.seed()

    assert scene.names() == scene.names(left=True) == ["library/debian:12"]
    assert scene.count(base_chains) == 2


async def test_a_tag_that_is_gone_leads_nowhere_and_its_base_is_kept(
    scene: Scene,
) -> None:
    scene.registry.put("library/debian", "11", base_image("one"))
    scene.registry.put("library/debian", "12", base_image("two"))
    await scene.seed()
    del scene.registry.tags_by_repository["library/debian"]["11"]
    scene.yard.now += EVERY
    await scene.seed()

    assert scene.names(left=True) == ["library/debian:11"]
    assert scene.count(base_chains) == 2


async def test_a_run_is_bounded_and_the_next_one_goes_on(scene: Scene) -> None:
    scene.bases = (DEBIAN, PYTHON)
    for n in range(60):
        for base in scene.bases:
            image = base_image(f"{base.name} {n}")
            scene.registry.put(base.name, f"1.{n}", image)

    requests = []
    for _ in range(4):
        before = scene.registry.cost.requests
        await scene.seed()
        requests.append(scene.registry.cost.requests - before)
        scene.yard.now += SOON

    # Of each repository a listing of two pages, and 50 tags of three requests.
    assert max(requests) <= REQUESTS + 3
    assert requests[-1] == 0
    assert len(scene.names()) == 100
    assert scene.reading(PYTHON).tags_read == scene.reading().tags_read == 50


async def test_a_repository_that_vanished_is_said_and_what_is_known_stays(
    scene: Scene,
) -> None:
    scene.bases = (DEBIAN, PYTHON)
    scene.registry.put("library/debian", "12", base_image("one"))
    scene.registry.put("library/python", "3", base_image("two"))
    await scene.seed()
    del scene.registry.tags_by_repository["library/debian"]
    scene.yard.now += EVERY
    await scene.seed()

    reading = scene.reading()
    assert (reading.code, reading.tags_wanted, reading.tags_read) == (
        "name_unknown",
        1,
        1,
    )
    assert "no repository library/debian" in reading.reason
    assert reading.failing_since is not None
    assert scene.reading(PYTHON).code == ""
    assert scene.names() == ["library/debian:12", "library/python:3"]
    assert scene.wait() == AGAIN


async def test_a_repository_that_needs_credentials_holds_up_no_other(
    scene: Scene,
) -> None:
    scene.bases = (DEBIAN, PYTHON)
    scene.registry.put("library/python", "3", base_image("two"))
    refused = AuthError("the registry wants credentials", code="unauthorized")
    scene.registry.breaks["tags", "library/debian#0"] = refused

    await scene.seed()

    assert scene.reading().code == "unauthorized"
    assert scene.reading().tags_wanted is None
    assert scene.names() == ["library/python:3"]


async def test_a_quota_that_is_spent_ends_the_run_until_it_comes_back(
    scene: Scene,
) -> None:
    scene.bases = (DEBIAN, PYTHON)
    scene.registry.put("library/debian", "12", base_image("one"))
    scene.registry.put("library/debian", "11", base_image("two"))
    scene.registry.put("library/python", "3", base_image("three"))
    (last, _) = sorted(scene.registry.tags_by_repository["library/debian"].values())
    spent = QuotaSpent("no pull is left", retry_after=7_200)
    scene.registry.breaks["get_manifest", last] = spent

    await scene.seed()

    reading = scene.reading()
    assert (reading.code, reading.tags_wanted) == ("quota_spent", 2)
    assert scene.registry.count("tags") == 1
    assert scene.wait() == timedelta(hours=2)


async def test_a_registry_that_is_away_is_left_alone_for_an_hour(scene: Scene) -> None:
    scene.bases = (DEBIAN, PYTHON)
    away = TransportError("it does not answer", code="unreachable")
    scene.registry.breaks["tags", "library/debian#0"] = away

    await scene.seed()

    assert scene.reading().code == "unreachable"
    assert scene.wait() == AGAIN
    assert scene.registry.count("tags") == 1


async def test_a_tag_that_is_no_image_is_said_and_the_others_are_read(
    scene: Scene,
) -> None:
    scene.registry.put("library/debian", "12", base_image("one"))
    scene.registry.tags_by_repository["library/debian"]["odd"] = a_digest("nothing")

    await scene.seed()

    reading = scene.reading()
    assert (reading.tags_read, reading.code) == (2, "")
    assert reading.reason == "1 tag could not be read (manifest_unknown)"
    assert scene.names() == ["library/debian:12"]


async def test_what_is_crawled_is_not_read_a_second_time(scene: Scene) -> None:
    scene.scope = Scope()
    scene.registry.put("library/debian", "12", base_image("one"))

    await scene.seed()

    assert scene.registry.cost.requests == 0


def test_there_is_a_row_for_each_before_anybody_has_asked(scene: Scene) -> None:
    with scene.yard.database.write() as connection:
        plan_readings(connection, {"hub": [DEBIAN, PYTHON]}, is_all=True)
        plan_readings(connection, {"hub": [DEBIAN]}, is_all=False)
    both = scene.count(base_readings)
    with scene.yard.database.write() as connection:
        plan_readings(connection, {"hub": [DEBIAN]}, is_all=True)

    assert (both, scene.count(base_readings)) == (2, 1)
    assert scene.reading().tags_wanted is None


async def test_an_official_image_that_nobody_named_need_not_be_there(
    scene: Scene,
) -> None:
    scene.is_written = False
    scene.registry.put("library/python", "3", base_image("two"))

    await scene.seed()

    reading = scene.reading()
    assert (reading.tags_wanted, reading.code) == (0, "")
    assert scene.wait() == EVERY
