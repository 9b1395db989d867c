"""Runs awaitables side by side so that none outlives the first failure."""

import asyncio
from collections.abc import Awaitable, Coroutine, Iterable
from types import TracebackType
from typing import Any, TypeVar

T = TypeVar("T")


async def together(awaitables: Iterable[Awaitable[T]]) -> list[T]:
    """Their results in order. The first error is raised once all others have
    been cancelled and have ended."""
    tasks = [asyncio.ensure_future(item) for item in awaitables]
    try:
        return list(await asyncio.gather(*tasks))
    except BaseException:
        await cancel(tasks)
        raise


async def cancel(tasks: Iterable["asyncio.Future[T]"]) -> None:
    """Cancel them and wait until they have ended, whatever they end with."""
    cancelled = list(tasks)
    if not cancelled:
        return
    for task in cancelled:
        task.cancel()
    await asyncio.gather(*cancelled, return_exceptions=True)


async def cancel_begun(tasks: Iterable["asyncio.Future[T]"]) -> None:
    """The same, but one that was made just now begins first: what it does at its end is
    done."""
    made = list(tasks)
    try:
        await asyncio.sleep(0)
    finally:
        await cancel(made)


class TaskGroup:
    """Runs coroutines side by side; the block ends when all have ended.

    The first error interrupts the block wherever it waits, ends the others, and is
    raised as it is: an `asyncio.TaskGroup` would wrap it.
    """

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._failed: BaseException | None = None
        self._changed = asyncio.Event()
        self._owner: asyncio.Task[Any] | None = None  # Any: whatever it returns
        self._is_interrupted = False

    async def __aenter__(self) -> "TaskGroup":
        self._owner = asyncio.current_task()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        interrupted: BaseException | None = None
        if error is None:
            try:
                await self.finish()
            except asyncio.CancelledError as exc:
                interrupted = exc
        owner, self._owner = self._owner, None
        await cancel(set(self._tasks))
        if self._is_interrupted and owner is not None:
            owner.uncancel()
        if self._failed is not None:
            raise self._failed
        if interrupted is not None:
            raise interrupted

    # Any: what a coroutine is sent and yields is asyncio's own business.
    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin a piece of work."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def finish(self) -> None:
        """Wait until nothing is being done."""
        while self._tasks:
            self._changed.clear()
            await self._changed.wait()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._changed.set()
        if task.cancelled() or (error := task.exception()) is None:
            return
        if self._failed is None:
            self._failed = error
            if self._owner is not None:
                self._is_interrupted = True
                self._owner.cancel()
