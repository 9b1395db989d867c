"""`weighbridge health`: is the service alive? For containers, which have no curl."""

from typing import Final

import click

from weighbridge.cli.options.common import Options, common_options
from weighbridge.cli.process.failure import FOUND
from weighbridge.cli.process.streams import emit
from weighbridge.errors import TransportError

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

    url = (url or own_url(options.settings(ending="").web.bind)).rstrip("/")
    if (why := _why_unhealthy(url)) is not None:
        click.echo(f"not alive: {printable(why)}", err=True)
        return FOUND
    emit(f"alive: {printable(url)}")
    return 0


def own_url(bind: str) -> str:
    """Where what listens on `bind` is reached from the same machine."""
    from weighbridge.config import split_bind

    host, port = split_bind(bind)
    host = _ANYWHERE.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _why_unhealthy(url: str) -> str | None:
    """What is wrong with the service at `url`; None if it is alive.

    The person who runs it names the address, so it may be any.
    """
    import asyncio

    try:
        status = asyncio.run(_status_of(f"{url}/healthz"))
    except TransportError as exc:
        return exc.message
    return None if status == 200 else f"{url}/healthz answers with {status}"


async def _status_of(url: str) -> int:
    from weighbridge.net.connections import Connections
    from weighbridge.net.failure.request_failures import our_errors
    from weighbridge.net.guard.addresses import Reach
    from weighbridge.net.transport import Transport, client_over

    transport = Transport(Connections(connections=1), ceiling=Reach.LOOPBACK)
    async with client_over(transport, _DEADLINE_S) as http:
        with our_errors():
            return (await http.get(url, extensions=_EXTENSIONS)).status_code
