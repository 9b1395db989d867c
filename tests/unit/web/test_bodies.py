"""Bodies of requests that write: any bytes are an object, or are refused."""

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.types import Message

from weighbridge.web.request.answers import Refusal
from weighbridge.web.request.bodies import json_object, read_body, text_of

REQUIRED, OPTIONAL = {"a", "b"}, {"c"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), inner, max_size=4)
    ),
    max_leaves=8,
)


def outcome(body: bytes) -> int:
    """200 where an object was read, else the status of the refusal."""
    try:
        members = json_object(body, REQUIRED, OPTIONAL)
    except Refusal as refusal:
        return refusal.status
    assert members.keys() >= REQUIRED
    assert None not in members.values()
    return 200


@given(st.binary(max_size=80))
def test_any_bytes_are_an_object_or_refused(body: bytes) -> None:
    assert outcome(body) in (200, 400, 422)


@given(JSON)
def test_json_is_never_called_no_json(value: object) -> None:
    body = json.dumps(value).encode()

    is_right = (
        isinstance(value, dict)
        and value.keys() <= REQUIRED | OPTIONAL
        and all(value.get(name) is not None for name in REQUIRED)
    )
    assert outcome(body) == (200 if is_right else 422)


@pytest.mark.parametrize("value", [1, 1.5, True, [], {}])
def test_what_is_no_text_is_named(value: object) -> None:
    with pytest.raises(Refusal) as caught:
        text_of({"a": value}, "a")

    assert caught.value.status == 422
    assert caught.value.detail == {"a": "must be a text"}


def test_at_most_twenty_faults_are_told() -> None:
    body = json.dumps({f"x{n}\x1b": 1 for n in range(500)}).encode()

    with pytest.raises(Refusal) as caught:
        json_object(body, REQUIRED, OPTIONAL)

    assert isinstance(caught.value.detail, dict)
    assert len(caught.value.detail) == 20
    assert "\x1b" not in caught.value.message


def body_of(*messages: Message, read_s: float = 9) -> tuple[int, str]:
    """How a body is refused that comes in these pieces, and then not at all."""
    pieces = list(messages)

    async def receive() -> Message:
        return pieces.pop(0) if pieces else await asyncio.Future()

    request = Request({"type": "http", "method": "POST", "headers": []}, receive)
    with pytest.raises(Refusal) as caught:
        asyncio.run(read_body(request, 8, read_s))
    return caught.value.status, caught.value.code


def piece(body: bytes) -> Message:
    return {"type": "http.request", "body": body, "more_body": True}


def test_api_018_a_body_is_bounded_in_bytes_and_time() -> None:
    assert body_of(piece(b"1234"), piece(b"56789")) == (413, "too_large")
    assert body_of(piece(b"1234"), read_s=0.01) == (408, "body_timeout")


def test_whoever_goes_away_in_the_middle_of_a_body_is_no_fault_of_ours() -> None:
    assert body_of(piece(b"1234"), {"type": "http.disconnect"}) == (400, "invalid_body")
