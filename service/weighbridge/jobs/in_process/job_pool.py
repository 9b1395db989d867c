"""Jobs in this process, on one event loop: a bounded number side by side, registries in
turn; and a thread with such a loop of its own."""

import asyncio
import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Final, NamedTuple, TypeAlias

import structlog
from msgspec import Struct, field

from weighbridge.beat import Beat
from weighbridge.errors import WeighbridgeError
from weighbridge.ports.job_names import QUEUE_OF, SOON
from weighbridge.ports.protocols import JobQueue


async def _end_what_is_left() -> None:
    """Tasks that a job began and did not wait for."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


AT_ONCE: Final = 16
"""Jobs that ask registries. None keeps its place for more than some seconds."""
SOON_AT_ONCE: Final = 8
"""Of the jobs that are never to wait until a long one has ended."""

Handler: TypeAlias = Callable[[str], Awaitable[None]]


class _Job(NamedTuple):
    name: str
    argument: str

    @property
    def registry(self) -> str:
        """Whose turn it takes; "": nobody's."""
        return self.argument.partition("/")[0]


class _Lane(Struct):
    """Jobs that share their places. Registries are served in turn, and none has more
    than its share of the places while others wait.

    waiting: by registry, the one whose turn is next first
    """

    places: int
    waiting: "OrderedDict[str, deque[_Job]]" = field(default_factory=OrderedDict)
    running: Counter[str] = field(default_factory=Counter)

    def put(self, job: _Job, *, first: bool) -> None:
        queue = self.waiting.setdefault(job.registry, deque())
        if first:
            queue.appendleft(job)
            self.waiting.move_to_end(job.registry, last=False)
        else:
            queue.append(job)

    def next(self) -> _Job | None:
        """The job that may begin now; it takes a place."""
        if self.running.total() >= self.places:
            return None
        busy = self.waiting.keys() | {n for n, count in self.running.items() if count}
        share = max(1, self.places // max(1, len(busy)))
        for registry, queue in self.waiting.items():
            if self.running[registry] < share:
                job = queue.popleft()
                self.running[registry] += 1
                if queue:
                    self.waiting.move_to_end(registry)
                else:
                    del self.waiting[registry]
                return job
        return None

    def leave(self, job: _Job) -> None:
        self.running[job.registry] -= 1
        if not self.running[job.registry]:
            del self.running[job.registry]


class JobPool:
    """A `JobQueue` of one event loop; to be used on that loop alone.

    A job that fails is logged and the next one is taken; being due again is the
    database's business. One that is asked for while it runs is done once more.

    Jobs that are asked for before `start` wait for it.
    """

    def __init__(self) -> None:
        self._handlers: Mapping[str, Handler] | None = None
        self._long, self._soon = _Lane(AT_ONCE), _Lane(SOON_AT_ONCE)
        self._waiting: set[_Job] = set()
        self._tasks: dict[_Job, asyncio.Task[None]] = {}
        self._again: dict[_Job, bool] = {}
        self._is_closed = False
        self._log = structlog.get_logger("weighbridge.jobs")

    def start(self, handlers: Mapping[str, Handler]) -> None:
        """Begin with the jobs. handlers: what is done for each, by its name"""
        self._handlers = handlers
        self._begin(handlers)

    @property
    def is_idle(self) -> bool:
        """Whether no job waits or runs."""
        return not self._waiting and not self._tasks

    def put(self, job: str, argument: str, *, first: bool = False) -> None:
        """See `ports.JobQueue`."""
        asked = _Job(job, argument)
        if self._is_closed:
            return
        if asked in self._tasks:
            self._again[asked] = first or self._again.get(asked, False)
        elif asked not in self._waiting:
            self._waiting.add(asked)
            self._lane(asked).put(asked, first=first)
            if self._handlers is not None:
                self._begin(self._handlers)

    async def aclose(self) -> None:
        """Cancel the jobs that run, drop those that wait."""
        self._is_closed = True
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _lane(self, job: _Job) -> _Lane:
        return self._soon if QUEUE_OF.get(job.name) in SOON else self._long

    def _begin(self, handlers: Mapping[str, Handler]) -> None:
        for lane in (self._soon, self._long):
            while not self._is_closed and (job := lane.next()) is not None:
                self._waiting.discard(job)
                work = self._do(job, lane, handlers)
                self._tasks[job] = asyncio.create_task(work)

    async def _do(
        self, job: _Job, lane: _Lane, handlers: Mapping[str, Handler]
    ) -> None:
        try:
            await handlers[job.name](job.argument)
        except WeighbridgeError as exc:
            self._tell(job, exc.code, exc.message)
        except asyncio.CancelledError as exc:
            task = asyncio.current_task()
            if self._is_closed or (task is not None and task.cancelling()):
                raise
            self._tell(job, "bug", repr(exc))
        except Exception as exc:  # noqa: BLE001 - the pool must outlive any job
            self._tell(job, "bug", repr(exc))
        finally:
            del self._tasks[job]
            lane.leave(job)
            if job in self._again:
                self.put(job.name, job.argument, first=self._again.pop(job))
            self._begin(handlers)

    def _tell(self, job: _Job, code: str, why: str) -> None:
        self._log.error(
            "job failed", job=job.name, argument=job.argument, code=code, why=why
        )


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
