"""Jobs in this process: a thread with an event loop of its own."""

import asyncio
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Final

import structlog

from weighbridge.beat import Beat
from weighbridge.errors import WeighbridgeError
from weighbridge.jobs.in_process.job_pool import Handler, JobPool
from weighbridge.ports.protocols import JobQueue

Working = AbstractAsyncContextManager[Mapping[str, Handler]]


class InlineJobs:
    """A `JobQueue` over a thread of its own, whose loop lives as long as it does.

    working: opens, on that loop, what does the jobs, and closes it; it is given the
             queue, for what follows from a job
    """

    def __init__(self, working: Callable[[JobQueue], Working]) -> None:
        self._working = working
        self._loop = asyncio.new_event_loop()
        self._pool = JobPool()
        self._main: asyncio.Task[None] | None = None
        self._log = structlog.get_logger("weighbridge.jobs")
        self._thread = threading.Thread(
            target=self._run, name="weighbridge-jobs", daemon=True
        )

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def put(self, job: str, argument: str, *, first: bool = False) -> None:
        """See `ports.JobQueue`. May be called from any thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(
                lambda: self._pool.put(job, argument, first=first)
            )

    def close(self, timeout_s: float = 10.0) -> None:
        """Cancel the jobs that run, drop those that wait, end the thread."""
        if not self._thread.is_alive():
            return
        self._loop.call_soon_threadsafe(self._cancel)
        self._thread.join(timeout_s)

    def _cancel(self) -> None:
        if self._main is not None:
            self._main.cancel()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._main = self._loop.create_task(self._work())
        try:
            self._loop.run_until_complete(self._main)
        except asyncio.CancelledError:
            pass
        except Exception as exc:  # noqa: BLE001 - the thread must come to its end
            self._log.error("a part failed", code="bug", why=repr(exc))
        finally:
            self._loop.run_until_complete(_end_what_is_left())
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    async def _work(self) -> None:
        async with self._working(self._pool) as handlers:
            self._pool.start(handlers)
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                await self._pool.aclose()


async def _end_what_is_left() -> None:
    """Tasks that a job began and did not wait for."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


BEAT_S: Final = 5.0


class Scheduler:
    """Calls `tick` at once and then every `beat_s` seconds until closed."""

    def __init__(self, tick: Callable[[], None], beat_s: float = BEAT_S) -> None:
        self._tick = tick
        self._beat_s = beat_s
        self._log = structlog.get_logger("weighbridge.scheduler")
        self._beat = Beat("weighbridge-scheduler", self._step)

    def start(self) -> None:
        self._beat.start()

    def close(self) -> None:
        self._beat.close()

    def _step(self) -> float:
        try:
            self._tick()
        except WeighbridgeError as exc:
            self._log.error("tick failed", code=exc.code, why=exc.message)
        return self._beat_s
