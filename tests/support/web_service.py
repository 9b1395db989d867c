"""The web application behind a real server on a free loopback port."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette

_DEADLINE_S = 60.0


@contextmanager
def served(app: Starlette) -> Iterator[str]:
    """`http://127.0.0.1:PORT` while the block runs."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    config = uvicorn.Config(
        app, log_level="error", proxy_headers=False, server_header=False
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    ends_at = time.monotonic() + _DEADLINE_S
    while not server.started:
        assert thread.is_alive(), "the server has ended"
        assert time.monotonic() < ends_at, "the server has not started"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(_DEADLINE_S)
        listener.close()
