"""Who works, and what waits: noted in Redis, lost with it, soon there again."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from msgspec import Struct
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry

from weighbridge.domain.text.secret import Secret
from weighbridge.jobs.redis.broker import GIVE_UP_S
from weighbridge.jobs.redis.job_messages import sent_at
from weighbridge.ports.job_names import QUEUES

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


def redis_client(redis_url: Secret, *, give_up_s: float = GIVE_UP_S) -> "Redis":
    """A client that gives up soon and never tries again by itself."""
    return Redis.from_url(
        redis_url.reveal(),
        socket_timeout=give_up_s,
        socket_connect_timeout=give_up_s,
        retry=Retry(NoBackoff(), 0),
        decode_responses=True,
        # Anybody may have written there, and anything.
        encoding_errors="replace",
    )


def is_wrong_type(exc: BaseException) -> bool:
    """Whether a key holds another kind of value than it is used for."""
    return isinstance(exc, ResponseError) and "WRONGTYPE" in str(exc)


@contextmanager
def ours(redis: "Redis", *keys: str) -> Iterator[None]:
    """Raises OSError where Redis is away or refuses. Keys that are called as only ours
    are and hold something else are deleted: that would stay for ever."""
    try:
        yield
    except RedisError as exc:
        if is_wrong_type(exc):
            with suppress(RedisError):
                redis.delete(*keys)
        raise OSError("Redis does not answer") from exc


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
