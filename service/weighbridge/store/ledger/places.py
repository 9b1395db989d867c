"""Where a repository's blobs count."""

from typing import NamedTuple


class LedgerPlace(NamedTuple):
    """A repository and the storage scope that it belongs to."""

    repository_id: int
    scope_id: int
