"""docs/notifications.md shows what is sent, and how a signature is checked."""

import json
import re
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import pytest

from support.tolds import a_message
from weighbridge.domain.text.printable import Secret
from weighbridge.notify.channels.webhook.notifier import signature, webhook_body
from weighbridge.notify.channels.webhook.webhook_channel import signing_key
from weighbridge.notify.render.content import content_of, plain_text

PAGE: Final = Path(__file__).parents[3] / "docs" / "notifications.md"
SECRET: Final = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def block(language: str) -> str:
    """The first fenced block of a language."""
    found = re.search(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    assert found is not None
    return found[1]


def keys(value: object) -> object:
    """The keys of a JSON value, with theirs."""
    if isinstance(value, dict):
        return {name: keys(inner) for name, inner in value.items()}
    return [keys(inner) for inner in value] if isinstance(value, list) else None


def test_the_json_has_the_keys_that_are_sent() -> None:
    sent = json.loads(webhook_body(a_message()))

    assert keys(json.loads(block("json"))) == keys(sent)


def test_the_text_is_the_one_that_is_sent() -> None:
    below = PAGE.read_text().partition("## What a message says\n\n")[2]
    example = below.partition("\n- ")[0].rstrip("\n") + "\n"

    sent = plain_text(content_of(a_message()))

    shortened = sent.replace("ab" * 32, "abababab...")
    assert textwrap.dedent(example) == shortened


@pytest.mark.parametrize(("body", "expected"), [(b"{}", True), (b"{ }", False)])
def test_the_lines_of_python_check_a_signature(body: bytes, expected: bool) -> None:
    known: dict[str, Callable[[str, Mapping[str, str], bytes], bool]] = {}
    exec(block("python"), known)  # noqa: S102 - our own page
    headers = {
        "webhook-id": "msg-1",
        "webhook-timestamp": "1614265330",
        "webhook-signature": signature(
            signing_key(Secret(SECRET)), "msg-1", 1_614_265_330, b"{}"
        ),
    }

    assert known["is_from_weighbridge"](SECRET, headers, body) is expected
