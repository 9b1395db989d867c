"""How many webhooks are in hand at once, and how what they tell is committed: one
thread, one transaction for all that has come.

A sender is answered once its push is committed. What cannot be kept is sent away at
once: the sender has it still, and sends it again.

Some senders' body is read to find out who they are, by a signature over it. Anybody can
claim to sign and then send nothing more. So nobody is kept out by those who wait: where
all places of a source are taken, the newest request gets the place of one whose body
has not come.
"""

import asyncio
import threading
import time
from collections.abc import (
    AsyncIterator,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import datetime
from itertools import islice
from typing import Final, Protocol, TypeAlias

import structlog
from msgspec import Struct, field
from starlette.types import Receive

from weighbridge.errors import StoreError
from weighbridge.ports.job_names import PUSH
from weighbridge.ports.protocols import JobQueue
from weighbridge.store.connection.deadlines import within
from weighbridge.store.pushes.inbox import ReceivedPush, keep_pushes
from weighbridge.store.session import Database
from weighbridge.web.request.answers import Refusal
from weighbridge.web.request.bodies import READ_S, received

KNOWN: Final = 512
"""Requests of senders that have shown who they are."""
KNOWN_BYTES: Final = 64 * 1024 * 1024
RETRY_AFTER_S: Final = 2


class ByteCounter(Protocol):
    """What counts the bytes of bodies."""

    def hold(self, count: int) -> None:
        """Count bytes of a body. Raises Refusal(503)."""

    def release(self, count: int) -> None:
        """They were read, or given up."""


class Admission:
    """So many requests of senders who are known by their heads, with bodies of so many
    bytes; of one event loop."""

    def __init__(self, requests: int = KNOWN, size: int = KNOWN_BYTES) -> None:
        self._requests = requests
        self._bytes = size

    @contextmanager
    def enter(self) -> Iterator["Admission"]:
        """While the block runs, one more. Raises Refusal(503)."""
        if not self._requests:
            raise overloaded()
        self._requests -= 1
        try:
            yield self
        finally:
            self._requests += 1

    def hold(self, count: int) -> None:
        """Count bytes of a body. Raises Refusal(503)."""
        if count > self._bytes:
            raise overloaded()
        self._bytes -= count

    def release(self, count: int) -> None:
        """They were read, or given up."""
        self._bytes += count


def overloaded() -> Refusal:
    return Refusal(503, "more comes than can be kept: send it again", code="overload")


PLACES: Final = 256
"""Bodies of one source that are waited for at the same time."""
BYTES: Final = 8 * 1024 * 1024
"""Of these bodies."""


class GivenUp(Refusal):
    """503: the place was given to another one."""


class AwaitedBody:
    """One body that is waited for. It counts its bytes, as an `Admission` does."""

    def __init__(self, room: "Strangers", address: str) -> None:
        self._room = room
        self.address = address
        self.deadline = asyncio.timeout(None)
        self.held = 0

    def hold(self, count: int) -> None:
        """Count bytes of the body. Raises GivenUp."""
        self._room.hold(self, count)

    def release(self, count: int) -> None:
        """They were read, or given up."""
        self.held -= count


class Strangers:
    """The places of one source; of one event loop.

    Who has to give up a place: of the address that has most of them, or most bytes, the
    one that has waited longest. So one address takes no place from another that has
    fewer, and of many addresses the last ones get in.
    """

    def __init__(self, places: int = PLACES, size: int = BYTES) -> None:
        self._places = places
        self._bytes = size
        self._waiting: dict[AwaitedBody, None] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    @asynccontextmanager
    async def enter(self, address: str) -> AsyncIterator[AwaitedBody]:
        """A place while the block runs. Raises GivenUp once another one gets it."""
        while len(self._waiting) >= self._places:
            self._end(self._first_of(lambda _: 1))
        place = AwaitedBody(self, address)
        self._waiting[place] = None
        try:
            async with place.deadline:
                yield place
        except TimeoutError as exc:
            raise _given_up() from exc
        finally:
            self._waiting.pop(place, None)

    def hold(self, place: AwaitedBody, count: int) -> None:
        """Count bytes of a body that has a place. Raises GivenUp where it has none any
        more, or is itself the one that has to go."""
        place.held += count
        while sum(each.held for each in self._waiting) > self._bytes:
            first = self._first_of(lambda each: each.held)
            if first is place:
                raise _given_up()
            self._end(first)
        if place not in self._waiting:
            raise _given_up()

    def _first_of(self, weight: Callable[[AwaitedBody], int]) -> AwaitedBody:
        """The first place of the address that weighs most."""
        weights = _sums((each.address, weight(each)) for each in self._waiting)
        heaviest = max(weights, key=lambda address: weights[address])
        return next(
            each for each in self._waiting if each.address == heaviest and weight(each)
        )

    def _end(self, place: AwaitedBody) -> None:
        del self._waiting[place]
        place.deadline.reschedule(asyncio.get_running_loop().time())


def _sums(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, number in pairs:
        found[name] = found.get(name, 0) + number
    return found


def _given_up() -> GivenUp:
    refusal = overloaded()
    return GivenUp(refusal.status, refusal.message, code=refusal.code)


WEBHOOK_BYTES: Final = 1024 * 1024
"""A body is a few kilobytes, mostly; one of an image of thousands of layers fits."""


async def read_body(
    headers: Mapping[str, str],
    receive: Receive,
    room: ByteCounter,
    read_s: float = READ_S,
) -> bytes:
    """The body as it was sent. Raises Refusal(408, 413, 415, 503), Gone."""
    if headers.get("content-encoding", "identity").lower() != "identity":
        words = "the body is to be sent as it is, without an encoding"
        raise Refusal(415, words, code="encoded_body")
    stated = headers.get("content-length", "")
    held = 0

    def hold(count: int) -> None:
        nonlocal held
        room.hold(count)
        held += count

    try:
        return bytes(await received(receive, stated, WEBHOOK_BYTES, read_s, hold))
    finally:
        room.release(held)


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


_PushAnswer: TypeAlias = tuple[_Waiting, Sequence[bool] | StoreError]
"""What a request is told: push by push whether it is new, or why not."""


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
            _give([(each, exc) for each in taken])
            return
        except Exception as exc:  # noqa: BLE001 - the thread must outlive any batch
            self._log.error("pushes are not stored", code="bug", why=repr(exc))
            words = "this is a fault of ours; the log has its cause"
            _give([(each, StoreError(words, code="bug")) for each in taken])
            return
        finally:
            self._began = None
        rest = iter(is_new)
        answers = [(each, list(islice(rest, len(each.pushes)))) for each in taken]
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
        by_loop.setdefault(answer[0].loop, []).append(answer)
    for loop, of_loop in by_loop.items():
        with suppress(RuntimeError):  # closed meanwhile: nobody waits
            loop.call_soon_threadsafe(_give_all, of_loop)


def _give_all(answers: Sequence[_PushAnswer]) -> None:
    for waiting, answer in answers:
        if waiting.done.done():
            continue  # It has waited too long, or its sender has gone.
        if isinstance(answer, StoreError):
            waiting.done.set_exception(answer)
        else:
            waiting.done.set_result(answer)


def _busy() -> StoreError:
    return StoreError(
        "the database is busy with something else",
        code="database_busy",
        retryable=True,
    )
