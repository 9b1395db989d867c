"""Pushes between several processes: a service takes them, workers look at them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.docker_registry import DockerRegistry, docker_registry
from support.images_oci import MadeImage, Pusher, made_image, made_layer
from support.push_world import a_push, outcomes, receive
from support.wait import PATIENCE_S
from support.worker_crew import Crew, a_crew
from weighbridge.jobs.redis.over_celery import CeleryJobs
from weighbridge.ports.job_names import PUSH
from weighbridge.store.leases.validity import DatabaseClock
from weighbridge.store.reports.tags import tag_page

# Who has workers has PostgreSQL, as a rule.
ENGINES = (pytest.param("sqlite", marks=pytest.mark.long), "postgresql")


def an_image(name: str) -> MadeImage:
    return made_image(made_layer(name, name.encode() * 500), label=name)


@dataclass(slots=True)
class Scene:
    registry: DockerRegistry
    crew: Crew

    def push(self, repository: str, tag: str) -> None:
        with Pusher(self.registry.url) as pusher:
            pusher.push(repository, an_image(f"{repository}:{tag}"), tag)

    def tell(self, repository: str, tag: str, *, registry: str = "near") -> None:
        """As a service does that was told by a webhook."""
        clock = DatabaseClock(self.crew.database)
        clock.measure()
        event = a_push(tag, repository=repository)
        receive(self.crew.database, clock(), event, registry=registry)

    def enqueue(self, argument: str) -> None:
        jobs = CeleryJobs(self.crew.redis.url, give_up_s=PATIENCE_S)
        try:
            jobs.put(PUSH, argument, first=True)
        finally:
            jobs.close()

    def has(self, repository: str, tag: str) -> bool:
        with self.crew.database.read() as connection:
            page = tag_page(connection, "near", repository, limit=1000)
        return page is not None and tag in {found.name for found in page.items}

    @property
    def outcomes(self) -> list[str]:
        return outcomes(self.crew.database)


@pytest.fixture(params=ENGINES)
def scene(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Scene]:
    with (
        docker_registry(tmp_path / "registry") as registry,
        a_crew(tmp_path, registry.url, engine=request.param) as crew,
    ):
        yield Scene(registry, crew)


def test_a_worker_looks_at_a_push(scene: Scene) -> None:
    scene.crew.worker()
    scene.push("shop/app", "1.0")
    scene.tell("shop/app", "1.0")
    scene.enqueue("near/shop/app")

    scene.crew.wait_for(lambda: scene.has("shop/app", "1.0"), "the tag is stored")
    assert scene.outcomes == ["new"]


def test_f19_a_push_whose_bell_was_lost_is_asked_for_by_the_scheduler(
    scene: Scene,
) -> None:
    scene.crew.worker()
    scene.push("shop/app", "1.0")
    scene.tell("shop/app", "1.0")
    scene.crew.enqueue_tick()

    scene.crew.wait_for(lambda: scene.has("shop/app", "1.0"), "the tag is stored")


def test_broker_003_a_bell_for_what_is_not_configured_asks_nobody(scene: Scene) -> None:
    worker = scene.crew.worker()
    scene.enqueue("evil/shop/app")
    scene.enqueue("near/../evil")
    scene.push("shop/app", "1.0")
    scene.tell("shop/app", "1.0")
    scene.enqueue("near/shop/app")

    scene.crew.wait_for(lambda: scene.has("shop/app", "1.0"), "the tag is stored")
    scene.crew.wait_for(
        lambda: "unknown_registry" in worker.log and "outside_filter" in worker.log,
        "both are refused",
    )


def test_f36_a_push_outlives_the_worker_that_had_it(scene: Scene) -> None:
    worker = scene.crew.worker()
    for number in range(20):
        scene.push("shop/app", f"1.{number}")
        scene.tell("shop/app", f"1.{number}")
        scene.enqueue("near/shop/app")
    scene.crew.wait_for(lambda: "new" in scene.outcomes, "some were looked at")
    worker.kill()

    scene.crew.worker()
    scene.crew.quick_scheduler()
    # What a crawl has found before its push is looked at is the same then.
    scene.crew.wait_for(
        lambda: set(scene.outcomes) <= {"new", "same"}, "all of them are looked at"
    )
    assert all(scene.has("shop/app", f"1.{number}") for number in range(20))
