"""Looks again and again whether somebody has pushed to a repository that is crawled
now: one question for all that one registry's crawl has in hand."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Final, Protocol

from weighbridge.engine.writer.writer import Writer
from weighbridge.errors import StoreError
from weighbridge.store.pushes.push_queue import PushedTo, are_pushed_to

LOOK_S: Final = 0.25


class Watched(Protocol):
    """Whoever wants to know."""

    @property
    def is_looking(self) -> bool:
        """Whether it need not be told now."""

    def look(self) -> None:
        """Something waits that is due."""

    def fail(self, error: StoreError) -> None:
        """Nobody can say."""


class PushWatch:
    """Asks as long as anybody wants to know."""

    def __init__(self, writer: Writer, clock: Callable[[], datetime]) -> None:
        self._writer = writer
        self._clock = clock
        self._watched: dict[PushedTo, Watched] = {}
        self._task: asyncio.Task[None] | None = None

    def begin(self, to: PushedTo, watched: Watched) -> None:
        """Tell it from now on of what is pushed to this repository."""
        self._watched[to] = watched
        if self._task is None:
            self._task = asyncio.create_task(self._watch())

    def end(self, to: PushedTo, watched: Watched) -> None:
        """The opposite."""
        if self._watched.get(to) is watched:
            del self._watched[to]
        if not self._watched and self._task is not None:
            self._task.cancel()
            self._task = None

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            # Those that end meanwhile are not told.
            asked = {to: w for to, w in self._watched.items() if not w.is_looking}
            try:
                pushed = await self._writer.read(are_pushed_to, asked, self._clock())
            except StoreError as exc:
                for _, watched in self._still(asked):
                    watched.fail(exc)
                continue
            for to, watched in self._still(asked):
                if to in pushed:
                    watched.look()

    def _still(self, asked: dict[PushedTo, Watched]) -> list[tuple[PushedTo, Watched]]:
        return [(to, w) for to, w in asked.items() if self._watched.get(to) is w]
