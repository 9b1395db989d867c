"""The replica on three ports of loopback, each in a thread with a loop of its own."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from support.ecr_replica.api import api
from support.ecr_replica.registry import registry, storage
from support.ecr_replica.state import ECRState
from support.vendor_hosts import vendor_host


@contextmanager
def ecr_replica(ecr: ECRState) -> Iterator[ECRState]:
    """Serve it; its URLs are known inside the block."""
    with ExitStack() as stack:
        for name, answering in (
            ("api_url", api),
            ("registry_url", registry),
            ("storage_url", storage),
        ):
            url = stack.enter_context(vendor_host(partial(answering, ecr)))
            setattr(ecr, name, url)
        yield ecr
