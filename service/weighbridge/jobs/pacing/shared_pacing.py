"""The limits of a registry that several processes share, kept in Redis.

A process takes what it needs for some requests at once, uses it by itself, and says
what it has under way a few times a second. No request waits for Redis. Times are those
of Redis' clock: the processes may run on machines whose clocks differ. While Redis is
away nobody asks it but a probe: its connection never keeps anybody waiting twice.
"""

import asyncio
import secrets
import time
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cache
from importlib.resources import files
from math import inf
from typing import Final, NamedTuple, TypeAlias

import structlog
from msgspec import Struct
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.commands.core import AsyncScript
from redis.exceptions import RedisError, ResponseError

from weighbridge.config import Pace
from weighbridge.domain.limits import RETRY_AFTER_MAX_S
from weighbridge.domain.registry.rate_limit import RequestRate, Slots, open_to_all
from weighbridge.domain.text.printable import Secret
from weighbridge.jobs.redis.broker import GIVE_UP_S, ours, redis_client
from weighbridge.ports.protocols import Asker, Demand

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


class PaceSharers(Struct, frozen=True):
    """The processes that asked a registry last.

    rank:    which of them we are; None: not told
    told_at: when Redis said so
    """

    count: int
    rank: int | None
    told_at: float

    def slots(self, concurrency: int) -> tuple[int, int]:
        """Our part of all slots, and of those that are open to all. The parts of
        all make the whole; where there are more processes than slots, the last have
        none."""
        if self.rank is None:
            most = max(1, concurrency // self.count)
            return most, most
        most = self._part(concurrency, self.rank)
        if concurrency <= self.count:
            return most, most
        return most, self._part(open_to_all(concurrency), self.rank)

    def rate(self, pace: Pace, now: float) -> RequestRate | None:
        """Our part of the rate; None for no limit."""
        if pace.requests_per_second is None:
            return None
        # Who has no slot makes no requests.
        asking = self.count if self.rank is None else min(self.count, pace.concurrency)
        rate = RequestRate(pace.requests_per_second / asking)
        rate.spend(now)
        return rate

    def _part(self, whole: int, rank: int) -> int:
        return whole // self.count + (rank < whole % self.count)


NOT_TOLD: Final = PaceSharers(8, None, float("-inf"))
"""What is assumed where Redis has not told how many processes ask."""


SAY_S: Final = 0.1
"""So often a process that asks a registry says so."""
TURN_S: Final = 0.1
"""A turn that was not used for so long is given back."""
REJOIN_S: Final = 1.0
"""So long a process that has found Redis again keeps to its share: until all others
have found it too, and have said what they have under way."""
KNOWN_S: Final = 5.0
"""So long it is believed what Redis told."""
LOST_S: Final = 10.0
"""Whoever was silent for so long was killed: its requests ended with it."""
_SILENT_S: Final = 0.5
"""Who asks is silent for no longer: after a second it is not counted any more."""
_LONGEST_S: Final = 2 * RETRY_AFTER_MAX_S
"""A row or a pause that would last for longer is not of our making."""
_PAUSE: Final = "pause"
_DIGITS: Final = 15
"""Of milliseconds since 1970; longer ones are nobody's time."""


class PacingAnswer(NamedTuple):
    """What `exchange.lua` returns."""

    ordinary: int
    urgent: int
    turns: int
    first_ms: int
    urgent_turns: int
    urgent_first_ms: int
    retry_ms: int
    pause_ms: int
    sharers: int
    rank: int
    is_awaited: int


@cache
def _script() -> str:
    return files("weighbridge.jobs.pacing").joinpath("exchange.lua").read_text()


def _key(registry: str, name: str) -> str:
    return f"weighbridge:pace:{registry}:{name}"


def read_pauses(redis_url: Secret, registries: Iterable[str]) -> dict[str, float]:
    """For how many seconds more no process asks these registries, because they told one
    of them to wait; those without a pause are left out. Raises OSError where Redis is
    away."""
    redis = redis_client(redis_url)
    found: dict[str, float] = {}
    try:
        with ours(redis):
            seconds, microseconds = redis.time()
            now = float(seconds) + float(microseconds) / 1e6
            for registry in registries:
                until = None
                with suppress(ResponseError):  # The key may be somebody else's.
                    until = redis.get(_key(registry, _PAUSE))
                if isinstance(until, str) and until.isdecimal():
                    found[registry] = int(until[:_DIGITS]) / 1000 - now
    finally:
        redis.close()
    return {name: s for name, s in found.items() if 0 < s <= _LONGEST_S}


class SharedPaces:
    """The paces of all registries, for one event loop."""

    def __init__(self, redis_url: Secret, *, give_up_s: float = GIVE_UP_S) -> None:
        self._line = RedisLine(redis_url, give_up_s=give_up_s)
        self._paces: dict[str, SharedPacing] = {}

    def of(self, registry: str, pace: Pace) -> "SharedPacing":
        """The one of this registry, whatever its pace was said to be before."""
        if registry not in self._paces:
            self._paces[registry] = SharedPacing(self._line, registry, pace)
        return self._paces[registry]

    async def aclose(self) -> None:
        """Give back what is held, and close every connection."""
        await asyncio.gather(*(pacing.aclose() for pacing in self._paces.values()))
        await self._line.aclose()


class SharedPacing:
    """`ports.Pacing` over Redis. Without Redis a process keeps to its share: the
    limits, divided by how many processes asked this registry last."""

    def __init__(self, line: RedisLine, registry: str, pace: Pace) -> None:
        self._line = line
        self._script = line.script(_script())
        names = ("processes", "due", _PAUSE, "ahead")
        self._keys = [_key(registry, name) for name in names]
        self._pace = pace
        self._process = secrets.token_hex(8)
        self._asker: Asker | None = None
        self._slots = Slots(0)
        self._turns: list[float] = []
        self._is_away = False
        self._share: RequestRate | None = None
        self._sharers = NOT_TOLD
        self._paused_until = 0.0
        self._pause_to_say = 0.0
        self._retry_at = 0.0
        self._is_awaited = False
        self._is_asking = False
        self._urgent_was_said = False
        self._has_come_back = False
        self._talking: asyncio.Task[None] | None = None
        self._kick = asyncio.Event()

    def serve(self, asker: Asker) -> None:
        """See `ports.Pacing`."""
        self._asker = asker

    def enter(self, *, is_urgent: bool) -> float:
        """See `ports.Pacing`."""
        now = time.monotonic()
        if self._paused_until > now:
            return self._paused_until - now
        wait = inf
        if self._slots.has_room(is_urgent=is_urgent):
            wait = self._wait_for_turn(now, is_urgent=is_urgent)
        if wait <= 0:
            self._slots.take(is_urgent=is_urgent)
        elif not self._is_away and self._is_to_say(now, is_urgent=is_urgent):
            self._say()
        return wait

    def leave(self, *, is_urgent: bool) -> None:
        """See `ports.Pacing`."""
        self._slots.drop(is_urgent=is_urgent)
        if self._is_awaited:
            self._say()

    def pause(self, seconds: float) -> None:
        """See `ports.Pacing`."""
        until = time.monotonic() + seconds
        self._paused_until = max(self._paused_until, until)
        self._pause_to_say = max(self._pause_to_say, until)
        self._say()

    async def aclose(self) -> None:
        """Give back what is held, if Redis is there."""
        if self._talking is not None:
            self._talking.cancel()
            await asyncio.gather(self._talking, return_exceptions=True)
            with suppress(RedisAwayError):
                await self._exchange(Demand(0, 0))

    def _is_to_say(self, now: float, *, is_urgent: bool) -> bool:
        """Whether Redis does not know what we want, or said to ask again by now."""
        if is_urgent and not self._urgent_was_said:
            return True
        is_silent = self._talking is None or self._talking.done()
        return is_silent or (not self._is_asking and now >= self._retry_at)

    def _wait_for_turn(self, now: float, *, is_urgent: bool) -> float:
        if self._pace.requests_per_second is None:
            return 0.0
        if self._is_away and self._share is not None:
            return self._share.enter(now, is_urgent=is_urgent)
        if not self._turns:
            return inf
        if self._turns[0] <= now:
            self._turns.pop(0)
            return 0.0
        return self._turns[0] - now

    def _say(self) -> None:
        """Talk to Redis at once."""
        self._kick.set()
        if self._talking is None or self._talking.done():
            self._talking = asyncio.create_task(self._talk())

    async def _talk(self) -> None:
        """As long as there is something to say."""
        while True:
            self._kick.clear()
            demand = self._demand()
            try:
                await self._exchange(demand)
            except RedisAwayError:
                self._keep_to_share()
                await self._line.back()
                await self._rejoin()
                continue
            if self._is_idle(demand) and self._is_idle(self._demand()):
                return
            await self._until_next()

    async def _rejoin(self) -> None:
        """Say what is under way, until all others have had time to do so too."""
        ends_at = time.monotonic() + REJOIN_S
        with suppress(RedisAwayError):
            while time.monotonic() < ends_at:
                await self._exchange(Demand(0, 0))
                await asyncio.sleep(SAY_S)
            self._is_away = False
            self._has_come_back = True

    async def _exchange(self, demand: Demand) -> None:
        self._urgent_was_said = demand.urgent > 0
        now = time.monotonic()
        unused = self._unused_turns(now, demand)
        under_way = self._under_way()
        pause_s = max(0.0, self._pause_to_say - now)
        rate = self._pace.requests_per_second
        self._is_asking = True
        try:
            told = await self._line.run(
                self._script,
                self._keys,
                [
                    self._process,
                    self._pace.concurrency,
                    0 if rate is None else 1000 / rate,
                    under_way.ordinary,
                    under_way.urgent,
                    demand.ordinary,
                    demand.urgent,
                    max(0, demand.ordinary - len(self._turns)),
                    unused,
                    int(pause_s * 1000),
                    int(self._has_come_back),
                    int(LOST_S * 1000),
                    int(_LONGEST_S * 1000),
                ],
            )
        finally:
            self._is_asking = False
        answer = PacingAnswer(*told)
        if self._pause_to_say <= now + pause_s:
            self._pause_to_say = 0.0
        now = time.monotonic()
        self._paused_until = max(self._paused_until, now + answer.pause_ms / 1000)
        if not self._is_away:
            self._take(answer, now, demand)

    def _under_way(self) -> Demand:
        """What we hold until the answer: others may be given all that is left."""
        slots = self._slots
        if self._is_away:
            return Demand(slots.ordinary, slots.most - slots.ordinary)
        slots.limit(
            min(slots.most, slots.busy), min(slots.ordinary, slots.busy_ordinary)
        )
        return Demand(slots.busy_ordinary, slots.busy - slots.busy_ordinary)

    def _unused_turns(self, now: float, demand: Demand) -> int:
        """How many are given back; they are ours no longer."""
        unused = len(self._turns)
        if not self._is_idle(demand):
            unused = bisect_left(self._turns, now - TURN_S)
        del self._turns[:unused]
        return unused

    def _take(self, answer: PacingAnswer, now: float, said: Demand) -> None:
        self._has_come_back = False
        self._sharers = PaceSharers(answer.sharers, answer.rank, now)
        self._slots.limit(answer.ordinary + answer.urgent, answer.ordinary)
        every_s = 1.0 / (self._pace.requests_per_second or 1.0)
        for first_ms, count in (
            (answer.first_ms, answer.turns),
            (answer.urgent_first_ms, answer.urgent_turns),
        ):
            first = now + first_ms / 1000
            self._turns += (max(now, first + every_s * n) for n in range(count))
        self._turns.sort()
        self._is_awaited = bool(answer.is_awaited)
        self._retry_at = inf
        self._wake()
        left = self._demand()
        # Of those who came while this was on its way Redis does not know.
        is_new = left.ordinary > said.ordinary or left.urgent > said.urgent
        is_to_wait = left != Demand(0, 0) and not is_new
        self._retry_at = now + answer.retry_ms / 1000 if is_to_wait else now

    def _keep_to_share(self) -> None:
        """Redis is away."""
        if not self._is_away:
            self._is_away = True
            now = time.monotonic()
            is_known = now - self._sharers.told_at < KNOWN_S
            sharers = self._sharers if is_known else NOT_TOLD
            self._turns.clear()
            self._slots.limit(*sharers.slots(self._pace.concurrency))
            self._share = sharers.rate(self._pace, now)
        self._wake()

    def _wake(self) -> None:
        if self._asker is not None:
            self._asker.wake()

    def _demand(self) -> Demand:
        return Demand(0, 0) if self._asker is None else self._asker.demand()

    def _is_idle(self, demand: Demand) -> bool:
        return not (self._slots.busy or demand.ordinary or demand.urgent)

    async def _until_next(self) -> None:
        """Until there is something to say, or somebody has to be asked again."""
        now = time.monotonic()
        is_waiting = self._demand() != Demand(0, 0)
        at = self._retry_at if is_waiting else now + SAY_S
        delay_s = min(max(0.0, at - now), _SILENT_S)
        alarm = asyncio.get_running_loop().call_later(delay_s, self._kick.set)
        await self._kick.wait()
        alarm.cancel()
