"""The replica on a port of loopback, in a thread with a loop of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from support.harbor_replica.registry import harbor_host
from support.harbor_replica.state import Harbor
from support.vendor_hosts import vendor_host


@contextmanager
def harbor_replica(harbor: Harbor) -> Iterator[Harbor]:
    """Serve it; its URL is known inside the block."""
    with vendor_host(partial(harbor_host, harbor)) as url:
        harbor.url = url
        yield harbor
