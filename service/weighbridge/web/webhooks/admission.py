"""How many webhooks are in hand at once: above it they are sent away at once.

Some senders' body is read to find out who they are, by a signature over it. Anybody can
claim to sign and then send nothing more. So nobody is kept out by those who wait: where
all places of a source are taken, the newest request gets the place of one whose body
has not come.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Final, Protocol

from starlette.types import Receive

from weighbridge.web.request.bodies import READ_S, received
from weighbridge.web.request.errors import Refusal

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
