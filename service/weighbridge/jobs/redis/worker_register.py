"""What workers note in Redis: who works, what waits, and sums of what all of them
count.

It is lost with Redis, and soon there again; sums are then counted from 0.
"""

import json
from collections.abc import Mapping, Sequence
from itertools import islice
from math import isfinite
from typing import Final, NamedTuple

from msgspec import Struct, field
from redis import Redis
from redis.exceptions import ResponseError

from weighbridge.domain.text.printable import Secret
from weighbridge.jobs.redis.broker import is_wrong_type, ours, redis_client
from weighbridge.jobs.redis.job_messages import sent_at
from weighbridge.ports.job_names import QUEUES

_COUNTED: Final = "weighbridge:counted"
_SEEN: Final = "weighbridge:seen"
_PROJECTS: Final = "weighbridge:projects"
"""Of `seen`, what there is for each project of a registry: there may be thousands."""


LIVES_S: Final = 45.0
"""A worker that has said nothing for so long is gone."""
_REGISTER: Final = "weighbridge:workers"
_COUNTS: Final = "weighbridge:counts"
_KEPT_COUNTS: Final = 200
"""More than we ever write; whoever writes more of them is not us."""

TAKEN: Final = "taken"
FAILED: Final = "failed"
DROPPED: Final = "dropped"
UNKNOWN: Final = "unknown"
"""In place of a job, where a message is not ours."""


class QueueLength(Struct, frozen=True):
    """What waits in one queue.

    oldest_at: when the oldest message was sent, in seconds since 1970; 0: none waits
    """

    tasks: int
    oldest_at: float


class WorkerRegister:
    """The workers that live, and the queues. Raises OSError where Redis is away."""

    def __init__(self, redis_url: Secret) -> None:
        self._redis = redis_client(redis_url)

    def note(self, worker: str) -> list[str]:
        """Say that a worker lives; the ones that have not said so for too long."""
        with ours(self._redis, _REGISTER):
            now = self._now()
            with self._redis.pipeline() as pipeline:
                pipeline.zadd(_REGISTER, {worker: now})
                pipeline.zrangebyscore(_REGISTER, 0, now - LIVES_S)
                pipeline.zremrangebyscore(_REGISTER, 0, now - LIVES_S)
                _, gone, _ = pipeline.execute()
                return [str(name) for name in gone]

    def strike(self, worker: str) -> None:
        """Say that a worker has ended."""
        with ours(self._redis, _REGISTER):
            self._redis.zrem(_REGISTER, worker)

    def workers(self) -> int:
        """How many live."""
        with ours(self._redis, _REGISTER):
            since = self._now() - LIVES_S
            return int(self._redis.zcount(_REGISTER, since, "+inf"))

    def count(self, *events: tuple[str, str, str]) -> None:
        """Count what became of a message: what, which job, and a reason or ""."""
        pipeline = self._redis.pipeline(transaction=False)
        for event in events:
            pipeline.hincrby(_COUNTS, "|".join(event), 1)
        with ours(self._redis, _COUNTS), pipeline:
            pipeline.execute()

    def counts(self) -> dict[tuple[str, str, str], int]:
        """What all workers have counted since Redis was empty."""
        with ours(self._redis, _COUNTS):
            if int(self._redis.hlen(_COUNTS)) > _KEPT_COUNTS:
                return {}
            found = self._redis.hgetall(_COUNTS)
        return {
            (parts[0], parts[1], parts[2]): int(value)
            for name, value in found.items()
            if len(parts := str(name).split("|")) == 3 and str(value).isdecimal()
        }

    def waiting(self) -> dict[str, QueueLength]:
        """What waits, by queue."""
        with ours(self._redis):
            return {queue: self._waiting(queue) for queue in QUEUES}

    def close(self) -> None:
        """Close every connection."""
        self._redis.close()

    def _now(self) -> float:
        """By Redis' clock: one whose own is ahead would take all others for gone."""
        seconds, microseconds = self._redis.time()
        return float(seconds) + float(microseconds) / 1e6

    def _waiting(self, queue: str) -> QueueLength:
        try:
            tasks = int(self._redis.llen(queue))
            # New messages are added at the left.
            oldest = self._redis.lindex(queue, -1) if tasks else None
        except ResponseError:
            # Its key may be somebody else's: in this queue nothing can wait.
            return QueueLength(0, 0.0)
        return QueueLength(tasks, sent_at(oldest) if isinstance(oldest, str) else 0.0)


