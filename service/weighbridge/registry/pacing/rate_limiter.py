"""The gate before a registry: slots, a rate, a time that it asked us to keep, and the
order in which those who wait are let in; by clocks that tests replace.
"""

import asyncio
import random
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from enum import IntEnum
from math import inf
from typing import Final, TypeAlias

from msgspec import Struct

from weighbridge.domain.limits import RETRY_AFTER_MAX_S
from weighbridge.domain.registry.rate_limit import RequestRate, Slots, open_to_all
from weighbridge.errors import RateLimited
from weighbridge.ports.protocols import Demand, Pacing


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Clock(Struct, frozen=True):
    """monotonic: seconds that only grow, for waits and lives of tokens
    now:       aware UTC, for dates that a server names
    sleep:     waits that many seconds
    jitter:    0 to 1, so that clients which failed together come back apart
    """

    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = _utc_now
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = random.random


Place: TypeAlias = asyncio.Future[None]


class Rank(IntEnum):
    """Who goes first.

    URGENT:   somebody waits for the answer: a push
    AHEAD:    it has waited once and holds what does not keep (a token), or finishes
              what is half read
    ORDINARY: all others
    """

    URGENT = 0
    AHEAD = 1
    ORDINARY = 2


_RANKS: Final = tuple(Rank)


class WaitOrder:
    """By rank, and inside a rank in turn by whose they are: a repository with two
    hundred questions does not hold up one with two."""

    def __init__(self) -> None:
        self._ranks: tuple[OrderedDict[object, deque[Place]], ...] = tuple(
            OrderedDict() for _ in Rank
        )
        self._counts = [0 for _ in Rank]
        self._total = 0

    def __len__(self) -> int:
        return self._total

    @property
    def urgent(self) -> int:
        """How many of them are urgent."""
        return self._counts[Rank.URGENT]

    @property
    def first(self) -> Rank | None:
        """The rank of the one who is next. Who waits no more is left out."""
        for rank in _RANKS:
            while self._counts[rank]:
                if not next(iter(self._ranks[rank].values()))[0].cancelled():
                    return rank
                self.pop(rank)
        return None

    def add(self, rank: Rank, owner: object, place: Place) -> None:
        """Let somebody wait."""
        self._ranks[rank].setdefault(owner, deque()).append(place)
        self._counts[rank] += 1
        self._total += 1

    def pop(self, rank: Rank) -> Place:
        """The next of this rank. The next after it is another owner's."""
        owners = self._ranks[rank]
        owner, places = next(iter(owners.items()))
        place = places.popleft()
        self._counts[rank] -= 1
        self._total -= 1
        if places:
            owners.move_to_end(owner)
        else:
            del owners[owner]
        return place

    def discard(self, rank: Rank, owner: object, place: Place) -> None:
        """Who may have been waiting does so no longer."""
        places = self._ranks[rank].get(owner, deque())
        if place not in places:
            return
        places.remove(place)
        self._counts[rank] -= 1
        self._total -= 1
        if not places:
            del self._ranks[rank][owner]


_HALVE_AGAIN_S: Final = 1.0
"""One burst of refusals is one sign, not thirty."""
_OVERLOADED: Final = frozenset((429, 503))


def _nobody_counts(seconds: float) -> None:
    """Stands in where no one asks how long requests waited."""


PATIENCE_S: Final = RETRY_AFTER_MAX_S
"""A crawl waits so long in all because a registry asked for it. Who answers every
question with another wait would otherwise hold a crawl for days."""
_EARNED_S: Final = 1.0
"""A good answer makes up for so much waiting."""


