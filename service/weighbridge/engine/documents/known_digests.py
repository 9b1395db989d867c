"""Which digests the store knows already, asked in batches."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator
from typing import TypeAlias

from weighbridge.domain.image.digest import Digest

FindKnown: TypeAlias = Callable[[Collection[Digest]], Awaitable[set[Digest]]]
_Waiting: TypeAlias = dict[Digest, list[asyncio.Future[bool]]]


class KnownDigests:
    """Gathers the questions of one turn of the event loop into one query."""

    def __init__(self, find: FindKnown) -> None:
        self._find = find
        self._waiting: _Waiting = {}
        self._asking: set[asyncio.Task[None]] = set()

    async def contains(self, digest: Digest) -> bool:
        """Whether the facts of this manifest are in the store."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._ask)
        # One for each who asks: who is cancelled takes only their own along.
        future: asyncio.Future[bool] = loop.create_future()
        self._waiting.setdefault(digest, []).append(future)
        return await future

    def _ask(self) -> None:
        batch, self._waiting = self._waiting, {}
        task = asyncio.ensure_future(self._answer(batch))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _answer(self, batch: _Waiting) -> None:
        try:
            known = await self._find(batch.keys())
        except BaseException as exc:
            for future in _open(batch):
                future.set_exception(exc)
                # Nobody may be waiting any more; asyncio must not complain then.
                future.exception()
            if not isinstance(exc, Exception):
                raise
            return
        for digest, futures in batch.items():
            for future in futures:
                if not future.done():
                    future.set_result(digest in known)


def _open(batch: _Waiting) -> Iterator[asyncio.Future[bool]]:
    for futures in batch.values():
        yield from (future for future in futures if not future.done())


async def nothing_known(digests: Collection[Digest]) -> set[Digest]:
    """The `find` of a weighing without a store."""
    return set()
