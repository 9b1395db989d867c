"""What handles pushes need beside what every crawl needs, whom they tell, and what
tells a crawl that somebody has pushed meanwhile."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, Literal, Protocol, TypeAlias

from msgspec import Struct

from weighbridge.engine.writer.writer import Writer
from weighbridge.errors import StoreError
from weighbridge.store.leases.jobs import Job
from weighbridge.store.pushes.push_queue import PushedTo, are_pushed_to

Verdict: TypeAlias = Literal["pass", "warn", "fail", "error"]
"""What policies say of a pushed tag; `error`: it could not be read."""


class JudgedTag(Struct, frozen=True):
    """A pushed tag whose verdict is stored.

    received_at:      when the first of the events came that tell of it
    compressed_bytes: of each image that was not known before
    """

    tag: str
    outcome: str
    verdict: Verdict
    received_at: datetime
    compressed_bytes: Sequence[int] = ()


class PushCallbacks(Struct, frozen=True):
    """Of one registry.

    registry:  as configured
    judged:    told of tags whose verdict is stored, and that there may be something to
               be told to people
    whole:     told that a whole crawl of a repository is due
    measuring: the job that measures what an attempt did not come to; None where only
               crawls do
    """

    registry: str
    judged: Callable[[Sequence[JudgedTag]], None]
    whole: Callable[[str], None]
    measuring: Job | None = None

    def to(self, repository: str) -> PushedTo:
        """How events name one of its repositories."""
        return PushedTo(self.registry, repository)


POLL_S: Final = 0.25


class Watched(Protocol):
    """Whoever wants to know."""

    @property
    def is_handling(self) -> bool:
        """Whether it need not be told now."""

    def handle(self) -> None:
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
            await asyncio.sleep(POLL_S)
            # Those that end meanwhile are not told.
            asked = {to: w for to, w in self._watched.items() if not w.is_handling}
            try:
                pushed = await self._writer.read(are_pushed_to, asked, self._clock())
            except StoreError as exc:
                for _, watched in self._still(asked):
                    watched.fail(exc)
                continue
            for to, watched in self._still(asked):
                if to in pushed:
                    watched.handle()

    def _still(self, asked: dict[PushedTo, Watched]) -> list[tuple[PushedTo, Watched]]:
        return [(to, w) for to, w in asked.items() if self._watched.get(to) is w]
