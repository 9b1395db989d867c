"""Commits what webhooks tell: one thread, one transaction for all that has come.

A sender is answered once its push is committed. What cannot be kept is sent away at
once: the sender has it still, and sends it again.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final

import structlog
from msgspec import Struct, field

from weighbridge.errors import StoreError
from weighbridge.ports.job_names import PUSH
from weighbridge.ports.protocols import JobQueue
from weighbridge.store.connection.deadlines import within
from weighbridge.store.pushes.inbox import ReceivedPush, keep_pushes
from weighbridge.store.session import Database
from weighbridge.web.webhooks.admission import overloaded

WAITING: Final = 10_000
"""Pushes that wait to be committed, at most: about 5 MB."""
GATHER_S: Final = 0.002
ANSWER_S: Final = 2.0
"""A sender is not left waiting longer; Harbor gives up after three seconds."""
COMMIT_S: Final = 15.0
"""What has come in a burst is worth to be kept late: it is not sent again then."""
_STUCK: Final = 0.5
"""A transaction that takes longer than that part of it waits for somebody: nobody else
is to wait too."""
_CLOSING_S: Final = 5.0


class _Waiting(Struct):
    """What one request told, and who waits for it to be kept."""

    pushes: Sequence[ReceivedPush]
    loop: asyncio.AbstractEventLoop
    done: "asyncio.Future[Sequence[bool]]"


class _PushAnswer(Struct):
    """What a request is told: push by push whether it is new, or why not."""

    waiting: _Waiting
    is_new: Sequence[bool] = ()
    error: StoreError | None = None

    def give(self) -> None:
        if self.waiting.done.done():
            return  # It has waited too long, or its sender has gone.
        if self.error is None:
            self.waiting.done.set_result(self.is_new)
        else:
            self.waiting.done.set_exception(self.error)


class _Queue(Struct):
    """What waits; the lock is held for a moment only."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    filled: threading.Event = field(default_factory=threading.Event)
    items: list[_Waiting] = field(default_factory=list)
    count: int = 0

    def put(self, item: _Waiting) -> bool:
        """Whether there was room. One request alone always has."""
        with self.lock:
            if self.count and self.count + len(item.pushes) > WAITING:
                return False
            self.items.append(item)
            self.count += len(item.pushes)
        self.filled.set()
        return True

    def take(self) -> list[_Waiting]:
        with self.lock:
            taken, self.items = self.items, []
            self.count = 0
            self.filled.clear()
        return taken


class Inbox:
    """Keeps pushes, and asks for the job of each repository that has new ones.

    jobs: told of them by the thread that commits, so it must not wait for long; None
          where nobody is rung, and the scheduler's tick finds what waits
    answer_s: a sender is not left waiting longer
    """

    def __init__(
        self,
        database: Database,
        jobs: JobQueue | None,
        now: Callable[[], datetime],
        answer_s: float = ANSWER_S,
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._now = now
        self._answer_s = answer_s
        self._queue = _Queue()
        self._began: float | None = None
        self._is_closed = False
        self._thread: threading.Thread | None = None
        self._log = structlog.get_logger("weighbridge.webhooks")

    async def keep(self, pushes: Sequence[ReceivedPush]) -> Sequence[bool]:
        """Returns once they are committed: push by push whether it is new.

        Raises Refusal(503) where too much waits, StoreError where the database does
        not take them, or not soon.
        """
        began = self._began
        if began is not None and time.monotonic() - began > _STUCK * self._answer_s:
            raise _busy()
        self._start()
        loop = asyncio.get_running_loop()
        waiting = _Waiting(pushes, loop, loop.create_future())
        if self._is_closed or not self._queue.put(waiting):
            raise overloaded()
        try:
            async with asyncio.timeout(self._answer_s):
                return await waiting.done
        except TimeoutError as exc:
            raise _busy() from exc

    def close(self) -> None:
        """Commit what waits, then end the thread."""
        self._is_closed = True
        self._queue.filled.set()
        if self._thread is not None:
            self._thread.join(_CLOSING_S)

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._run, name="weighbridge-inbox", daemon=True
            )
            self._thread.start()

    def _run(self) -> None:
        while True:
            self._queue.filled.wait()
            if not self._is_closed:
                time.sleep(GATHER_S)
            taken = self._queue.take()
            if taken:
                self._commit(taken)
            elif self._is_closed:
                return

    def _commit(self, taken: Sequence[_Waiting]) -> None:
        pushes = [push for each in taken for push in each.pushes]
        self._began = time.monotonic()
        try:
            with within(COMMIT_S), self._database.write() as connection:
                is_new = keep_pushes(connection, pushes, self._now())
        except StoreError as exc:
            self._log.warning(
                "pushes are not stored",
                code=exc.code,
                why=exc.message,
                count=len(pushes),
            )
            _give([_PushAnswer(each, error=exc) for each in taken])
            return
        except Exception as exc:  # noqa: BLE001 - the thread must outlive any batch
            self._log.error("pushes are not stored", code="bug", why=repr(exc))
            _give([_PushAnswer(each, error=_bug()) for each in taken])
            return
        finally:
            self._began = None
        answers, at = [], 0
        for each in taken:
            answers.append(_PushAnswer(each, is_new[at : at + len(each.pushes)]))
            at += len(each.pushes)
        self._ring(push for push, new in zip(pushes, is_new, strict=True) if new)
        _give(answers)

    def _ring(self, pushes: Iterable[ReceivedPush]) -> None:
        if self._jobs is None:
            return
        told = dict.fromkeys(f"{p.registry}/{p.push.repository}" for p in pushes)
        try:
            for repository in told:
                self._jobs.put(PUSH, repository, first=True)
        except Exception as exc:  # noqa: BLE001 - the thread must outlive any batch
            # They are kept: the scheduler's tick finds what waits.
            self._log.error("no crawl is enqueued", code="bug", why=repr(exc))


def _give(answers: Sequence[_PushAnswer]) -> None:
    """Each on the loop that waits for it, all of a loop in one go."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_PushAnswer]] = {}
    for answer in answers:
        by_loop.setdefault(answer.waiting.loop, []).append(answer)
    for loop, of_loop in by_loop.items():
        with suppress(RuntimeError):  # closed meanwhile: nobody waits
            loop.call_soon_threadsafe(_give_all, of_loop)


def _give_all(answers: Sequence[_PushAnswer]) -> None:
    for answer in answers:
        answer.give()


def _busy() -> StoreError:
    return StoreError(
        "the database is busy with something else",
        code="database_busy",
        retryable=True,
    )


def _bug() -> StoreError:
    return StoreError("this is a fault of ours; the log has its cause", code="bug")
