"""The gate before a registry: slots, a rate, and a time that it asked us to keep."""

import asyncio
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Final

from weighbridge.domain.limits import RETRY_AFTER_MAX_S
from weighbridge.errors import RateLimited
from weighbridge.registry.clock import Clock

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


class Gate:
    """One for each registry, shared by all that asks it in this process.

    `async with gate:` around one request, `gate.saw(...)` after it. Inside it a
    request has, in this order: a slot, the end of any pause that the registry asked
    for, and its turn in the rate. A wait of 15 minutes or more is not slept:
    RateLimited says when to come back.
    """

    def __init__(
        self,
        *,
        concurrency: int,
        requests_per_second: float | None,
        clock: Clock,
        on_wait: Callable[[float], None] = _nobody_counts,
    ) -> None:
        self._clock = clock
        self._on_wait = on_wait
        self._most_slots = concurrency
        self._slots = float(concurrency)
        self._busy = 0
        self._ahead_of_all = Ahead(self)
        self._ahead: deque[asyncio.Future[None]] = deque()
        self._queue: deque[asyncio.Future[None]] = deque()
        self._rate = requests_per_second
        # As many as fit into a second may go at once after a rest.
        self._slack = (
            0.0 if requests_per_second is None else max(1.0, 1.0 / requests_per_second)
        )
        self._due = 0.0
        self._not_before = 0.0
        self._asked_to_wait_s = 0.0
        self._halved_at = float("-inf")

    @property
    def slots(self) -> int:
        """Requests that may be under way now."""
        return int(self._slots)

    async def __aenter__(self) -> "Gate":
        await self.enter(is_ahead=False)
        return self

    @property
    def ahead(self) -> "Ahead":
        """The same before all others that wait for a slot: for who has waited once,
        and holds what does not keep (a token), or finishes what is half read."""
        return self._ahead_of_all

    async def enter(self, *, is_ahead: bool) -> None:
        """Wait as the class says; whoever has entered must `leave`."""
        began = self._clock.monotonic()
        if self._is_open(began):
            self._busy += 1
            return
        await self._take_slot(is_ahead=is_ahead)
        try:
            await self._wait_for_turn()
        except BaseException:
            self.leave()
            raise
        finally:
            waited = self._clock.monotonic() - began
            if waited > 0:
                self._on_wait(waited)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.leave()

    def saw(self, status: int | None, retry_after: float | None = None) -> None:
        """Learn from an answer; `status` None means that none came in time."""
        now = self._clock.monotonic()
        if retry_after is not None:
            until = max(self._not_before, now + retry_after)
            self._asked_to_wait_s += until - max(self._not_before, now)
            self._not_before = until
        if status is not None and status not in _OVERLOADED:
            self._asked_to_wait_s = max(0.0, self._asked_to_wait_s - _EARNED_S)
            self._grow()
        elif now - self._halved_at >= _HALVE_AGAIN_S:
            self._halved_at = now
            self._slots = max(1.0, self._slots / 2)

    def _is_open(self, now: float) -> bool:
        """Whether there is nothing to wait for."""
        return (
            self._rate is None
            and self._not_before <= now
            and self._busy < self.slots
            and not self._is_awaited
        )

    @property
    def _is_awaited(self) -> bool:
        """Whether somebody waits for a slot."""
        return bool(self._ahead or self._queue)

    async def _take_slot(self, *, is_ahead: bool) -> None:
        if self._busy < self.slots and not self._is_awaited:
            self._busy += 1
            return
        queue = self._ahead if is_ahead else self._queue
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.leave()  # it was given in the same moment
            elif place in queue:
                queue.remove(place)
            raise

    def leave(self) -> None:
        """Give a slot back; see `enter`."""
        self._busy -= 1
        self._admit()

    def _admit(self) -> None:
        while self._is_awaited and self._busy < self.slots:
            place = (self._ahead or self._queue).popleft()
            if not place.done():
                self._busy += 1
                place.set_result(None)

    def _grow(self) -> None:
        if self._slots < self._most_slots:
            self._slots = min(self._most_slots, self._slots + 1.0 / self._slots)
            self._admit()

    async def _wait_for_turn(self) -> None:
        turn = None
        while True:
            now = self._clock.monotonic()
            wait = self._not_before - now
            if wait <= 0 and turn is None:
                turn = self._take_turn(now)
            if wait > 0 and self._asked_to_wait_s > PATIENCE_S:
                raise _out_of_patience(wait)
            if turn is not None:
                wait = max(wait, turn - now)
            if wait <= 0:
                return
            _refuse_long(wait)
            await self._clock.sleep(wait)

    def _take_turn(self, now: float) -> float:
        """When this request may go: a virtual schedule (GCRA) with one number."""
        if self._rate is None:
            return now
        due = max(self._due, now) + 1.0 / self._rate
        _refuse_long(due - self._slack - now)
        self._due = due
        return due - self._slack


class Ahead:
    """The way into a gate before all who wait."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    async def __aenter__(self) -> None:
        await self._gate.enter(is_ahead=True)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._gate.leave()


def _out_of_patience(wait: float) -> RateLimited:
    return RateLimited(
        f"the registry has sent us away for more than {PATIENCE_S / 60:.0f} minutes"
        " in all and answered little in between",
        hint="the next crawl continues from here",
        retry_after=wait,
    )


def _refuse_long(wait: float) -> None:
    # A Retry-After at its cap counts as well: the registry meant that, or more.
    if wait >= RETRY_AFTER_MAX_S:
        raise RateLimited(
            f"the registry is not to be asked again for {wait / 60:.0f} minutes",
            hint="the next crawl continues from here",
            retry_after=wait,
        )
