"""A push to a repository of which a first, long crawl is under way."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from support.docker_registry import DockerRegistry, docker_registry
from support.images_oci import OCI_MANIFEST, Pusher, made_image, made_layer
from support.pushing import PushStage, a_push_stage
from support.serving import PLAIN
from weighbridge.store.models import crawls, repositories

# Either way the crawl takes twelve seconds, and PostgreSQL has no lock on a whole file.
ENGINES = ("sqlite", pytest.param("postgresql", marks=pytest.mark.long))
TAGS = 300
PER_SECOND = 25
"""So the crawl takes 12 seconds, on a fast machine too; a slow one slows it as well."""
BEGUN = 20
"""Tags that are stored by then."""
PATIENCE_S = 100.0
NEW = made_image(made_layer("new", b"new" * 99), label="new")


@pytest.fixture(params=ENGINES)
def stage(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[PushStage]:
    # By a registry that tells nobody: a look at what was pushed then might have the
    # repository just when the crawl comes to it.
    with docker_registry(tmp_path / "registry") as quiet:
        fill(quiet)
    limits = {"requests_per_second": PER_SECOND}
    with a_push_stage(tmp_path, request.param, defaults={"limits": limits}) as ready:
        yield ready


def fill(registry: DockerRegistry) -> None:
    """One image under many tags, as if all of them had been there for years, and what
    the new one is made of."""
    with Pusher(registry.url) as pusher:
        pusher.push("shop/app", made_image(), "t0")
        for blob in (NEW.config, *NEW.layers):
            pusher.push_blob("shop/app", blob)
    tags = (
        registry.folder
        / "data/docker/registry/v2/repositories/shop/app/_manifests/tags"
    )
    link = (tags / "t0/current/link").read_text()
    for number in range(1, TAGS):
        current = tags / f"t{number}/current"
        current.mkdir(parents=True)
        (current / "link").write_text(link)


def seen_by_crawl(stage: PushStage) -> int | None:
    """Tags that the crawl under way has stored; None where there is none: a look at
    what was pushed is no crawl."""
    with stage.database.read() as connection:
        return connection.execute(
            select(crawls.c.tags_seen).where(crawls.c.ended_at.is_(None))
        ).scalar()


def complete_crawls(stage: PushStage) -> int:
    with stage.database.read() as connection:
        found: int = connection.execute(
            select(repositories.c.complete_crawls)
        ).scalar_one()
    return found


@pytest.mark.timeout(320)
def test_a_push_does_not_wait_for_the_end_of_a_long_crawl(stage: PushStage) -> None:
    with Pusher(stage.registry.url) as pusher, stage.up():
        stage.wait_for(
            lambda: (seen_by_crawl(stage) or 0) >= BEGUN, "the crawl", PATIENCE_S
        )
        pusher.push_manifest("shop/app", "new", NEW.manifest, OCI_MANIFEST)
        stage.wait_for(
            lambda: stage.outcomes().get("shop/app:new") == "new",
            "the push is looked at",
            PATIENCE_S,
        )
        assert seen_by_crawl(stage) is not None
        assert complete_crawls(stage) == 0
        stage.wait_for(lambda: complete_crawls(stage) > 0, "its end", PATIENCE_S)

    with stage.database.read() as connection:
        state = connection.execute(select(repositories.c.state)).scalar_one()
    listed = httpx.get(
        f"{stage.registry.url}/v2/shop/app/tags/list", trust_env=False, verify=PLAIN
    )
    assert state == "ok"
    assert len(listed.json()["tags"]) == TAGS + 1
    assert stage.digest("shop/app", "new") == NEW.digest
