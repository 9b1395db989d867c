"""Jobs in this process: one thread, one event loop, a few jobs side by side."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Final

import structlog

from weighbridge.errors import WeighbridgeError
from weighbridge.jobs.names import QUEUE_OF, SOON

AT_ONCE: Final = 4
"""A slow registry holds one of these, not the others."""
SOON_AT_ONCE: Final = 8
"""Of the jobs that are never to wait until a long one has ended."""

Handler = Callable[[str], Awaitable[None]]


async def _nothing_open() -> None:
    """Stands in where jobs leave nothing open."""


@dataclass(slots=True)
class _Lane:
    """Jobs that share their places."""

    places: int
    queue: "asyncio.PriorityQueue[tuple[bool, int, str, str]]" = field(
        default_factory=asyncio.PriorityQueue
    )


class InlineJobs:
    """A `JobQueue` over a thread of its own, whose loop lives as long as it does.

    A job that fails is logged and the next one is taken; being due again is the
    database's business. Jobs of the queues `SOON` have places of their own.

    at_end: closes what jobs have opened, on their loop
    """

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        *,
        at_end: Callable[[], Awaitable[None]] = _nothing_open,
    ) -> None:
        self._handlers = dict(handlers)
        self._at_end = at_end
        self._loop = asyncio.new_event_loop()
        self._long, self._soon = _Lane(AT_ONCE), _Lane(SOON_AT_ONCE)
        self._order = count()
        self._waiting: set[tuple[str, str]] = set()
        self._running: set[tuple[str, str]] = set()
        self._again: set[tuple[str, str]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._log = structlog.get_logger("weighbridge.jobs")
        self._main: asyncio.Task[None] | None = None
        self._is_closing = False
        self._thread = threading.Thread(
            target=self._run, name="weighbridge-jobs", daemon=True
        )

    def start(self) -> None:
        self._thread.start()

    def put(self, job: str, argument: str, *, first: bool = False) -> None:
        """See `ports.JobQueue`. May be called from any thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._enqueue, job, argument, first)

    def close(self, timeout_s: float = 10.0) -> None:
        """Cancel the jobs that run, drop those that wait, end the thread."""
        if not self._thread.is_alive():
            return
        self._loop.call_soon_threadsafe(self._cancel)
        self._thread.join(timeout_s)

    def _enqueue(self, job: str, argument: str, first: bool) -> None:
        key = (job, argument)
        is_soon = QUEUE_OF.get(job) in SOON
        if key in self._running:
            # What a long one leaves due is asked for again when it has ended; but
            # nobody is to wait for that who came while a short one was being done.
            if is_soon:
                self._again.add(key)
        elif key not in self._waiting:
            self._waiting.add(key)
            lane = self._soon if is_soon else self._long
            lane.queue.put_nowait((not first, next(self._order), job, argument))

    def _cancel(self) -> None:
        self._is_closing = True
        if self._main is not None:
            self._main.cancel()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._main = self._loop.create_task(self._work())
        try:
            self._loop.run_until_complete(self._main)
        except asyncio.CancelledError:
            pass
        finally:
            self._loop.run_until_complete(self._end(self._at_end))
            self._loop.run_until_complete(self._end_what_is_left())
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    async def _end(self, at_end: Callable[[], Awaitable[None]]) -> None:
        try:
            await at_end()
        except Exception as exc:  # noqa: BLE001 - the thread must come to its end
            self._log.error("a part failed", code="bug", why=repr(exc))

    async def _end_what_is_left(self) -> None:
        """Tasks that a job began and did not wait for."""
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _work(self) -> None:
        await asyncio.gather(self._work_at(self._long), self._work_at(self._soon))

    async def _work_at(self, lane: _Lane) -> None:
        places = asyncio.Semaphore(lane.places)
        while True:
            await places.acquire()
            _, _, job, argument = await lane.queue.get()
            self._waiting.discard((job, argument))
            self._running.add((job, argument))
            task = asyncio.create_task(self._do(job, argument))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            task.add_done_callback(lambda _: places.release())

    async def _do(self, job: str, argument: str) -> None:
        try:
            await self._handlers[job](argument)
        except WeighbridgeError as exc:
            self._log.error(
                "job failed", job=job, argument=argument, code=exc.code, why=exc.message
            )
        except asyncio.CancelledError as exc:
            if self._is_closing:
                raise
            self._log_bug(job, argument, exc)
        except Exception as exc:  # noqa: BLE001 - the loop must outlive any job
            self._log_bug(job, argument, exc)
        finally:
            self._running.discard((job, argument))
            if (job, argument) in self._again:
                self._again.discard((job, argument))
                self._enqueue(job, argument, True)

    def _log_bug(self, job: str, argument: str, exc: BaseException) -> None:
        self._log.error(
            "job failed", job=job, argument=argument, code="bug", why=repr(exc)
        )
