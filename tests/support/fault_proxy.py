"""An HTTP proxy in front of a registry that spoils answers by a plan.

    with fault_proxy(registry.url) as proxy:
        proxy.spoil(status(503), chance=0.3)
        proxy.spoil(Reset("headers"), kind="manifest", attempts=1)
        proxy.before(stop_the_registry, since=50)
        crawl(proxy.url)
        proxy.heal()

It listens on loopback, in a thread of its own, keeps connections alive on both
sides, and passes everything on that no rule is about.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import TypeVar, Unpack
from urllib.parse import urlsplit

from support.fault_plan import Hook, Plan, Rule, When
from support.fault_wire import Connection, Upstream, WhenWords, abort
from support.faults import Fault

Made = TypeVar("Made")
_READY_S = 60.0


class FaultProxy:
    """Made by `fault_proxy`.

    plan:        rules and counts; `spoil`, `before` and `heal` are its short forms
    connections: how many were accepted
    most_open:   the most that were open at once
    """

    def __init__(self, upstream_url: str, *, seed: int = 0, port: int = 0) -> None:
        address = urlsplit(upstream_url)
        self.plan = Plan(seed)
        self.connections = 0
        self.most_open = 0
        self._upstream = (address.hostname or "", address.port or 80)
        self._port = port
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    def spoil(self, fault: Fault, **when: Unpack[WhenWords]) -> Rule:
        """From now on this fault happens to these requests; see `When`."""
        return self.plan.spoil(fault, When(**when))

    def before(self, call: Callable[[], object], **when: Unpack[WhenWords]) -> Hook:
        """Call this once, on a thread of its own, before the first such request is
        passed on. That request waits for it; others go on."""
        return self.plan.before(call, When(**when))

    def heal(self) -> None:
        """No more faults."""
        self.plan.heal()

    def go_down(self) -> None:
        """Reset every connection and listen no more: who connects is refused."""
        self._do(self._go_down())

    def come_up(self) -> None:
        """Listen again, on the same port."""
        self._do(self._come_up())

    def start(self) -> None:
        self._thread.start()
        self._do(self._come_up())

    def close(self) -> None:
        """End every connection and the thread."""
        self._do(self._go_down())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_READY_S)
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    def _do(self, work: Coroutine[object, object, Made]) -> Made:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_READY_S)

    async def _come_up(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(
                self._serve, "127.0.0.1", self._port, backlog=1024
            )
            self._port = self._server.sockets[0].getsockname()[1]

    async def _go_down(self) -> None:
        if self._server is not None:
            # Those that were accepted in this moment begin first: asyncio loses them,
            # open, where their server has ended.
            for listening in self._server.sockets:
                self._loop.remove_reader(listening.fileno())
            await asyncio.sleep(0.01)
            self._server.close()
            self._server = None
        for writer in self._open:
            abort(writer)
        tasks = self._tasks - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # What was aborted is closed in the loop's next round.
        await asyncio.sleep(0.01)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._open.add(writer)
        self.connections += 1
        self.most_open = max(self.most_open, len(self._open))
        upstream = Upstream(*self._upstream)
        try:
            await Connection(self.plan, reader, writer, upstream).serve()
        except asyncio.CancelledError:
            abort(writer)
        finally:
            upstream.close()
            writer.close()
            self._open.discard(writer)
            self._tasks.discard(task)


@contextmanager
def fault_proxy(
    upstream_url: str, *, seed: int = 0, port: int = 0
) -> Iterator[FaultProxy]:
    """A proxy that listens until the block ends.

    upstream_url: http://host:port; nobody has to listen there yet
    seed:         decides what `chance` and the places of `Cut` come to
    """
    proxy = FaultProxy(upstream_url, seed=seed, port=port)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.close()
