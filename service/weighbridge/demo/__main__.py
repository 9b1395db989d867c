"""The demo registry as a process of its own: `python -m weighbridge.demo [PORT]`."""

import asyncio
import sys
from contextlib import suppress
from typing import Final

from weighbridge.demo.http.server import DemoServer
from weighbridge.demo.story import demo_content

_PORT: Final = 5080


async def _serve(port: int) -> None:
    server = DemoServer(demo_content())
    await server.start(port=port)
    print(f"the demo registry is at {server.url}", file=sys.stderr)
    try:
        await asyncio.Event().wait()
    finally:
        await server.close()


def main() -> None:
    """Serve on loopback until SIGINT or SIGTERM."""
    port = int(sys.argv[1]) if len(sys.argv) > 1 else _PORT
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(port))


if __name__ == "__main__":
    main()
