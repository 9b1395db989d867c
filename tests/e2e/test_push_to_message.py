"""An oversized push is known to its team, with the line that did it: docker-registry,
skopeo, `weighbridge up` and a receiver, each a process or a socket of its own."""

import base64
import hashlib
import hmac
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.buildah import Buildah
from support.message_sink import MessageSink, Received, broken, message_sink, ok
from support.pushing import PushStage, a_push_stage

KEY = b"0123456789abcdef0123456789abcdef"
MB = 1_000_000
POLICY = {
    "name": "small",
    "match": {"repository": "shop/*"},
    "team": "shop",
    "max_growth": "25%",
    "min_growth": "1MB",
}
LAYERS = "FROM scratch\nCOPY base /base\nCOPY app /app\n"
WORDS = "COPY model.bin /model.bin"


@pytest.fixture
def sink() -> Iterator[MessageSink]:
    with message_sink() as listening:
        yield listening


@pytest.fixture
def stage(tmp_path: Path, sink: MessageSink) -> Iterator[PushStage]:
    channel = {
        "name": "hook",
        "kind": "webhook",
        "url": sink.url,
        "secret": f"whsec_{base64.b64encode(KEY).decode()}",
        "allow_private": True,
        "plain_http": True,
    }
    route = {"channel": "hook", "group_interval": "1s"}
    with a_push_stage(
        tmp_path,
        channels=[channel],
        routes=[route],
        policies=[POLICY],
        web={"external_url": "https://weighbridge.example", "anonymous_read": True},
    ) as ready:
        yield ready


@pytest.fixture
def builder(tmp_path: Path) -> Buildah:
    made = Buildah(tmp_path / "buildah")
    base = os.urandom(2 * MB)
    for number in (1, 2, 3, 5):
        files = {"base": base, "app": os.urandom(100_000 + number)}
        made.build(f"app{number}", LAYERS, files)
    heavy = {"base": base, "app": os.urandom(100_000), "model.bin": os.urandom(4 * MB)}
    made.build("app4", f"{LAYERS}{WORDS}\n", heavy)
    return made


def push(stage: PushStage, builder: Buildah, number: int) -> float:
    """Until the push was judged; when it began."""
    began = time.time()
    builder.push(f"app{number}", f"{stage.registry.address}/shop/app:1.0.{number}")
    stage.wait_for(lambda: f"1.0.{number}" in stage.tags("shop/app"), "the tag")
    return began


def check_signature(message: Received) -> None:
    fields = message.fields
    signed = f"{fields['webhook-id']}.{fields['webhook-timestamp']}.".encode()
    wanted = hmac.digest(KEY, signed + message.raw, hashlib.sha256)
    assert fields["webhook-signature"] == f"v1,{base64.b64encode(wanted).decode()}"
    assert message.body["key"] == message.key


def check_opened(message: Received) -> None:
    (item,) = message.items
    assert (item["event"], item["repository"], item["tag"]) == (
        "opened",
        "shop/app",
        "1.0.4",
    )
    assert (item["policy"], item["team"], item["limit"]) == (
        "small",
        "shop",
        "max_growth",
    )
    # It weighs what its layers do, and the limit is a quarter above what was usual.
    assert 6 * MB < item["amount"] < 6.3 * MB
    assert 2.0 * MB < item["baseline_compressed_bytes"] < 2.2 * MB
    assert item["limit_amount"] < 3.2 * MB
    # The line that did it stands first, with what it brought.
    heaviest = item["cause"]["changes"][0]
    assert "/model.bin" in heaviest["instruction"]
    assert heaviest["kind"] == "added"
    assert 4 * MB <= heaviest["grown_amount"] < 4.1 * MB
    assert item["cause"]["of"] == "own"
    assert item["url"].startswith("https://weighbridge.example/image?ref=near%2Fshop")


@pytest.mark.timeout(170)
def test_an_oversized_push_is_told_with_its_line_and_so_is_its_end(
    stage: PushStage, sink: MessageSink, builder: Buildah
) -> None:
    with stage.up():
        for number in (1, 2, 3):
            push(stage, builder, number)
        assert sink.received == []

        # The receiver is down for a moment: nothing is lost, and the key stays.
        sink.fault = broken
        push(stage, builder, 4)
        stage.wait_for(lambda: bool(sink.received), "the first try")
        sink.fault = ok
        stage.wait_for(lambda: bool(sink.taken), "the message")
        opened = sink.taken[0]
        assert {message.key for message in sink.received} == {opened.key}
        check_opened(opened)
        check_signature(opened)

        push(stage, builder, 5)
        stage.wait_for(lambda: len(sink.taken) == 2, "its end")

    resolved = sink.taken[1]
    (item,) = resolved.items
    assert item["event"] == "resolved"
    assert item["violation_id"] == opened.items[0]["violation_id"]
    assert resolved.key != opened.key
