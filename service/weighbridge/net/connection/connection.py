"""One connection to a server: one request at a time, and no byte without a request."""

import asyncio
import math
import select
import socket
from collections.abc import Callable
from typing import Final

import httpx

from weighbridge.net.failure.request_failures import (
    BadAnswer,
    CutOff,
    KeptConnectionClosed,
)
from weighbridge.net.http1.answer import AnswerReader, HTTPAnswer

_READABLE: Final = select.POLLIN


class Connection(asyncio.Protocol):
    """Sends a request, reads its answer, and notices every sign of a desync.

    HTTP/1.1 answers carry no number: one answer too many shifts all later ones on its
    connection. So bytes after an answer, bytes while nothing was asked, and bytes that
    are no answer are told to `on_desync`; the connection itself is closed at once.

    sock: the socket below, or its descriptor; it is only looked at
    """

    def __init__(
        self,
        sock: socket.socket | int,
        on_lost: Callable[["Connection"], None],
        on_desync: Callable[[], None],
    ) -> None:
        self.lost = asyncio.Event()
        self.idle_since = 0.0
        self.distrusted = False
        self._on_lost = on_lost
        self._on_desync = on_desync
        self._transport: asyncio.Transport | None = None
        self._reader: AnswerReader | None = None
        self._answer: asyncio.Future[HTTPAnswer] | None = None
        self._asked = 0
        self._ends_at = math.inf
        self._alarm: asyncio.TimerHandle | None = None
        self._poll = select.poll()
        self._poll.register(sock, _READABLE)

    @property
    def open(self) -> bool:
        """Whether it can still carry a request."""
        return self._transport is not None and not self._transport.is_closing()

    def silent(self) -> bool:
        """Whether nothing has come in that the loop has not read yet: neither stray
        bytes nor the server's close. Costs half a microsecond."""
        return not self._poll.poll(0)

    def ask(
        self, request: bytes, reader: AnswerReader, ends_at: float = math.inf
    ) -> asyncio.Future[HTTPAnswer]:
        """Send a request. The future ends with the whole answer or an httpx error,
        ReadTimeout once the loop's time is `ends_at`; who stops waiting for it must
        call `close`."""
        if self._transport is None:
            raise CutOff("the connection is closed")
        self._asked += 1
        self._reader = reader
        self._answer = asyncio.get_running_loop().create_future()
        self._ends_at = ends_at
        self._watch_the_time()
        self._transport.write(request)
        return self._answer

    def close(self) -> None:
        """End the connection now; an answer under way is dropped."""
        self._reader = None
        self._answer = None
        self._silence_alarm()
        if self._transport is not None:
            self._transport.abort()

    def fail(self, failure: httpx.RequestError) -> None:
        """End the connection now; whoever waits for its answer gets `failure`."""
        answer = self._answer
        self.close()
        if answer is not None and not answer.done():
            answer.set_exception(failure)

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket (and TLS) is ready."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("a stream transport is needed")
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Bytes have come. An exception that left here would only be logged."""
        if self._reader is None:
            self.close()
            self._on_desync()
            return
        try:
            answer = self._reader.feed(data)
        except BadAnswer as exc:
            self.fail(exc)
            self._on_desync()
        except httpx.RequestError as exc:
            self.fail(exc)
        except Exception as exc:  # noqa: BLE001 - the request must end with a reason
            failure = BadAnswer(f"the answer could not be read: {exc!r}")
            failure.__cause__ = exc
            self.fail(failure)
            self._on_desync()
        else:
            if answer is not None:
                self._finish(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended, by either side."""
        self._transport = None
        self._silence_alarm()
        self._on_lost(self)
        self.lost.set()
        if self._reader is None:
            return
        if not self._reader.started and self._asked > 1:
            self.fail(KeptConnectionClosed("the server closed a kept connection"))
        elif exc is not None:
            failure = CutOff(f"the connection was cut off: {exc}")
            failure.__cause__ = exc
            self.fail(failure)
        else:
            self._end_answer(self._reader)

    def _watch_the_time(self) -> None:
        """See to it that something happens at `_ends_at`.

        One alarm serves many requests: with the usual minute for each, the alarm of
        an earlier one goes off first and is then set to what is due now.
        """
        if self._alarm is not None:
            if self._alarm.when() <= self._ends_at:
                return
            self._alarm.cancel()
            self._alarm = None
        if self._ends_at < math.inf:
            loop = asyncio.get_running_loop()
            self._alarm = loop.call_at(self._ends_at, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        if self._answer is None:
            return  # the next request sets it again
        if asyncio.get_running_loop().time() < self._ends_at:
            self._watch_the_time()
        else:
            self.fail(httpx.ReadTimeout("the deadline passed before the answer"))

    def _silence_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _end_answer(self, reader: AnswerReader) -> None:
        try:
            answer = reader.end()
        except httpx.RequestError as exc:
            self.fail(exc)
        else:
            self._finish(answer)

    def _finish(self, answer: HTTPAnswer) -> None:
        waiting = self._answer
        self._reader = None
        self._answer = None
        if not answer.reusable and self._transport is not None:
            self._transport.abort()
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)
        if answer.stray:
            self._on_desync()
