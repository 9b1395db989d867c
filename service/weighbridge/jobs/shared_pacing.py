"""The gate before a registry that several processes share, kept in Redis.

Each process has a gate of its own as well (`registry.pacing`), which knows no others.
Times are those of Redis' clock: the processes may run on machines whose clocks differ.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final, Protocol

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from weighbridge.domain.limits import REQUEST_DEADLINE_S, RETRY_AFTER_MAX_S
from weighbridge.domain.secret import Secret
from weighbridge.errors import RateLimited
from weighbridge.jobs.broker import GIVE_UP_S
from weighbridge.jobs.roll import is_wrong_type
from weighbridge.ports import IS_URGENT

_ENTER: Final = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local slots, due_key, pause, askers, ahead = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local slot, limit, interval, ttl, process = ARGV[1], tonumber(ARGV[2]),
    tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local is_urgent, longest = ARGV[6] == '1', tonumber(ARGV[7])
redis.call('ZADD', askers, now, process)
redis.call('ZREMRANGEBYSCORE', askers, 0, now - 60000)
redis.call('ZREMRANGEBYSCORE', askers, now + 60000, '+inf')
redis.call('PEXPIRE', askers, 60000)
local crew = redis.call('ZCARD', askers)
local paused = (tonumber(redis.call('GET', pause)) or 0) - now
if paused > 0 and paused <= longest then return {0, paused, crew} end
redis.call('ZREMRANGEBYSCORE', slots, 0, now)
redis.call('ZREMRANGEBYSCORE', slots, now + ttl + 60000, '+inf')
if not is_urgent and redis.call('EXISTS', ahead) == 1 then return {0, 20, crew} end
if redis.call('ZCARD', slots) >= limit then
    if is_urgent then redis.call('SET', ahead, '1', 'PX', 250) end
    return {0, is_urgent and 5 or 20, crew}
end
local wait = 0
if interval > 0 then
    local slack = math.max(1000, interval)
    local due = math.max(tonumber(redis.call('GET', due_key)) or 0, now)
    if due > now + longest then due = now end
    due = due + interval
    wait = math.max(0, math.ceil(due - slack - now))
    if wait >= 1000 then return {0, wait, crew} end
    redis.call('SET', due_key, tostring(due), 'PX', math.ceil(due - now) + 1000)
end
if is_urgent then redis.call('DEL', ahead) end
redis.call('ZADD', slots, now + ttl + wait, slot)
redis.call('PEXPIRE', slots, ttl + wait)
return {1, wait, crew}
"""
"""Takes a slot and a turn (GCRA: one number), or says how long to wait: until the end
of a pause, for a slot, for a turn that is too far away to be kept. Who is urgent and
finds no slot keeps all others out until the next one is free. What is further away
than anything is ever put off was kept by a clock that was ahead, and does not count."""
_PAUSE: Final = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local until_ms = now + tonumber(ARGV[1])
local before = tonumber(redis.call('GET', KEYS[1])) or 0
if until_ms > before or before > now + tonumber(ARGV[2]) then
    redis.call('SET', KEYS[1], string.format('%d', until_ms), 'PX', ARGV[1])
