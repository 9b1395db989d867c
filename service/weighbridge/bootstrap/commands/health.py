"""Asks a Weighbridge whether it is alive, as a container's health check does."""

import asyncio
from typing import Final

from weighbridge.config import split_bind
from weighbridge.errors import TransportError
from weighbridge.net.connections import Connections
from weighbridge.net.guard.reach import Reach
from weighbridge.net.translate import our_errors
from weighbridge.net.transport import Transport, client_over

_DEADLINE_S: Final = 3.0
_EXTENSIONS: Final = {"body_limit": 64, "may_repeat": True}
_ANYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with


def own_url(bind: str) -> str:
    """Where what listens on `bind` is reached from the same machine."""
    host, port = split_bind(bind)
    host = _ANYWHERE.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def why_unhealthy(url: str) -> str | None:
    """What is wrong with the service at `url`; None if it is alive.

    The person who runs it names the address, so it may be any.
    """
    try:
        status = asyncio.run(_status_of(f"{url}/healthz"))
    except TransportError as exc:
        return exc.message
    return None if status == 200 else f"{url}/healthz answers with {status}"


async def _status_of(url: str) -> int:
    transport = Transport(Connections(connections=1), ceiling=Reach.LOOPBACK)
    async with client_over(transport, _DEADLINE_S) as http:
        with our_errors():
            return (await http.get(url, extensions=_EXTENSIONS)).status_code
