"""A PostgreSQL server in a network of its own, behind a cable that can be pulled.

    def story() -> None:
        with far_server() as far:
            open_database(far.url(far.cluster.create()))
            with far.cable_pulled():
                ...

    run_beside(story)

The test's own thread has a network of its own too, and so has whatever it begins.
Needs root, as every namespace does.
"""

import asyncio
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from support.namespace import enter, ip, run_in_namespace
from support.postgres import Cluster, a_cluster

_NEAR: Final = "10.9.0.1"
_FAR: Final = "10.9.0.2"
_READY_S: Final = 60.0
_ACCESS: Final = "local all all trust\nhost all all 10.9.0.0/24 trust\n"


@dataclass(frozen=True, slots=True)
class FarServer:
    """One that runs."""

    cluster: Cluster

    def url(self, name: str) -> str:
        """The URL of a database, over the network."""
        return f"postgresql://weighbridge@{_FAR}/{name}"

    @contextmanager
    def cable_pulled(self) -> Iterator[None]:
        """While the block runs nothing arrives on either side."""
        ip("link", "set", "near", "down")
        try:
            yield
        finally:
            ip("link", "set", "near", "up")


def run_beside(story: Callable[[], None]) -> None:
    """Run `story` in a network of its own; threads have that of who begins them."""

    async def told() -> None:
        await asyncio.to_thread(story)

    run_in_namespace((), told)


@contextmanager
def far_server() -> Iterator[FarServer]:
    """A server until the block ends; to be called by a `run_beside` story."""
    ready, over = threading.Event(), threading.Event()
    here = threading.get_native_id()
    clusters: list[Cluster] = []
    failures: list[BaseException] = []

    def serve() -> None:
        try:
            with ExitStack() as stack:
                enter()
                _join(here)
                clusters.append(stack.enter_context(_listening()))
                ready.set()
                over.wait()
        except BaseException as exc:  # noqa: BLE001 - raised again by the test's thread
            failures.append(exc)
        finally:
            ready.set()

    thread = threading.Thread(target=serve, name="far-server")
    thread.start()
    try:
        assert ready.wait(_READY_S)
        if not failures:
            ip("address", "add", f"{_NEAR}/24", "dev", "near")
            ip("link", "set", "near", "up")
            yield FarServer(clusters[0])
    finally:
        over.set()
        thread.join()
    for failure in failures:
        raise failure


def _join(other: int) -> None:
    """Lay a cable between this thread's network and that of another thread."""
    peer = ("peer", "name", "near", "netns", str(other))
    ip("link", "add", "far", "type", "veth", *peer)
    ip("address", "add", f"{_FAR}/24", "dev", "far")
    ip("link", "set", "lo", "up")
    ip("link", "set", "far", "up")


@contextmanager
def _listening() -> Iterator[Cluster]:
    with tempfile.TemporaryDirectory(prefix="weighbridge-hba-") as folder:
        Path(folder).chmod(0o755)
        access = Path(folder) / "pg_hba.conf"
        access.write_text(_ACCESS)
        with a_cluster("listen_addresses=*", f"hba_file={access}") as cluster:
            yield cluster
