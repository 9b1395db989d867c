"""A connection has a while to send a request's head, and has to write it strictly.

uvicorn gives up on a connection only between two requests. One that sends nothing, or
a byte now and then, would be held for ever: a few thousand of them, and nobody else
gets in.
"""

import asyncio
from typing import ClassVar, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from weighbridge.web.server.strict_http import StrictConnection

HEAD_BYTES: Final = 32 * 1024
"""Of a request's line and fields together."""


class HeadDeadline(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it, with a deadline for request line and fields, and
    400 for what could be read in two ways."""

    head_s: ClassVar[float] = 10.0
    _head_due: asyncio.TimerHandle | None = None

    def connection_made(  # type: ignore[override]  # uvicorn's own signature
        self, transport: asyncio.Transport
    ) -> None:
        self.conn = StrictConnection(HEAD_BYTES)
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        # There is a cycle for each request whose head was read.
        if self.cycle is None or self.cycle.response_complete:
            self._await_head()
        else:
            self._end_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_waiting()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """And close the connection. Where an answer has begun there is no place for
        another one."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:
            self.transport.close()

    def _await_head(self) -> None:
        """From the first byte of the head on, or from the connection's begin."""
        if self._head_due is None:
            self._head_due = self.loop.call_later(self.head_s, self.transport.close)

    def _end_waiting(self) -> None:
        if self._head_due is not None:
            self._head_due.cancel()
            self._head_due = None
