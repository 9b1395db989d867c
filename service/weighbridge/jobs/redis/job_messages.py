"""What a message says, and what is passed on of it.

Whoever can write to Redis can send anything. So a message is read strictly, and of one
that can be read nothing is passed on but what it says: a job, its argument, and when
it was sent. Celery's messages may also say when to begin, what to send afterwards, how
they are packed, how long they may take: ours never do.
"""

import base64
import json
import re
import uuid
from math import isfinite
from typing import Final

from msgspec import Struct

from weighbridge.ports.job_names import CANARY, QUEUE_OF

SENT_AT: Final = "weighbridge_sent_at"
"""The header that says when a message was sent, in seconds since 1970."""
MOST_BYTES: Final = 16 * 1024
"""Ours have about 900."""
MOST_ARGUMENT: Final = 512
SHOWN_BYTES: Final = 200
_ID: Final = re.compile(r"[0-9A-Za-z-]{1,64}", re.ASCII)


class JobMessage(Struct, frozen=True):
    """sent_at: 0 where it does not say"""

    job: str
    argument: str
    id: str
    sent_at: float = 0.0


def read_message(raw: bytes) -> JobMessage | None:
    """None for what nobody of us has written."""
    if len(raw) > MOST_BYTES:
        return None
    match _parsed(raw):
        case {
            "content-type": "application/json",
            "content-encoding": "utf-8",
            "headers": {"task": str(job), "id": str(id_), **headers},
            "body": str(body),
            "properties": {"body_encoding": "base64"},
        } if _ID.fullmatch(id_):
            argument = _argument(job, body)
            if argument is None:
                return None
            return JobMessage(job, argument, id_, _time(headers.get(SENT_AT)))
        case _:
            return None


def sent_at(raw: str) -> float:
    """When a message was sent; 0 where it does not say."""
    match _parsed(raw) if len(raw) <= MOST_BYTES else None:
        case {"headers": {**headers}}:
            return _time(headers.get(SENT_AT))
        case _:
            return 0.0


def payload_of(message: JobMessage, queue: str) -> dict[str, object]:
    """As kombu and Celery take it. Its mark of delivery is new: two messages with the
    same one would be confirmed together."""
    arguments = [] if message.job == CANARY else [message.argument]
    nothing_after = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
    body = json.dumps([arguments, {}, nothing_after]).encode()
    return {
        "body": base64.b64encode(body).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {
            "lang": "py",
            "task": message.job,
            "id": message.id,
            "root_id": message.id,
            "parent_id": None,
            "group": None,
            "eta": None,
            "expires": None,
            "retries": 0,
            "timelimit": [None, None],
            "argsrepr": repr(tuple(arguments)),
            "kwargsrepr": "{}",
            "ignore_result": True,
            SENT_AT: message.sent_at,
        },
        "properties": {
            "correlation_id": message.id,
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": queue},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": str(uuid.uuid4()),
        },
    }


def begin_of(raw: bytes) -> str:
    """What is shown of garbage."""
    return raw[:SHOWN_BYTES].decode("ascii", "backslashreplace")


def _argument(job: str, body: str) -> str | None:
    """The one argument of a job of ours; None where there is none or another."""
    try:
        packed = base64.b64decode(body, validate=True)
    except ValueError:
        return None
    match _parsed(packed):
        case [[], {**named}, *_] if job == CANARY and not named:
            return ""
        case [[str(argument)], {**named}, *_] if job in QUEUE_OF and not named:
            is_ours = len(argument) <= MOST_ARGUMENT and argument.isprintable()
            return argument if is_ours else None
        case _:
            return None


def _parsed(raw: bytes | str) -> object:
    try:
        parsed: object = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return parsed


def _time(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    try:
        number = float(value)
    except OverflowError:
        return 0.0
    return number if isfinite(number) and number >= 0 else 0.0
