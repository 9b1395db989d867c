"""A connection to Redis that never keeps anybody waiting twice: while Redis is away
nobody asks it but a probe."""

import asyncio
import time
from collections.abc import Sequence
from typing import Final, TypeAlias

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.commands.core import AsyncScript
from redis.exceptions import RedisError

from weighbridge.domain.text.printable import Secret
from weighbridge.jobs.redis.broker import GIVE_UP_S

PROBE_S: Final = 0.25
"""So long after a probe failed the next one is sent."""
_LOG_S: Final = 60.0
"""A Redis that comes and goes is told of no more often."""
Argument: TypeAlias = str | int | float


class RedisAwayError(OSError):
    """Redis does not answer."""


class RedisLine:
    """The connections of one event loop.

    give_up_s: Redis is away if it has not answered within so many seconds
    """

    def __init__(self, redis_url: Secret, *, give_up_s: float = GIVE_UP_S) -> None:
        self._redis = Redis.from_url(
            redis_url.reveal(),
            socket_timeout=give_up_s,
            socket_connect_timeout=give_up_s,
            retry=Retry(NoBackoff(), 0),
        )
        self._is_there = asyncio.Event()
        self._is_there.set()
        self._logged_at = float("-inf")
        self._probing: asyncio.Task[None] | None = None
        self._log = structlog.get_logger("weighbridge.pacing")

    def script(self, text: str) -> AsyncScript:
        """A script that `run` takes."""
        return self._redis.register_script(text)

    async def run(
        self, script: AsyncScript, keys: Sequence[str], arguments: Sequence[Argument]
    ) -> list[int]:
        """What a script of ours returns. Raises RedisAwayError, at once where that is
        known already."""
        if not self._is_there.is_set():
            raise RedisAwayError
        try:
            answer: list[int] = await script(keys=keys, args=arguments)
        except (RedisError, OSError) as exc:
            self._note_away(exc)
            raise RedisAwayError from exc
        return answer

    async def back(self) -> None:
        """Wait until Redis answers."""
        await self._is_there.wait()

    async def aclose(self) -> None:
        """Close every connection."""
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.gather(self._probing, return_exceptions=True)
        await self._redis.aclose()

    def _note_away(self, exc: BaseException) -> None:
        if not self._is_there.is_set():
            return  # Several had asked at once.
        self._is_there.clear()
        if time.monotonic() - self._logged_at > _LOG_S:
            self._logged_at = time.monotonic()
            self._log.warning(
                "Redis does not answer: this process keeps to its share of the limits",
                why=type(exc).__name__,
            )
        self._probing = asyncio.create_task(self._probe())

    async def _probe(self) -> None:
        while True:
            await asyncio.sleep(PROBE_S)
            try:
                # A Redis whose memory is full answers, but takes nothing.
                await self._redis.set("weighbridge:probe", "1", px=1000)
            except (RedisError, OSError):
                continue
            break
        self._is_there.set()
