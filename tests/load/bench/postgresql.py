"""Empty PostgreSQL databases for the rounds: of a cluster of ours, or of one given."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final, TypeAlias

from support.postgres import Cluster, a_cluster

Fresh: TypeAlias = Callable[[], AbstractContextManager[str]]
_DURABLE: Final = ("fsync=on", "full_page_writes=on", "max_wal_size=1GB")
"""The tests' cluster gives up what a benchmark must not."""


@contextmanager
def fresh_databases() -> Iterator[Fresh]:
    """A function that makes an empty database for the length of a block."""
    with a_cluster(*_DURABLE) as cluster:
        yield lambda: _database(cluster)


@contextmanager
def _database(cluster: Cluster) -> Iterator[str]:
    name = cluster.create()
    try:
        yield cluster.url(name)
    finally:
        cluster.drop(name)
