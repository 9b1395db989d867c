"""The replica on two ports of loopback: API and registry on one, storage on another."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from support.quay_replica.api import api
from support.quay_replica.registry import registry, storage
from support.quay_replica.state import Quay
from support.vendor_hosts import Reply, Request, vendor_host


@contextmanager
def quay_replica(quay: Quay) -> Iterator[Quay]:
    """Serve it; its URLs are known inside the block."""
    with (
        vendor_host(partial(_answer, quay)) as quay.url,
        vendor_host(partial(storage, quay)) as quay.storage_url,
    ):
        yield quay


def _answer(quay: Quay, asked: Request) -> Reply:
    is_api = asked.target.startswith("/api/")
    return api(quay, asked) if is_api else registry(quay, asked)
