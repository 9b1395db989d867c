"""One event loop on a thread of its own, for as long as its process lives.

Celery's pools call tasks as plain functions, from one thread (prefork, solo) or from
several. Connections to registries belong to a loop, so there is one for all of them.
"""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

T = TypeVar("T")

_END_S: Final = 10.0


class LoopThread:
    """A running loop. To be made after a fork, not before: threads do not survive."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="weighbridge-loop", daemon=True
        )
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What the coroutine returns or raises; waits for it. If the wait is broken
        off, as by a time limit, the coroutine is cancelled."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            if not future.done():
                future.cancel()
            raise

    def close(self) -> None:
        """Cancel what runs, end the thread."""
        future = asyncio.run_coroutine_threadsafe(_cancel_all(), self._loop)
        try:
            future.result(_END_S)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_END_S)
            if not self._thread.is_alive():
                self._loop.close()


async def _cancel_all() -> None:
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