class RateLimiter:
    """One for each registry, shared by all that asks it in this process.

    `async with gate.turn(...):` around one request, `gate.saw(...)` after it. Inside
    it a request has a slot and its turn in the rate, and no pause that the registry
    asked for holds; who waits holds none of these. Of two slots or more one is kept
    for who is urgent. A wait of 15 minutes or more is not slept: RateLimited says
    when to come back.

    requests_per_second: None for no limit; with `pacing` that is its matter
    pacing: what is shared with other processes that ask this registry
    """

    def __init__(
        self,
        *,
        concurrency: int,
        requests_per_second: float | None,
        clock: Clock,
        pacing: Pacing | None = None,
    ) -> None:
        self._clock = clock
        self._most = concurrency
        self._allowed = float(concurrency)
        self._slots = Slots(concurrency)
        self._waiting = WaitOrder()
        has_rate = pacing is None and requests_per_second is not None
        self._rate = RequestRate(requests_per_second or 1.0) if has_rate else None
        self._pacing = pacing
        self._not_before = 0.0
        self._asked_to_wait_s = 0.0
        self._halved_at = float("-inf")
        self._alarm: asyncio.Task[None] | None = None
        self._alarm_at = inf
        if pacing is not None:
            pacing.serve(self)

    @property
    def slots(self) -> int:
        """Requests that may be under way now."""
        return self._slots.most

    @asynccontextmanager
    async def turn(
        self,
        rank: Rank = Rank.ORDINARY,
        owner: object = None,
        on_wait: Callable[[float], None] = _nobody_counts,
    ) -> AsyncIterator[None]:
        """The way in and out, for one request.

        owner:   whose it is; of those who wait, owners are served in turn
        on_wait: told of the seconds that it waited, if it had to
        """
        await self.enter(rank, owner, on_wait)
        try:
            yield
        finally:
            self.leave(rank)

    async def enter(
        self, rank: Rank, owner: object, on_wait: Callable[[float], None]
    ) -> None:
        """Wait as the class says; whoever has entered must `leave`."""
        began = self._clock.monotonic()
        if not self._waiting and self._try(rank, began) <= 0:
            return
        place: Place = asyncio.get_running_loop().create_future()
        self._waiting.add(rank, owner, place)
        self._admit()
        try:
            await place
        except asyncio.CancelledError:
            if not place.done() or place.cancelled():
                self._waiting.discard(rank, owner, place)
                self._admit()
            elif place.exception() is None:
                self.leave(rank)  # it was let in in the same moment
            raise
        finally:
            waited = self._clock.monotonic() - began
            if waited > 0:
                on_wait(waited)

    def leave(self, rank: Rank) -> None:
        """The request is over; see `enter`."""
        is_urgent = rank is Rank.URGENT
        self._slots.drop(is_urgent=is_urgent)
        if self._pacing is not None:
            self._pacing.leave(is_urgent=is_urgent)
        if self._waiting:
            self._admit()

    def saw(self, status: int | None, retry_after: float | None = None) -> None:
        """Learn from an answer; `status` None means that none came in time."""
        now = self._clock.monotonic()
        if retry_after is not None:
            until = max(self._not_before, now + retry_after)
            self._asked_to_wait_s += until - max(self._not_before, now)
            self._not_before = until
            if retry_after > 0 and self._pacing is not None:
                self._pacing.pause(retry_after)
        if status is not None and status not in _OVERLOADED:
            self._asked_to_wait_s = max(0.0, self._asked_to_wait_s - _EARNED_S)
            if self._allowed < self._most:
                self._allow(min(self._most, self._allowed + 1.0 / self._allowed))
        elif now - self._halved_at >= _HALVE_AGAIN_S:
            self._halved_at = now
            self._allow(max(1.0, self._allowed / 2))

    def demand(self) -> Demand:
        """See `ports.Asker`. Only those who might go if others left them room."""
        ordinary = len(self._waiting) - self._waiting.urgent
        return Demand(
            min(ordinary, self._slots.room),
            min(self._waiting.urgent, self._slots.most - self._slots.busy),
        )

    def wake(self) -> None:
        """See `ports.Asker`."""
        self._admit()

    def _allow(self, slots: float) -> None:
        self._allowed = slots
        self._slots.limit(int(slots), open_to_all(int(slots)))
        self._admit()

    def _try(self, rank: Rank, now: float) -> float:
        """0: a request of this rank is in. Else the seconds until it may be, without
        end where another has to leave first; nothing is taken then."""
        is_urgent = rank is Rank.URGENT
        if self._not_before > now:
            return self._not_before - now
        if not self._slots.has_room(is_urgent=is_urgent):
            return inf
        wait = 0.0
        if self._rate is not None:
            wait = self._rate.enter(now, is_urgent=is_urgent)
        elif self._pacing is not None:
            wait = self._pacing.enter(is_urgent=is_urgent)
        if wait <= 0:
            self._slots.take(is_urgent=is_urgent)
        return wait

    def _admit(self) -> None:
        """Let in who may go. What stops one stops all who come after it too."""
        if self._waiting and self._slots.busy >= self._slots.most:
            return  # Nobody, until one leaves.
        now = self._clock.monotonic()
        while (rank := self._waiting.first) is not None:
            wait = self._try(rank, now)
            if wait <= 0:
                self._waiting.pop(rank).set_result(None)
            elif (why := self._why_not(now, wait)) is not None:
                self._waiting.pop(rank).set_exception(why)
            else:
                self._look_again(now + wait)
                return
        self._look_again(inf)

    def _why_not(self, now: float, wait: float) -> RateLimited | None:
        """The error for who would wait too long."""
        if self._not_before > now and self._asked_to_wait_s > PATIENCE_S:
            return _out_of_patience(wait)
        # A Retry-After at its cap counts as well: the registry meant that, or more.
        return _too_long(wait) if RETRY_AFTER_MAX_S <= wait < inf else None

    def _look_again(self, at: float) -> None:
        """Admit at that time at the latest, if anybody waits then."""
        if self._alarm is not None and self._alarm_at <= at < inf:
            return
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        self._alarm_at = at
        if at < inf:
            self._alarm = asyncio.create_task(self._ring(at))

    async def _ring(self, at: float) -> None:
        await self._clock.sleep(max(0.0, at - self._clock.monotonic()))
        self._alarm = None
        self._admit()


def _out_of_patience(wait: float) -> RateLimited:
    return RateLimited(
        f"the registry has sent us away for more than {PATIENCE_S / 60:.0f} minutes"
        " in all and answered little in between",
        hint="the next crawl continues from here",
        retry_after=wait,
    )


def _too_long(wait: float) -> RateLimited:
    return RateLimited(
        f"the registry is not to be asked again for {wait / 60:.0f} minutes",
        hint="the next crawl continues from here",
        retry_after=wait,
    )
