"""Pushes outlive the process that was told of them, and its absence."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from support.images_oci import Pusher, made_image, made_layer
from support.pushing import PushStage, a_push_stage
from support.seeds import seeds
from weighbridge.domain.image.digest import Digest
from weighbridge.store.models import repositories

TAGS = 20


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[PushStage]:
    with a_push_stage(tmp_path) as ready:
        yield ready


def push_all(stage: PushStage, prefix: str) -> dict[str, Digest]:
    """Tags of this prefix, each an image of its own."""
    pushed = {}
    with Pusher(stage.registry.url) as pusher:
        for number in range(TAGS):
            tag = f"{prefix}.{number}"
            image = made_image(made_layer(tag, tag.encode() * 99), label=tag)
            pushed[tag] = pusher.push("shop/app", image, tag)
    return pushed


def is_seen(stage: PushStage, pushed: dict[str, Digest]) -> bool:
    tags = stage.tags("shop/app")
    return all(tag in tags and tags[tag].digest == pushed[tag] for tag in pushed)


def has_been_passed(stage: PushStage) -> bool:
    query = select(repositories.c.complete_crawls, repositories.c.lease_until)
    with stage.database.read() as connection:
        (found,) = connection.execute(query).all()
    return found.complete_crawls > 0 and found.lease_until is None


def test_f37_what_was_pushed_while_nobody_listened_is_seen_afterwards(
    stage: PushStage,
) -> None:
    with stage.up():
        before = push_all(stage, "1")
        stage.wait_for(lambda: is_seen(stage, before), "all tags")
        # The look at all of a repository that was not known.
        stage.wait_for(lambda: has_been_passed(stage), "the whole of it")
    meanwhile = push_all(stage, "2")
    assert not is_seen(stage, meanwhile)

    with stage.up():
        stage.wait_for(lambda: is_seen(stage, meanwhile), "all tags")

    # By their events, not by a crawl: that is due hours later.
    assert [stage.outcomes()[f"shop/app:{tag}"] for tag in meanwhile] == ["new"] * TAGS


@pytest.mark.parametrize("number", seeds(0, 3, quick=1))
def test_f36_a_kill_right_after_a_push_was_taken_loses_none(
    stage: PushStage, number: int
) -> None:
    with stage.up() as process:
        first = push_all(stage, "1")
        stage.wait_for(lambda: len(stage.outcomes()) > 5 * number, "some were taken")
        process.kill()
        process.wait()
    taken = stage.outcomes()

    with stage.up():
        stage.wait_for(lambda: is_seen(stage, first), "all tags")
        # A crawl may have seen them before the events were looked at.
        stage.wait_for(lambda: "..." not in stage.outcomes().values(), "all events")

    assert taken.keys() <= stage.outcomes().keys()