MOST: Final = 20_000
"""Numbers that are read back of each table: some hundred registries have fewer, and ten
with a thousand projects each. Whoever writes more of them is not us."""


class Series(NamedTuple):
    """One number by its name and labels, as Prometheus has it.

    labels: name and value of each, sorted
    """

    name: str
    labels: tuple[tuple[str, str], ...] = ()


class Numbers(Struct, frozen=True):
    """counted: what only grows, and is summed up
    seen:     what somebody saw last
    vanished: what was seen before and is not there any more
    whole:    registries all of whose projects are among `seen`: others have vanished
    left_out: tables that have more than is read back
    """

    counted: Mapping[Series, float] = field(default_factory=dict)
    seen: Mapping[Series, float] = field(default_factory=dict)
    vanished: frozenset[Series] = frozenset()
    whole: frozenset[str] = frozenset()
    left_out: tuple[str, ...] = ()


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
                    pipeline.hset(_table_of(one), field_of(one), repr(float(value)))
                for one in numbers.vanished:
                    pipeline.hdel(_table_of(one), field_of(one))
                was_there, *answers = pipeline.execute(raise_on_error=False)
            answers = answers[: len(series)]
            self._forget_what_is_not_ours(series, answers)
            if numbers.whole:
                self._forget_projects(numbers)
        taken = zip(series, answers, strict=True)
        return {one for one, got in taken if not isinstance(got, Exception)}, bool(
            was_there
        )

    def read(self) -> Numbers:
        """All of them; anybody may have written there, and what has another form than
        ours is left out."""
        keys = (_COUNTED, _SEEN, _PROJECTS)
        with ours(self._redis, *keys):
            counted, seen, projects = map(self._read, keys)
        found = zip(keys, (counted, seen, projects), strict=True)
        return Numbers(
            counted or {},
            {**(seen or {}), **(projects or {})},
            left_out=tuple(key for key, table in found if table is None),
        )

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
                self._redis.delete(_COUNTED, _SEEN, _PROJECTS)
                return
            if "not a float" in str(answer):
                self._redis.hdel(_COUNTED, field_of(one))

    def _forget_projects(self, numbers: Numbers) -> None:
        """Projects that vanished while nobody who knew them was there to tell it."""
        with ours(self._redis, _PROJECTS):
            names = self._redis.hscan_iter(_PROJECTS, count=1_000)
            over = [
                name
                for name in (str(name) for name, _ in islice(names, 5 * MOST))
                if (one := series_of(name)) is not None
                and dict(one.labels).get("registry") in numbers.whole
                and one not in numbers.seen
            ]
            for start in range(0, len(over), 1_000):
                self._redis.hdel(_PROJECTS, *over[start : start + 1_000])

    def _read(self, key: str) -> dict[Series, float] | None:
        """None: there are more than anybody of us writes."""
        if int(self._redis.hlen(key)) > MOST:
            return None
        found = {}
        for name, value in self._redis.hgetall(key).items():
            one, number = series_of(str(name)), number_of(str(value))
            if one is not None and number is not None:
                found[one] = number
        return found


def _table_of(series: Series) -> str:
    return _PROJECTS if is_of_project(series) else _SEEN


def is_of_project(series: Series) -> bool:
    """Whether there is one for each project of a registry."""
    return any(label == "project" for label, _ in series.labels)


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
