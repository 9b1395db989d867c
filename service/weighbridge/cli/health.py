"""`weighbridge health`: is the service alive? For containers, which have no curl."""

from typing import TYPE_CHECKING, Final

import click

from weighbridge.cli.options.common import Options, common_options
from weighbridge.cli.process.failure import FOUND
from weighbridge.cli.process.streams import emit
from weighbridge.errors import TransportError

if TYPE_CHECKING:
    import ssl

    from weighbridge.config import WebSettings

_EXAMPLES = """\b
Examples:
  weighbridge health
  weighbridge health --url http://127.0.0.1:9000
"""
_DEADLINE_S: Final = 3.0
_EXTENSIONS: Final = {"body_limit": 64, "may_repeat": True}
_ANYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with


@click.command(epilog=_EXAMPLES)
@click.option(
    "--url", metavar="URL", help="Of the service; else where it is configured to be."
)
@common_options(database=False)
def command(options: Options, url: str | None) -> int:
    """Check whether a running service answers.

    Exits with 1 if it is not.
    """
    from weighbridge.domain.text.printable import printable

    is_own = url is None
    url = (url or own_url(options.settings(ending="").web)).rstrip("/")
    if (why := _why_unhealthy(url, is_own=is_own)) is not None:
        click.echo(f"not alive: {printable(why)}", err=True)
        return FOUND
    emit(f"alive: {printable(url)}")
    return 0


def own_url(web: "WebSettings") -> str:
    """Where what is configured so is reached from the same machine."""
    from weighbridge.config import split_bind

    host, port = split_bind(web.bind)
    host = _ANYWHERE.get(host, host)
    scheme = "http" if web.tls is None else "https"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _why_unhealthy(url: str, *, is_own: bool) -> str | None:
    """What is wrong with the service at `url`; None if it is alive.

    is_own: its certificate is not looked at. The address is configured, nothing secret
            is sent, and a process whose certificate has expired is alive

    The person who runs it names the address, so it may be any.
    """
    import asyncio

    try:
        status = asyncio.run(_status_of(f"{url}/healthz", _tls(is_own=is_own)))
    except TransportError as exc:
        # It has answered: whoever has no certificate for clients gets no more.
        return None if is_own and _wants_certificate(exc) else exc.message
    return None if status == 200 else f"{url}/healthz answers with {status}"


def _tls(*, is_own: bool) -> "ssl.SSLContext | None":
    import ssl

    from weighbridge.net.connection.connect import client_tls

    if not is_own:
        return None
    context = client_tls(None)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _wants_certificate(error: BaseException | None) -> bool:
    """Whether the other side has asked for a client's certificate (RFC 8446 6.2)."""
    import ssl

    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__
    return error is not None and str(error.reason).endswith("CERTIFICATE_REQUIRED")


async def _status_of(url: str, tls: "ssl.SSLContext | None") -> int:
    from weighbridge.net.connections import Connections
    from weighbridge.net.failure.request_failures import our_errors
    from weighbridge.net.guard.addresses import Reach
    from weighbridge.net.transport import Transport, client_over

    connections = Connections(connections=1, tls=tls)
    transport = Transport(connections, ceiling=Reach.LOOPBACK)
    async with client_over(transport, _DEADLINE_S) as http:
        with our_errors():
            return (await http.get(url, extensions=_EXTENSIONS)).status_code
