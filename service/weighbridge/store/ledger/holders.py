"""Who holds blobs, in whichever storage scope, found from the blobs.

What is settled tells the scopes, as far as the settler has come; what it has before
it shows in its queue. One statement sees both as of one moment: of a change that was
committed, either one or the other.
"""

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection, FromClause, Table, and_, bindparam, select, union

from weighbridge.domain.image.digest import Digest, raw
from weighbridge.store.dialect import (
    Rows,
    among_bytes,
    among_ids,
    join_in_order,
    listed,
)
from weighbridge.store.models import (
    blob_changes,
    blobs,
    repositories,
    repository_blobs,
    scope_blobs,
)

_held = repository_blobs.c
_PLACES: Final = (scope_blobs, blob_changes)


class Holder(NamedTuple):
    """A repository that holds a blob."""

    scope_id: int
    repository_id: int
    blob_id: int


def _holders(places: Table) -> FromClause:
    return join_in_order(
        places,
        repository_blobs,
        and_(_held.scope_id == places.c.scope_id, _held.blob_id == places.c.blob_id),
    )


_HELD: Final = union(
    *(select(places.c.blob_id).where(among_ids(places.c.blob_id)) for places in _PLACES)
)
_SCOPES: Final = union(
    *(
        select(places.c.scope_id).where(among_ids(places.c.blob_id))
        for places in _PLACES
    )
)
_HOLDERS: Final = union(
    *(
        select(_held.scope_id, _held.repository_id, _held.blob_id)
        .select_from(_holders(places))
        .where(among_ids(places.c.blob_id))
        for places in _PLACES
    )
)


def find_held(connection: Connection, blob_ids: Collection[int]) -> set[int]:
    """Those blobs that some repository holds, or that wait to be settled."""
    return set(connection.execute(_HELD, {"ids": listed(blob_ids)}).scalars())


def find_scopes(connection: Connection, blob_ids: Collection[int]) -> Sequence[int]:
    """The scopes in which some of the blobs are held, or wait to be settled; sorted."""
    parameters = {"ids": listed(blob_ids)}
    return sorted(connection.execute(_SCOPES, parameters).scalars())


def find_holders(connection: Connection, blob_ids: Collection[int]) -> Sequence[Holder]:
    """Every repository that holds one of the blobs."""
    parameters = {"ids": listed(blob_ids)}
    return [Holder(*row) for row in connection.execute(_HOLDERS, parameters)]


_holding = repository_blobs.c
_SOLE: Final = Rows(
    select(blobs.c.digest)
    .join_from(blobs, repository_blobs, _holding.blob_id == blobs.c.id)
    .join(
        repositories,
        (repositories.c.id == _holding.repository_id)
        & (repositories.c.scope_id == _holding.scope_id),
    )
    .where(
        among_bytes(blobs.c.digest),
        _holding.repository_id == bindparam("repository"),
        _holding.manifest_count == 1,
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
