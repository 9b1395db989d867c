"""What is a message of ours, whoever wrote it."""

import base64
import json
from copy import deepcopy
from typing import Any

import pytest
from celery import Celery
from hypothesis import given
from hypothesis import strategies as st
from kombu import Queue

from weighbridge.jobs.redis.job_messages import (
    MOST_ARGUMENT,
    MOST_BYTES,
    SENT_AT,
    SHOWN_BYTES,
    JobMessage,
    begin_of,
    payload_of,
    read_message,
    sent_at,
)
from weighbridge.ports.job_names import CANARY, CRAWL, QUEUE_OF, TICK

CRAWLED = JobMessage(CRAWL, "hub/acme/app", "0c5f6c3e", 1_700_000_000.5)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def raw(message: JobMessage = CRAWLED) -> dict[str, Any]:
    return payload_of(message, "crawl")


def packed(payload: object) -> bytes:
    return json.dumps(payload).encode()


def body(*parts: object) -> str:
    return base64.b64encode(json.dumps(parts).encode()).decode()


@pytest.mark.parametrize("job", [*QUEUE_OF, CANARY])
def test_what_is_passed_on_says_the_same(job: str) -> None:
    argument = "" if job == CANARY else "hub/acme/app"
    message = JobMessage(job, argument, "0c5f6c3e", 12.5)

    assert read_message(packed(raw(message))) == message


def test_what_another_version_of_celery_sends_by_its_defaults_is_ours() -> None:
    app = Celery(broker="memory://", set_as_current=False, fixups=[])
    app.conf.task_queues = [Queue("crawl")]
    app.send_task(CRAWL, args=["hub/acme/app"], queue="crawl", retry=False)
    with app.connection_for_read() as connection:
        channel: Any = connection.default_channel  # its types are of AMQP's
        sent = channel._get("crawl")

    message = read_message(packed(sent))

    assert message is not None
    assert (message.job, message.argument) == (CRAWL, "hub/acme/app")


@given(st.binary(max_size=400))
def test_any_bytes_are_a_message_or_none(data: bytes) -> None:
    read_message(data)
    sent_at(data.decode("utf-8", "replace"))
    assert len(begin_of(data).encode()) <= 4 * SHOWN_BYTES


@given(st.data(), _JSON)
def test_whatever_one_part_of_a_message_is_it_is_read_or_dropped(
    data: st.DataObject, value: object
) -> None:
    payload = raw()
    path = data.draw(
        st.sampled_from(
            [
                *((key,) for key in payload),
                *(("headers", key) for key in payload["headers"]),
                *(("properties", key) for key in payload["properties"]),
            ]
        )
    )
    inner = payload
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value

    found = read_message(packed(payload))

    assert found is None or packed(payload_of(found, "crawl"))


@given(_JSON)
def test_whatever_the_arguments_are_one_text_is_passed_on_or_nothing(
    value: object,
) -> None:
    payload = raw() | {"body": body(value, {}, {})}

    found = read_message(packed(payload))

    assert found is None or [found.argument] == value


@pytest.mark.parametrize(
    "change",
    [
        {"body": None},
        {"headers": None},
        {"headers": [1]},
        {"properties": None},
        {"content-type": "application/x-python-serialize"},
        {"content-encoding": "rot13"},
        {"body": "no base64!"},
        {"body": body([], {}, {})},
        {"body": body(["a", "b"], {}, {})},
        {"body": body(["a"], {"force": True}, {})},
        {"body": body(["a" * (MOST_ARGUMENT + 1)], {}, {})},
        {"body": body(["a\nb"], {}, {})},
        {"body": body(["\ud800"], {}, {})},
        {"body": body([7], {}, {})},
        {"body": base64.b64encode(b"[" * 9_000).decode()},
    ],
)
def test_broker_003_what_is_not_ours_is_dropped(change: dict[str, object]) -> None:
    assert read_message(packed(raw() | change)) is None


def test_broker_003_a_task_that_is_not_ours_is_dropped() -> None:
    payload = raw()
    payload["headers"]["task"] = "celery.backend_cleanup"

    assert read_message(packed(payload)) is None


def test_of_what_celery_would_do_besides_nothing_is_passed_on() -> None:
    payload = deepcopy(raw(JobMessage(TICK, "", "a1")))
    other = {"task": CRAWL, "args": ["evil/app"], "options": {"queue": "crawl"}}
    payload["body"] = body([""], {}, {"callbacks": [other], "chain": [other]})
    payload["headers"] |= {
        "eta": "2999-01-01T00:00:00",
        "compression": "application/x-gzip",
        "timelimit": [1e9, 1e9],
        "stamped_headers": ["evil"],
    }
    payload["properties"]["delivery_info"] = {"routing_key": "weighbridge:counts"}
    message = read_message(packed(payload))

    assert message is not None
    passed = payload_of(message, "notify")

    assert "evil" not in json.dumps(passed)
    assert "evil" not in base64.b64decode(str(passed["body"])).decode()
    assert passed["properties"]["delivery_info"]["routing_key"] == "notify"  # type: ignore[index] # any JSON
    assert passed["headers"] == payload_of(JobMessage(TICK, "", "a1"), "x")["headers"]


def test_no_two_deliveries_are_confirmed_together() -> None:
    tags = {raw()["properties"]["delivery_tag"] for _ in range(3)}

    assert len(tags) == 3


def test_a_huge_one_is_not_even_parsed() -> None:
    huge = packed(raw())[:-1] + b" " * MOST_BYTES + b"}"

    assert json.loads(huge)
    assert read_message(huge) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [(12.5, 12.5), (-1, 0), ("12", 0), (True, 0), (float("inf"), 0), (10**400, 0)],
)
def test_when_it_was_sent_is_a_time_or_0(value: object, expected: float) -> None:
    text = json.dumps({"headers": {SENT_AT: value}})

    assert sent_at(text) == expected


@pytest.mark.parametrize("text", ["", "[]", "[" * 9_000, '{"headers": 3}'])
def test_what_says_no_time_was_sent_at_0(text: str) -> None:
    assert sent_at(text) == 0
