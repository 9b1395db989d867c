"""Questions for manifests that wait together are one question.

A crawl asks for one manifest at a time, for many tags side by side. What is asked while
another question is under way is collected, and goes with the next one: so a question
holds as many as there are, and nobody waits for others that may never come.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from weighbridge.domain.image.digest import Digest
from weighbridge.errors import WeighbridgeError
from weighbridge.ports.protocols import IS_URGENT
from weighbridge.registry.kinds.ecr.ecr_api import BATCH, FetchedBatch
from weighbridge.registry.pacing.rate_limiter import Clock

_GATHER_S: Final = 0.02
"""How long the first one waits for those that are asked in the same moment."""
FetchBatch: TypeAlias = Callable[[str, Sequence[Digest]], Awaitable[FetchedBatch]]
_Key: TypeAlias = tuple[str, bool]


@dataclass(slots=True)
class _Questions:
    """Of one repository."""

    answers: dict[Digest, asyncio.Future[FetchedBatch]] = field(default_factory=dict)
    is_collected: bool = False


class ManifestBatches:
    """fetch: asks for at most `BATCH` manifests of a repository

    Who is urgent does not wait for those that are not.
    """

    def __init__(self, fetch: FetchBatch, clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._waiting: dict[_Key, _Questions] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def fetched(self, repository: str, digest: Digest) -> FetchedBatch:
        """An answer to a question that had this digest among others. Raises what
        `fetch` raises."""
        key = repository, IS_URGENT.get()
        waiting = self._waiting.setdefault(key, _Questions())
        answer = waiting.answers.get(digest)
        if answer is None:
            answer = asyncio.get_running_loop().create_future()
            waiting.answers[digest] = answer
        if len(waiting.answers) >= BATCH:
            self._begin(self._ask(repository, self._take(waiting)))
        elif not waiting.is_collected:
            waiting.is_collected = True
            self._begin(self._collect(key, waiting))
        # Shielded: one request that is cancelled does not end it for the others.
        return await asyncio.shield(answer)

    async def aclose(self) -> None:
        """End what is under way."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # Any: what a coroutine is sent and yields is asyncio's own business.
    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _collect(self, key: _Key, waiting: _Questions) -> None:
        try:
            while waiting.answers:
                if not key[1]:
                    await self._clock.sleep(_GATHER_S)
                if waiting.answers:
                    await self._ask(key[0], self._take(waiting))
        finally:
            waiting.is_collected = False
            for answer in waiting.answers.values():
                answer.cancel()
            if self._waiting.get(key) is waiting:
                del self._waiting[key]

    def _take(self, waiting: _Questions) -> dict[Digest, asyncio.Future[FetchedBatch]]:
        taken = dict(list(waiting.answers.items())[:BATCH])
        for digest in taken:
            del waiting.answers[digest]
        return taken

    async def _ask(
        self, repository: str, taken: dict[Digest, asyncio.Future[FetchedBatch]]
    ) -> None:
        """Tell all who wait what came of it."""
        answers = taken.values()
        try:
            batch = await self._fetch(repository, list(taken))
            for answer in answers:
                if not answer.done():
                    answer.set_result(batch)
        except WeighbridgeError as error:
            for answer in answers:
                if not answer.done():
                    answer.set_exception(error)
                    answer.exception()  # seen, even where whoever asked has gone
        finally:
            for answer in answers:
                answer.cancel()  # of those that were told nothing
