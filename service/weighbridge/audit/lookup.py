"""Which digests the store knows already, asked in batches."""

import asyncio
from collections.abc import Awaitable, Callable, Collection

from weighbridge.domain.digest import Digest

FindKnown = Callable[[Collection[Digest]], Awaitable[set[Digest]]]


class KnownDigests:
    """Gathers the questions of one turn of the event loop into one query."""

    def __init__(self, find: FindKnown) -> None:
        self._find = find
        self._waiting: dict[Digest, asyncio.Future[bool]] = {}
        self._asking: set[asyncio.Task[None]] = set()

    async def contains(self, digest: Digest) -> bool:
        """Whether the facts of this manifest are in the store."""
        future = self._waiting.get(digest)
        if future is None:
            loop = asyncio.get_running_loop()
            future = self._waiting[digest] = loop.create_future()
            if len(self._waiting) == 1:
                loop.call_soon(self._ask)
        return await asyncio.shield(future)

    def _ask(self) -> None:
        batch, self._waiting = self._waiting, {}
        task = asyncio.ensure_future(self._answer(batch))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _answer(self, batch: dict[Digest, asyncio.Future[bool]]) -> None:
        try:
            known = await self._find(batch.keys())
        except BaseException as exc:
            for future in batch.values():
                if not future.done():
                    future.set_exception(exc)
            # Nobody may be waiting any more; asyncio must not complain then.
            for future in batch.values():
                future.exception()
            if not isinstance(exc, Exception):
                raise
            return
        for digest, future in batch.items():
            if not future.done():
                future.set_result(digest in known)


async def nothing_known(digests: Collection[Digest]) -> set[Digest]:
    """The `find` of a weighing without a store."""
    return set()
