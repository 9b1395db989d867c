"""What only one manifest of a repository holds: that is what its push has added."""

from collections.abc import Collection
from typing import Final

from sqlalchemy import Connection, bindparam, select

from weighbridge.domain.image.digest import Digest, raw
from weighbridge.store.dialect import Rows, among_bytes, listed
from weighbridge.store.models import blobs, repositories, repository_blobs

_held = repository_blobs.c
_SOLE: Final = Rows(
    select(blobs.c.digest)
    .join_from(blobs, repository_blobs, _held.blob_id == blobs.c.id)
    .join(
        repositories,
        (repositories.c.id == _held.repository_id)
        & (repositories.c.scope_id == _held.scope_id),
    )
    .where(
        among_bytes(blobs.c.digest),
        _held.repository_id == bindparam("repository"),
        _held.manifest_count == 1,
    )
)


def sole_blobs(
    connection: Connection, repository_id: int, digests: Collection[Digest]
) -> set[Digest]:
    """Those of the blobs that a single manifest of the repository holds."""
    parameters = {
        "repository": repository_id,
        "hashes": listed(sorted(map(raw, digests))),
    }
    return {digest for (digest,) in _SOLE.read(connection, parameters)}
