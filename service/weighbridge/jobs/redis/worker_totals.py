"""Sums of what all workers count: in Redis, lost with it, and then counted from 0."""

import json
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Final, NamedTuple

from msgspec import Struct, field
from redis import Redis
from redis.exceptions import ResponseError

from weighbridge.domain.text.secret import Secret
from weighbridge.jobs.redis.worker_register import is_wrong_type, ours, redis_client

_COUNTED: Final = "weighbridge:counted"
_SEEN: Final = "weighbridge:seen"
MOST: Final = 20_000
"""Numbers that are read back: some hundred registries have fewer. Whoever writes more
of them is not us."""


class Series(NamedTuple):
    """One number by its name and labels, as Prometheus has it.

    labels: name and value of each, sorted
    """

    name: str
    labels: tuple[tuple[str, str], ...] = ()


class Numbers(Struct, frozen=True):
    """counted: what only grows, and is summed up; seen: what somebody saw last"""

    counted: Mapping[Series, float] = field(default_factory=dict)
    seen: Mapping[Series, float] = field(default_factory=dict)


class Totals:
    """Adds and reads such numbers. Raises OSError where Redis is away."""

    def __init__(self, redis_url: Secret) -> None:
        self._redis: Redis = redis_client(redis_url)

    def add(self, numbers: Numbers) -> tuple[set[Series], bool]:
        """Add what was counted and keep what was seen; which of these Redis took, and
        whether it had any from before. What it refuses is to be tried again."""
        series = [*numbers.counted, *numbers.seen]
        with ours(self._redis):
            with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.exists(_COUNTED)
                for one, value in numbers.counted.items():
                    pipeline.hincrbyfloat(_COUNTED, field_of(one), value)
                for one, value in numbers.seen.items():
                    pipeline.hset(_SEEN, field_of(one), repr(float(value)))
                was_there, *answers = pipeline.execute(raise_on_error=False)
            self._forget_what_is_not_ours(series, answers)
        taken = zip(series, answers, strict=True)
        return {one for one, got in taken if not isinstance(got, Exception)}, bool(
            was_there
        )

    def read(self) -> Numbers:
        """All of them; anybody may have written there, and what has another form than
        ours is left out."""
        with ours(self._redis, _COUNTED, _SEEN):
            return Numbers(self._read(_COUNTED), self._read(_SEEN))

    def close(self) -> None:
        """Close every connection."""
        self._redis.close()

    def _forget_what_is_not_ours(
        self, series: Sequence[Series], answers: Sequence[object]
    ) -> None:
        """No sum, or no table of sums: it would be refused for ever."""
        for one, answer in zip(series, answers, strict=True):
            if not isinstance(answer, ResponseError):
                continue
            if is_wrong_type(answer):
                self._redis.delete(_COUNTED, _SEEN)
                return
            if "not a float" in str(answer):
                self._redis.hdel(_COUNTED, field_of(one))

    def _read(self, key: str) -> dict[Series, float]:
        if int(self._redis.hlen(key)) > MOST:
            return {}
        found = {}
        for name, value in self._redis.hgetall(key).items():
            one, number = series_of(str(name)), number_of(str(value))
            if one is not None and number is not None:
                found[one] = number
        return found


def field_of(series: Series) -> str:
    """How Redis keeps its name."""
    return json.dumps([series.name, *series.labels])


def series_of(text: str) -> Series | None:
    """The opposite; None for what nobody of us has written."""
    try:
        parsed: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    match parsed:
        case [str(name), *pairs]:
            labels = []
            for pair in pairs:
                match pair:
                    case [str(label), str(value)]:
                        labels.append((label, value))
                    case _:
                        return None
            return Series(name, tuple(labels))
        case _:
            return None


def number_of(text: str) -> float | None:
    """None for what is no number, is below 0, or without an end."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if isfinite(number) and number >= 0 else None