end
"""
_NAMES: Final = ("slots", "due", "pause", "askers", "ahead")
_LONGEST_MS: Final = int(2 * RETRY_AFTER_MAX_S * 1000)
QUIET_S: Final = 5.0
"""So long Redis is not asked again where it was away."""
_LEFT_MAX: Final = 1_000
_CREW_UNKNOWN: Final = 8
"""So many processes are assumed to ask where Redis has not told."""


class Pace(Protocol):
    """How fast a registry may be asked by all processes together."""

    @property
    def requests_per_second(self) -> float | None: ...

    @property
    def concurrency(self) -> int: ...


class SharedPaces:
    """The connection of one event loop, for the paces of all registries.

    give_up_s: Redis is away if it has not answered within so many seconds
    """

    def __init__(self, redis_url: Secret, *, give_up_s: float = GIVE_UP_S) -> None:
        self._redis = Redis.from_url(
            redis_url.reveal(),
            socket_timeout=give_up_s,
            socket_connect_timeout=give_up_s,
            retry=Retry(NoBackoff(), 0),
        )

    def of(self, registry: str, pace: Pace) -> "SharedPacing":
        """The gate before one registry."""
        return SharedPacing(self._redis, registry, pace)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._redis.aclose()


class SharedPacing:
    """`ports.Pacing` over Redis. Without Redis a process keeps to its share: the
    limits, divided by how many processes asked this registry last."""

    def __init__(
        self,
        redis: "Redis",
        registry: str,
        pace: Pace,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis = redis
        self._registry = registry
        self._pace = pace
        self._sleep = sleep
        self._monotonic = monotonic
        self._process = secrets.token_hex(8)
        self._share = Share(pace, monotonic)
        self._quiet_until = float("-inf")
        self._left: set[str] = set()
        self._enter = redis.register_script(_ENTER)
        self._note_pause = redis.register_script(_PAUSE)
        self._log = structlog.get_logger("weighbridge.pacing")

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """See `ports.Pacing`."""
        slot = await self._take()
        try:
            yield
        finally:
            await self._drop(slot)

    async def pause(self, seconds: float) -> None:
        """See `ports.Pacing`."""
        self._share.pause(seconds)
        try:
            await self._note_pause(
                keys=[self._key("pause")],
                args=[max(1, int(seconds * 1000)), _LONGEST_MS],
            )
        except (RedisError, OSError) as exc:
            self._note_away(exc)

    async def _take(self) -> str | None:
        """A slot of Redis, or None for one of our share."""
        while True:
            # Another name each time: what is given back is not asked for again.
            slot = (
                secrets.token_hex(8) if self._monotonic() >= self._quiet_until else None
            )
            is_in, wait_s = await self._ask(slot) if slot else self._share.enter()
            if wait_s >= RETRY_AFTER_MAX_S:
                raise RateLimited(
                    f"the registry is not to be asked again for {wait_s / 60:.0f}"
                    " minutes",
                    hint="the next crawl continues from here",
                    retry_after=wait_s,
                )
            if wait_s > 0:
                try:
                    await self._sleep(wait_s)
                except BaseException:
                    if is_in:
                        await self._drop(slot)
                    raise
            if is_in:
                return slot

    async def _ask(self, slot: str) -> tuple[bool, float]:
        """Whether we are in, and how long to wait before that or before we ask again;
        at once where Redis is away."""
        rate = self._pace.requests_per_second
        arguments: list[str | int | float] = [
            slot,
            self._pace.concurrency,
            0 if rate is None else 1000 / rate,
            int(REQUEST_DEADLINE_S * 1000),
            self._process,
            int(IS_URGENT.get()),
            _LONGEST_MS,
        ]
        keys = [self._key(name) for name in _NAMES]
        try:
            if self._left:
                await self._give_back()
            is_in, wait_ms, crew = await self._enter(keys=keys, args=arguments)
        except (RedisError, OSError) as exc:
            self._note_left(slot)  # It may let us in yet, when nobody listens.
            self._note_away(exc)
            if is_wrong_type(exc):
                await self._forget(keys)
            return False, 0.0
        except asyncio.CancelledError:
            await asyncio.shield(self._leave(slot))  # It may have let us in.
            raise
        self._share.crew = max(1, int(crew))
        return bool(is_in), int(wait_ms) / 1000

    async def _drop(self, slot: str | None) -> None:
        if slot is None:
            self._share.leave()
        else:
            await asyncio.shield(self._leave(slot))

    async def _leave(self, slot: str) -> None:
        self._note_left(slot)
        try:
            await self._give_back()
        except (RedisError, OSError) as exc:
            self._note_away(exc)

    def _note_left(self, slot: str) -> None:
        if len(self._left) >= _LEFT_MAX:
            self._left.clear()  # Redis was away for long: they have ended there.
        self._left.add(slot)

    async def _give_back(self) -> None:
        """All slots that Redis may still count as ours; else they end by themselves,
        a minute later."""
        left = frozenset(self._left)
        await self._redis.zrem(self._key("slots"), *left)
        self._left -= left

    async def _forget(self, keys: list[str]) -> None:
        """Of all names there these are ours alone: what is of a wrong type has been
        put there by a mistake, and would stay for ever."""
        with suppress(RedisError, OSError):
            await self._redis.delete(*keys)

    def _note_away(self, exc: BaseException) -> None:
        if self._monotonic() >= self._quiet_until:
            self._log.warning(
                "Redis does not answer: this process keeps to its share of the limits",
                registry=self._registry,
                why=type(exc).__name__,
            )
        self._quiet_until = self._monotonic() + QUIET_S

    def _key(self, name: str) -> str:
        return f"weighbridge:pace:{self._registry}:{name}"


class Share:
    """What one of several processes may ask while they know nothing of each other.

    crew: how many there are
    """

    def __init__(self, pace: Pace, monotonic: Callable[[], float]) -> None:
        self.crew = _CREW_UNKNOWN
        self._pace = pace
        self._monotonic = monotonic
        self._busy = 0
        self._due = 0.0
        self._not_before = 0.0

    def enter(self) -> tuple[bool, float]:
        """Whether we are in, and how long to wait before that or before we ask again;
        who is in must `leave`."""
        now = self._monotonic()
        if self._not_before > now:
            return False, self._not_before - now
        if self._busy >= max(1, self._pace.concurrency // self.crew):
            return False, 0.02
        wait_s = 0.0
        rate = self._pace.requests_per_second
        if rate is not None:
            wait_s = max(0.0, self._due - now)
            self._due = max(self._due, now) + self.crew / rate
        self._busy += 1
        return True, wait_s

    def leave(self) -> None:
        """Give a slot back."""
        self._busy -= 1

    def pause(self, seconds: float) -> None:
        """Let nobody in for so long."""
        self._not_before = max(self._not_before, self._monotonic() + seconds)
