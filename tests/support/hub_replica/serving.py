"""The replica on three ports of loopback, each in a thread with a loop of its own."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from support.hub_replica.answers import api, registry, token_service
from support.hub_replica.state import Hub
from support.vendor_hosts import vendor_host


@contextmanager
def hub_replica(hub: Hub) -> Iterator[Hub]:
    """Serve it; its URLs are known inside the block."""
    with ExitStack() as stack:
        for name, answering in (
            ("api_url", api),
            ("registry_url", registry),
            ("token_url", token_service),
        ):
            url = stack.enter_context(vendor_host(partial(answering, hub)))
            setattr(hub, name, url)
        yield hub
