"""Storage scopes: the parts of each, who holds blobs in them, their totals, and what
only one repository of each holds.

An address is one registry, so what its entries hold is kept once, whoever of them
crawls it. Each entry has a row of `storage_scopes` of its own, with its own totals;
rows of one address and name are the parts of one scope, and settled together.

Holders are found from the blobs. What is settled tells the scopes, as far as the
settler has come; what it has before it shows in its queue. One statement sees both as
of one moment: of a change that was committed, either one or the other.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

from sqlalchemy import (
    BigInteger,
    Connection,
    FromClause,
    Table,
    and_,
    bindparam,
    func,
    select,
    union,
)

from weighbridge.domain.image.digest import Digest, raw
from weighbridge.domain.sharing import Settlement, moved_total
from weighbridge.store.dialect import (
    BulkUpdate,
    Purpose,
    Rows,
    among_bytes,
    among_ids,
    join_in_order,
    listed,
    lock,
)
from weighbridge.store.ledger.expressions import (
    STORED_BYTES,
    WEIGHED_BYTES,
    exact_sum,
    sized,
    sum_of,
    weighed,
)
from weighbridge.store.models import (
    blob_changes,
    blobs,
    registries,
    repositories,
    repository_blobs,
    repository_manifests,
    repository_summaries,
    scope_blobs,
    storage_scopes,
)
from weighbridge.store.models.types import LARGEST, bounded

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


_HELD_SOMEWHERE: Final = union(
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


_LIVE: Final = select(repository_manifests.c.manifest_id).where(
    among_ids(repository_manifests.c.manifest_id)
)


def find_held(connection: Connection, blob_ids: Collection[int]) -> set[int]:
    """Those blobs that some repository holds, or that wait to be settled."""
    return set(connection.execute(_HELD_SOMEWHERE, {"ids": listed(blob_ids)}).scalars())


def find_live(connection: Connection, manifest_ids: Collection[int]) -> set[int]:
    """Those manifests that some repository leads to."""
    return set(connection.execute(_LIVE, {"ids": listed(manifest_ids)}).scalars())


def find_scopes(connection: Connection, blob_ids: Collection[int]) -> Sequence[int]:
    """The scopes in which some of the blobs are held, or wait to be settled; sorted."""
    parameters = {"ids": listed(blob_ids)}
    return sorted(connection.execute(_SCOPES, parameters).scalars())


def find_holders(connection: Connection, blob_ids: Collection[int]) -> Sequence[Holder]:
    """Every repository that holds one of the blobs."""
    parameters = {"ids": listed(blob_ids)}
    return [Holder(*row) for row in connection.execute(_HOLDERS, parameters)]


_SOLE_BLOBS: Final = Rows(
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
    return {digest for (digest,) in _SOLE_BLOBS.read(connection, parameters)}


_part = storage_scopes.alias("part")
_entry = registries.alias("entry")
_PARTS: Final = (
    select(_part.c.id.label("scope_id"), storage_scopes.c.id)
    .select_from(_part)
    .join(_entry, _entry.c.id == _part.c.registry_id)
    .join(registries, registries.c.address == _entry.c.address)
    .join(
        storage_scopes,
        and_(
            storage_scopes.c.registry_id == registries.c.id,
            storage_scopes.c.name == _part.c.name,
        ),
    )
    .where(among_ids(_part.c.id))
    .order_by(_part.c.id, storage_scopes.c.id)
)
_OWN: Final = select(storage_scopes.c.id).where(
    storage_scopes.c.registry_id == bindparam("registry")
)


def parts_of(connection: Connection, scope_ids: Collection[int]) -> Sequence[int]:
    """These rows of `storage_scopes`, and those that are one scope with them; by id."""
    return sorted(set().union(*parts_by_scope(connection, scope_ids).values()))


def parts_by_scope(
    connection: Connection, scope_ids: Collection[int]
) -> dict[int, list[int]]:
    """The same by each of the rows."""
    parts: dict[int, list[int]] = {}
    parameters = {"ids": listed(sorted(scope_ids))}
    for scope, part in connection.execute(_PARTS, parameters):
        parts.setdefault(scope, []).append(part)
    return parts


def lock_settling(connection: Connection, scope_ids: Collection[int]) -> None:
    """Nobody else settles these scopes, in any of their parts, until we commit."""
    for part in parts_of(connection, scope_ids):
        lock(connection, Purpose.SETTLE, part)


def scopes_beside(connection: Connection, registry_id: int) -> Sequence[int]:
    """The scopes of a registry that other entries of its address have a part in, with
    these parts."""
    own = list(connection.execute(_OWN, {"registry": registry_id}).scalars())
    parts = parts_of(connection, own)
    return parts if len(parts) > len(own) else []


class LedgerPlace(NamedTuple):
    """A repository and the storage scope that it belongs to."""

    repository_id: int
    scope_id: int


_shared = scope_blobs.c
_scope = storage_scopes.c
_summary = repository_summaries.c
_SCOPE: Final = bindparam("scope", type_=BigInteger)
_EXCLUSIVE: Final = (
    select(_summary.repository_id, _summary.exclusive_bytes)
    .where(among_ids(_summary.repository_id))
    .order_by(_summary.repository_id)
    .with_for_update()
)
_SET_EXCLUSIVE: Final = BulkUpdate(
    repository_summaries,
    key=["repository_id"],
    values=["exclusive_bytes"],
    also={"revision": _summary.revision + 1},
)
_NAMES: Final = ("image_count", "weighed_bytes", "deduplicated_bytes", "shared_bytes")
_TOTALS: Final = (
    select(_scope.id, *(_scope[name] for name in _NAMES))
    .where(among_ids(_scope.id))
    .order_by(_scope.id)
)
_SET_TOTALS: Final = BulkUpdate(
    storage_scopes,
    key=["id"],
    values=_NAMES,
    also={"revision": _scope.revision + 1},
)
_HELD: Final = sized(
    scope_blobs.join(blobs, blobs.c.id == _shared.blob_id), _shared.scope_id
)
_IN_SCOPE: Final = (
    select(
        func.count(WEIGHED_BYTES).label("images"),
        *exact_sum(WEIGHED_BYTES, "weighed"),
        *exact_sum(STORED_BYTES, "deduplicated"),
    )
    .select_from(weighed(_HELD, _shared.scope_id))
    .where(_shared.scope_id == _SCOPE)
)
_SHARED: Final = (
    select(*exact_sum(STORED_BYTES, "bytes"))
    .select_from(_HELD)
    .where(_shared.scope_id == _SCOPE, _shared.sole_repository_id.is_(None))
)
_SOLE: Final = (
    select(*exact_sum(STORED_BYTES, "bytes"))
    .select_from(_HELD)
    .where(
        _shared.scope_id == _SCOPE,
        _shared.sole_repository_id == bindparam("repository"),
    )
)


def move_totals(connection: Connection, settlements: Mapping[int, Settlement]) -> None:
    """Add to the totals of each part of a scope what was settled in it, and to those
    of its repositories."""
    exclusive: Counter[int] = Counter()
    parts: dict[int, set[int]] = {}
    for part, settlement in settlements.items():
        for repository, delta in settlement.exclusive_bytes.items():
            exclusive[repository] += delta
            parts.setdefault(repository, set()).add(part)
    _move_exclusive(connection, exclusive, parts)
    moves = {
        part: (s.images, s.weighed_bytes, s.deduplicated_bytes, s.shared_bytes)
        for part, s in settlements.items()
    }
    _move_scopes(connection, {part: each for part, each in moves.items() if any(each)})


def _move_exclusive(
    connection: Connection,
    deltas: Mapping[int, int],
    parts: Mapping[int, Collection[int]],
) -> None:
    ids = sorted(repository for repository, delta in deltas.items() if delta)
    if not ids:
        return
    totals = []
    for repository, stored in connection.execute(
        _EXCLUSIVE, {"ids": listed(ids)}
    ).all():
        total = moved_total(stored, deltas[repository], LARGEST)
        if total is None:
            sole = (sole_bytes(connection, p, repository) for p in parts[repository])
            total = bounded(sum(sole))
        totals.append((repository, total))
    _SET_EXCLUSIVE.set(connection, totals)


def _move_scopes(
    connection: Connection, moves: Mapping[int, tuple[int, int, int, int]]
) -> None:
    if not moves:
        return
    rows = []
    for part, *stored in connection.execute(
        _TOTALS, {"ids": listed(sorted(moves))}
    ).all():
        totals = [
            moved_total(total, move, LARGEST)
            for total, move in zip(stored, moves[part], strict=True)
        ]
        counted = None in totals
        rows.append((part, *(_counted(connection, part) if counted else totals)))
    _SET_TOTALS.set(connection, rows)


def _counted(connection: Connection, scope_id: int) -> tuple[int, int, int, int]:
    """A scope's totals, counted anew from what is settled."""
    row = connection.execute(_IN_SCOPE, {"scope": scope_id}).one()
    shared = connection.execute(_SHARED, {"scope": scope_id}).one()
    return (
        row.images,
        bounded(sum_of(row, "weighed")),
        bounded(sum_of(row, "deduplicated")),
        bounded(sum_of(shared, "bytes")),
    )


def sole_bytes(connection: Connection, scope_id: int, repository_id: int) -> int:
    """What only this repository holds, counted anew from what is settled."""
    parameters = {"scope": scope_id, "repository": repository_id}
    return bounded(sum_of(connection.execute(_SOLE, parameters).one(), "bytes"))
