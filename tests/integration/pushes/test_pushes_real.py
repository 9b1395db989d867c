"""docker-registry tells of pushes; what is stored is what it then answers."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support.images_oci import MadeImage, Pusher, made_image, made_layer
from support.pushing import PushStage, a_push_stage, skopeo_push
from support.serving import PLAIN

# On PostgreSQL pushes are looked at by workers: test_pushes_and_workers.py.
ENGINES = ("sqlite", pytest.param("postgresql", marks=pytest.mark.long))


def an_image(name: str) -> MadeImage:
    return made_image(made_layer(name, name.encode() * 500), label=name)


@pytest.fixture(params=ENGINES)
def stage(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[PushStage]:
    with a_push_stage(tmp_path, request.param) as ready, ready.up():
        # What it finds is not told by a push.
        ready.wait_for(ready.is_crawled, "the first crawl")
        yield ready


def test_a_push_is_stored_and_measured_long_before_a_crawl(stage: PushStage) -> None:
    image = an_image("first")

    skopeo_push(stage.folder / "oci", stage.registry.address, "shop/app:1.0", image)
    stage.wait_for(lambda: "1.0" in stage.tags("shop/app"), "the tag")

    tag = stage.tags("shop/app")["1.0"]
    assert (tag.digest, tag.pushed_at is not None) == (image.digest, True)
    assert tag.compressed_bytes == image.compressed_bytes
    # The layer was measured at once, whatever is crawled when.
    stage.wait_for(
        lambda: stage.tags("shop/app")["1.0"].uncompressed_bytes is not None,
        "its uncompressed size",
    )


def test_a_tag_that_moves_and_is_deleted_follows(stage: PushStage) -> None:
    with Pusher(stage.registry.url) as pusher:
        pusher.push("shop/app", an_image("stays"), "0.9")
        pusher.push("shop/app", an_image("one"), "1.0")
        moved = pusher.push("shop/app", an_image("two"), "1.0")
        stage.wait_for(
            lambda: (
                "1.0" in (tags := stage.tags("shop/app"))
                and tags["1.0"].digest == moved
            ),
            "the tag has moved",
        )
        pusher.delete_manifest("shop/app", moved)
        stage.wait_for(
            lambda: set(stage.tags("shop/app")) == {"0.9"}, "the tag is gone"
        )


def test_an_index_is_one_look(stage: PushStage) -> None:
    images = [
        made_image(made_layer(name, name.encode() * 900), architecture=name)
        for name in ("amd64", "arm64")
    ]
    with Pusher(stage.registry.url) as pusher:
        digest = pusher.push_index("shop/multi", "1.0", images)
    stage.wait_for(lambda: "1.0" in stage.tags("shop/multi"), "the index")

    assert stage.tags("shop/multi")["1.0"].digest == digest
    # Its children were pushed by their digests.
    assert stage.outcomes() == {"shop/multi:1.0": "new"}


def test_what_was_pushed_is_counted(stage: PushStage) -> None:
    with Pusher(stage.registry.url) as pusher:
        pusher.push("shop/app", an_image("counted"), "1.0")
    stage.wait_for(lambda: "1.0" in stage.tags("shop/app"), "the tag")

    def metrics() -> str:
        return httpx.get(
            f"http://{stage.address}/metrics", trust_env=False, verify=PLAIN
        ).text

    verdict = 'weighbridge_push_audits_total{registry="near",verdict="pass"} 1.0'
    # It is counted once the verdict is stored, a moment after the tag can be read.
    stage.wait_for(lambda: verdict in metrics(), "the count")
    text = metrics()
    assert 'weighbridge_push_audit_duration_seconds_count{registry="near"} 1.0' in text
