"""TLS of a listener: its handshakes, and the certificate in force, which another one
replaces without a connection being lost."""

import asyncio
import ssl
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from msgspec import Struct

from weighbridge.config import Settings
from weighbridge.config.file.regular_file import SeenFiles
from weighbridge.config.value.tls_settings import TLSSettings
from weighbridge.errors import ConfigError
from weighbridge.telemetry import Telemetry
from weighbridge.web.server.certificate_files import (
    LoadedTLS,
    read_served,
    warnings_of,
)

HANDSHAKE_S: Final = 10.0
"""A client that is not done with its handshake by then is let go; asyncio would wait
for a minute."""
_GOODBYE_S: Final = 2.0
"""So long a closed connection waits for the other side to say that it has read all."""
_AGAIN_S: Final = 60.0
"""So often files with a fault are read again that do not change: a certificate may only
become valid."""
_TEXT: Final = b"this port speaks HTTPS only: write https:// in place of http://\n"
_PLAIN_ANSWER: Final = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(_TEXT), _TEXT)
)


class Loop(asyncio.SelectorEventLoop):
    """asyncio's own, with shorter waits for what a stranger may leave undone."""

    async def create_server(self, *args: Any, **kwargs: Any) -> asyncio.Server:
        if kwargs.get("ssl") is not None:
            kwargs["ssl_handshake_timeout"] = HANDSHAKE_S
            kwargs["ssl_shutdown_timeout"] = _GOODBYE_S
        return await super().create_server(*args, **kwargs)


LOOP: Final = f"{__name__}:{Loop.__name__}"
"""Where uvicorn finds it."""


class _Handshake(ssl.SSLObject):
    """Tells the client why a handshake has failed. asyncio drops what is still to be
    sent once one has."""

    outgoing: ssl.MemoryBIO
    _failure: ssl.SSLError | None = None

    def do_handshake(self) -> None:
        if self._failure is not None:
            raise self._failure
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as exc:
            if exc.reason == "HTTP_REQUEST":
                self.outgoing.write(_PLAIN_ANSWER)
            if not self.outgoing.pending:
                raise
            # It is sent now. The connection ends with what comes next, or in time.
            self._failure = exc
            raise ssl.SSLWantReadError from exc


class _InForce(ssl.SSLContext):
    """What a listener is given for good: each handshake is one of the context that is
    in force at its begin. To load other files into one context would leave authorities
    and sessions of the old ones in it."""

    current: ssl.SSLContext

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        made = self.current.wrap_bio(
            incoming, outgoing, server_side, server_hostname, session
        )
        if isinstance(made, _Handshake):
            made.outgoing = outgoing
        return made


def server_context() -> ssl.SSLContext:
    """TLS 1.2 and 1.3, HTTP/1.1, no certificate yet."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # RFC 8446 C.4 and RFC 5746 5: nothing that we serve needs either.
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(["http/1.1"])
    context.sslobject_class = _Handshake
    return context


class ListenerTLS:
    """Of one listener.

    context: to listen with; always the same
    """

    def __init__(
        self,
        listener: str,
        tls: TLSSettings,
        telemetry: Telemetry,
        external_url: str | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """listener: its name in metrics and in the log

        Raises ConfigError(tls_files).
        """
        self._listener = listener
        self._tls = tls
        self._telemetry = telemetry
        self._external_url = external_url
        self._clock = clock
        self._wall = wall
        self._log = structlog.get_logger("weighbridge.tls")
        self._failed_at: float | None = None
        self._state = self._seen = self._now_seen()
        telemetry.tls_reload_failures.labels(listener)
        self.context = _InForce(ssl.PROTOCOL_TLS_SERVER)
        self._take(read_served(tls, server_context()))

    def poll(self) -> None:
        """Read the files again that have changed; those that somebody may still be
        writing are left alone: what two looks have seen alike is read."""
        state = self._now_seen()
        is_settled, self._seen = state == self._seen, state
        if is_settled and (state != self._state or self._is_to_be_tried_again()):
            self.reload()

    def reload(self) -> None:
        """Read the files again; the certificate in force stays where they have any
        fault. Connections that are open keep theirs."""
        self._state = self._now_seen()
        try:
            served = read_served(self._tls, server_context())
            self._check_valid(served)
        except ConfigError as exc:
            self._failed_at = self._clock()
            self._telemetry.tls_reload_failures.labels(self._listener).inc()
            self._log.error(
                "a new certificate cannot be used, the old one stays in force",
                listener=self._listener,
                code=exc.code,
                fault=exc.message,
                hint=exc.hint,
            )
        else:
            self._failed_at = None
            self._take(served)
            self._log.info(
                "the certificate was read again",
                listener=self._listener,
                expires=served.certificate.ends_at.isoformat(),
            )

    def _check_valid(self, served: LoadedTLS) -> None:
        """One that clients refuse does not replace one that they may take."""
        why = served.certificate.why_not_valid(self._moment())
        if why is not None:
            raise ConfigError(
                f"cert_file {self._tls.cert_file} {why}",
                code="tls_files",
                hint="put one there that is valid now",
            )

    def _take(self, served: LoadedTLS) -> None:
        self.context.current = served.context
        said = served.certificate
        at = self._telemetry
        at.tls_certificate_expiry_timestamp.labels(self._listener).set(
            said.ends_at.timestamp()
        )
        at.tls_certificate_start_timestamp.labels(self._listener).set(
            said.begins_at.timestamp()
        )
        for text in warnings_of(
            said, self._tls.cert_file, self._external_url, self._moment()
        ):
            self._log.warning(
                "clients may refuse the certificate", listener=self._listener, why=text
            )

    def _is_to_be_tried_again(self) -> bool:
        return (
            self._failed_at is not None and self._clock() - self._failed_at >= _AGAIN_S
        )

    def _moment(self) -> datetime:
        return datetime.fromtimestamp(self._wall(), UTC)

    def _now_seen(self) -> SeenFiles:
        return SeenFiles.of(list(self._tls.files.values()))


class Listeners(Struct, frozen=True):
    """TLS of each listener that there may be; None: plain HTTP."""

    web: ListenerTLS | None = None
    metrics: ListenerTLS | None = None

    def poll(self) -> None:
        """See `ListenerTLS`."""
        for each in self._all():
            each.poll()

    def reload(self) -> None:
        """See `ListenerTLS`."""
        for each in self._all():
            each.reload()

    def _all(self) -> Iterator[ListenerTLS]:
        return (each for each in (self.web, self.metrics) if each is not None)


def listeners_tls(settings: Settings, telemetry: Telemetry) -> Listeners:
    """As it is configured. Raises ConfigError(tls_files)."""
    return Listeners(
        _listener_tls("web", settings.web.tls, telemetry, settings.web.external_url),
        _listener_tls("metrics", settings.metrics.tls, telemetry),
    )


def _listener_tls(
    listener: str,
    tls: TLSSettings | None,
    telemetry: Telemetry,
    external_url: str | None = None,
) -> ListenerTLS | None:
    return None if tls is None else ListenerTLS(listener, tls, telemetry, external_url)
