"""The real apprise hands a message over, and its log says no address."""

import logging
from pathlib import Path

import pytest

from support.channel_sink import message_sink
from support.channels import opened
from support.receivers import refused
from support.tolds import HOSTILE, a_message, hostile_message

# Of apprise's own, on Python 3.11 and 3.12.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")


def keys(port: int) -> dict[str, object]:
    url = f"json://127.0.0.1:{port}/c4nary"
    return {"name": "ops", "kind": "apprise", "url": url}


async def test_apprise_hands_it_over(tmp_path: Path) -> None:
    async with message_sink() as sink, opened(tmp_path, keys(sink.port)) as channels:
        await channels.notifiers["ops"].send(a_message())

        (taken,) = sink.taken
    assert taken.json["title"] == "harbor/shop/api:1.4.2 is 583 MB over max_compressed"
    assert "RUN pip install torch" in str(taken.json["message"])


async def test_any_text_is_handed_over(tmp_path: Path) -> None:
    async with message_sink() as sink, opened(tmp_path, keys(sink.port)) as channels:
        for text in HOSTILE:
            await channels.notifiers["ops"].send(hostile_message(text, count=20))

        assert len(sink.taken) == len(HOSTILE)


async def test_what_fails_is_told_without_the_address(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with message_sink() as sink, opened(tmp_path, keys(sink.port)) as channels:
        sink.fault = "gone"

        error = await refused(channels.notifiers["ops"].send(a_message()))

    assert (error.code, error.retryable) == ("channel_busy", True)
    assert "c4nary" not in str(error) + caplog.text
