"""Lets the first request of a kind go ahead of all others of it.

What its answer teaches (that a token is wanted, and where it is to be had) is then
learned once, and not by two hundred requests that were sent together.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from msgspec import Struct, field

PATIENCE_S: Final = 5.0
"""A first request that takes longer keeps nobody waiting."""
_KEPT: Final = 1024


class _First(Struct, frozen=True):
    is_urgent: bool
    is_over: asyncio.Event = field(default_factory=asyncio.Event)


class FirstRequests:
    """By key. Whoever is first must `leave`, whatever came of the request."""

    def __init__(self) -> None:
        self._under_way: dict[str, _First] = {}
        self._answered: OrderedDict[str, None] = OrderedDict()

    async def is_first(
        self, key: str, is_known: Callable[[], bool], *, is_urgent: bool = False
    ) -> bool:
        """Whether to go ahead of the others. False once a request of this key was
        answered or `is_known` holds; until then it waits, for `PATIENCE_S` at most.
        Where the first one got no answer, the next one goes ahead. Who is urgent does
        not wait for one that is not, which may stand in a long queue."""
        decided = self._decide(key, is_known, is_urgent=is_urgent)
        if decided is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE_S):
                    while decided is None:
                        await self._under_way[key].is_over.wait()
                        decided = self._decide(key, is_known, is_urgent=is_urgent)
        return bool(decided)

    def _decide(
        self, key: str, is_known: Callable[[], bool], *, is_urgent: bool
    ) -> bool | None:
        """See `is_first`; None: it has to wait for the one that is under way."""
        if key in self._answered or is_known():
            return False
        first = self._under_way.get(key)
        if first is None:
            self._under_way[key] = _First(is_urgent)
            return True
        return False if is_urgent and not first.is_urgent else None

    def note_answered(self, key: str) -> None:
        """A request of this key was answered as it was."""
        self._answered[key] = None
        if len(self._answered) > _KEPT:
            self._answered.popitem(last=False)

    def leave(self, key: str) -> None:
        """The first request has ended, or has taught what there is to learn."""
        if (first := self._under_way.pop(key, None)) is not None:
            first.is_over.set()
