"""A push to a repository of which a first, long pass is under way."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from support.database import Engine
from support.images_oci import OCI_MANIFEST, Pusher, made_image, made_layer
from support.pushing import PushStage, a_push_stage
from weighbridge.store.models import repositories

ENGINES: tuple[Engine, ...] = ("sqlite", "postgresql")
TAGS = 2_000
PATIENCE_S = 60.0


@pytest.fixture(params=ENGINES)
def stage(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[PushStage]:
    with a_push_stage(tmp_path, request.param) as ready:
        yield ready


def fill(stage: PushStage) -> None:
    """One image under many tags, as if all of them had been there for years."""
    image = made_image()
    with Pusher(stage.registry.url) as pusher:
        pusher.push("shop/app", image, "t0")
    tags = (
        stage.registry.folder
        / "data/docker/registry/v2/repositories/shop/app/_manifests/tags"
    )
    link = (tags / "t0/current/link").read_text()
    for number in range(1, TAGS):
        current = tags / f"t{number}/current"
        current.mkdir(parents=True)
        (current / "link").write_text(link)


def passes(stage: PushStage) -> tuple[bool, int]:
    """Whether somebody is looking at the repository, and complete passes so far."""
    table = repositories.c
    with stage.database.read() as connection:
        row = connection.execute(
            select(table.lease_until, table.complete_passes)
        ).one_or_none()
    return (False, 0) if row is None else (row[0] is not None, row[1])


@pytest.mark.timeout(170)
def test_a_push_does_not_wait_for_the_end_of_a_long_pass(stage: PushStage) -> None:
    fill(stage)
    image = made_image(made_layer("new", b"new" * 99), label="new")
    with Pusher(stage.registry.url) as pusher:
        for blob in (image.config, *image.layers):
            pusher.push_blob("shop/app", blob)
        with stage.up():
            stage.wait_for(lambda: passes(stage)[0], "the pass begins", PATIENCE_S)
            pusher.push_manifest("shop/app", "new", image.manifest, OCI_MANIFEST)
            stage.wait_for(
                lambda: stage.outcomes().get("shop/app:new") == "new",
                "the push is looked at",
                PATIENCE_S,
            )
            assert passes(stage) == (True, 0), "the pass was too short for this test"
            stage.wait_for(lambda: passes(stage) == (False, 1), "its end", PATIENCE_S)

    with stage.database.read() as connection:
        state = connection.execute(select(repositories.c.state)).scalar_one()
    listed = httpx.get(f"{stage.registry.url}/v2/shop/app/tags/list", trust_env=False)
    assert state == "ok"
    assert len(listed.json()["tags"]) == TAGS + 1
    assert stage.digest("shop/app", "new") == image.digest
