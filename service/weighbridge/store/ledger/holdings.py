"""Who holds which blob: what each repository holds, its bytes counted once, and then
the shared totals of its storage scope.

Within a batch manifests enter or leave (`liveness`). Then their blobs are counted, and
what began or ceased to be held is settled in the scope. docs/architecture.md says why
it goes in these steps.

Settling brings the shared totals in line with who holds which blob now. On SQLite,
where one process writes at a time, that is done in the same transaction. On PostgreSQL
the blobs' names are queued and settled by one process a scope, the settler: two pushes
that share a base must not wait for each other's commit. It settles blobs whose claims
have changed, too.

A row of the queue commits with its effect, so whoever sees the row sees the effect, and
what is in flight brings a row of its own. The shared totals are exact whenever the
queue is empty; what a repository holds itself is exact always.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from sqlalchemy import Connection, and_, bindparam, delete, func, select
from sqlalchemy.sql.elements import ColumnElement

from weighbridge.domain.sharing import (
    NOBODY,
    SEVERAL,
    HeldBlob,
    Owner,
    OwnershipChange,
    blob_deltas,
    change_holdings,
    joined_owner,
    owner_of,
    settle,
)
from weighbridge.store.dialect import (
    BulkDelete,
    BulkInsert,
    BulkUpdate,
    Rows,
    among_ids,
    given_ids,
    listed,
    probe,
    probe_if_any,
    settles_at_once,
)
from weighbridge.store.ledger.counts import add_deduplicated, configs_of, fold
from weighbridge.store.ledger.expressions import (
    STORED_BYTES,
    WEIGHED_BYTES,
    has_word_on,
    weighs_in,
)
from weighbridge.store.ledger.resizing import count_claims, marked_blobs
from weighbridge.store.ledger.scopes import (
    LedgerPlace,
    lock_settling,
    move_totals,
    parts_by_scope,
)
from weighbridge.store.models import (
    blob_changes,
    blob_sizes,
    blobs,
    images,
    layers,
    manifest_sizes,
    repository_blobs,
    scope_blobs,
)
from weighbridge.store.session import Database, alone

_MOVED: Final = 5_000
"""Blobs, or a whole repository's, that are moved between scopes at once."""
_holding = repository_blobs.c
_LAYERS: Final = Rows(
    select(layers.c.image_id, layers.c.blob_id).where(among_ids(layers.c.image_id))
)
_HOLDING_KEY: Final = ("scope_id", "blob_id", "repository_id")
# Each blob by its whole key. As a join PostgreSQL reads all that the repository holds
# for each of them, as long as nobody has counted the table.
_given_holdings = given_ids("scope_id", "repository_id", "blob_id")
HELD: Final = Rows(
    select(
        _given_holdings.c.repository_id,
        _given_holdings.c.scope_id,
        blobs.c.id,
        STORED_BYTES.label("stored_bytes"),
        func.coalesce(_holding.manifest_count, 0).label("manifests"),
    ).select_from(
        probe_if_any(
            probe(_given_holdings, blobs, blobs.c.id == _given_holdings.c.blob_id),
            (blob_sizes, has_word_on(_given_holdings.c.scope_id)),
            (
                repository_blobs,
                and_(
                    *(
                        _holding[name] == _given_holdings.c[name]
                        for name in _HOLDING_KEY
                    )
                ),
            ),
        )
    )
)
_NEW_HOLDINGS: Final = BulkInsert(repository_blobs, *_HOLDING_KEY, "manifest_count")
_CHANGED_HOLDINGS: Final = BulkUpdate(
    repository_blobs, key=_HOLDING_KEY, values=["manifest_count"]
)
_GONE_HOLDINGS: Final = BulkDelete(repository_blobs, key=_HOLDING_KEY)


def count_blobs(
    connection: Connection,
    flips: Mapping[LedgerPlace, Mapping[int, int]],
    configs: Mapping[int, int | None],
) -> dict[LedgerPlace, int]:
    """Let manifests whose facts are kept enter (+1) or leave (-1) repositories, with
    all that they hold: themselves, their configs, their layers.

    The repositories' rows must be locked. configs: of each of the manifests. Returns
    by how many bytes the distinct blobs of each repository are more.
    """
    contents = contents_of(connection, configs)
    deltas = {place: blob_deltas(each, contents) for place, each in flips.items()}
    return change_blobs(connection, deltas)


def move_holdings(
    connection: Connection, moves: Iterable[tuple[LedgerPlace, int]]
) -> None:
    """Let all that repositories hold count in another storage scope each, or in another
    part of the same. The repositories' rows must be locked.

    moves: each place, and the scope that it is to be in; a repository once
    """
    deltas: dict[LedgerPlace, Mapping[int, int]] = {}
    blobs_moved = 0
    for place, other_id in moves:
        held = held_by(connection, configs_of(connection, place.repository_id))
        if not held:
            continue
        deltas[place] = {blob: -count for blob, count in held.items()}
        deltas[place._replace(scope_id=other_id)] = held
        blobs_moved += len(held)
        if blobs_moved >= _MOVED:
            _move(connection, deltas)
            deltas, blobs_moved = {}, 0
    _move(connection, deltas)


def _move(
    connection: Connection, deltas: Mapping[LedgerPlace, Mapping[int, int]]
) -> None:
    more: Counter[int] = Counter()
    for place, delta in change_blobs(connection, deltas).items():
        more[place.repository_id] += delta
    add_deduplicated(connection, more)


def held_by(
    connection: Connection, configs: Mapping[int, int | None]
) -> dict[int, int]:
    """By how many of these manifests, given with their configs, each blob is held."""
    contents = contents_of(connection, configs)
    return blob_deltas(dict.fromkeys(configs, 1), contents)


def contents_of(
    connection: Connection, configs: Mapping[int, int | None]
) -> dict[int, set[int]]:
    """The distinct blobs of manifests, given with their configs: themselves, their
    configs, their layers."""
    contents = {
        manifest: {manifest} if config is None else {manifest, config}
        for manifest, config in configs.items()
    }
    if contents:
        for image, blob in _LAYERS.read(connection, {"ids": listed(contents)}):
            contents[image].add(blob)
    return contents


def change_blobs(
    connection: Connection, deltas: Mapping[LedgerPlace, Mapping[int, int]]
) -> dict[LedgerPlace, int]:
    """Count that so many manifests more (or fewer) of a repository hold each blob.
    Returns by how many bytes its distinct blobs are more."""
    held = read_holdings(connection, deltas)
    changes = {place: change_holdings(held[place], deltas[place]) for place in held}
    added, changed, removed = [], [], []
    moved: dict[int, set[int]] = {}
    for (repository, scope), change in changes.items():
        added += [(scope, blob, repository, n) for blob, n in change.added]
        changed += [(scope, blob, repository, n) for blob, n in change.changed]
        removed += [(scope, blob, repository) for blob in change.removed]
        moved.setdefault(scope, set()).update(change.moved)
    _NEW_HOLDINGS.add(connection, sorted(added))
    _CHANGED_HOLDINGS.set(connection, sorted(changed))
    _GONE_HOLDINGS.remove(connection, sorted(removed))
    settle_or_queue(connection, moved)
    return {place: change.bytes_delta for place, change in changes.items()}


def read_holdings(
    connection: Connection, blob_ids: Mapping[LedgerPlace, Collection[int]]
) -> dict[LedgerPlace, list[HeldBlob]]:
    """Those of the blobs that exist, with what is stored of each repository's hold."""
    found: dict[LedgerPlace, list[HeldBlob]] = {place: [] for place in blob_ids}
    keys = {(p.scope_id, p.repository_id): ids for p, ids in blob_ids.items() if ids}
    if keys:
        for repository, scope, *row in HELD.read(connection, {"keys": keys}):
            found[LedgerPlace(repository, scope)].append(HeldBlob(*row))
    return found


_held = repository_blobs.c
_shared = scope_blobs.c
_given = given_ids("scope_id", "blob_id")


def _holder(order: ColumnElement[int]) -> ColumnElement[int]:
    # Two probes of the key, the same for one holder and for 40,000.
    return (
        select(_held.repository_id)
        .where(_held.scope_id == _given.c.scope_id, _held.blob_id == blobs.c.id)
        .order_by(order)
        .limit(1)
        .scalar_subquery()
    )


_STATES: Final = Rows(
    select(
        _given.c.scope_id,
        blobs.c.id,
        _shared.blob_id.label("settled"),
        _shared.sole_repository_id,
        _holder(_held.repository_id.asc()).label("lowest"),
        _holder(_held.repository_id.desc()).label("highest"),
        STORED_BYTES.label("stored_bytes"),
        WEIGHED_BYTES.label("weighed_bytes"),
    ).select_from(
        probe_if_any(
            probe(_given, blobs, blobs.c.id == _given.c.blob_id),
            (
                scope_blobs,
                and_(
                    _shared.scope_id == _given.c.scope_id,
                    _shared.blob_id == blobs.c.id,
                ),
            ),
            (blob_sizes, has_word_on(_given.c.scope_id)),
            (images, images.c.id == blobs.c.id),
            (manifest_sizes, weighs_in(_given.c.scope_id)),
        )
    )
)
_KEY: Final = ("scope_id", "blob_id")
_ENTERED: Final = BulkInsert(scope_blobs, *_KEY, "sole_repository_id")
_CHANGED: Final = BulkUpdate(scope_blobs, key=_KEY, values=["sole_repository_id"])
_LEFT: Final = BulkDelete(scope_blobs, key=_KEY)
_ALL: Final = select(_shared.blob_id).where(_shared.scope_id == bindparam("scope"))
_PIECE: Final = 2_000
_QUEUE: Final = BulkInsert(blob_changes, *_KEY)


def settle_or_queue(
    connection: Connection, blob_ids: Mapping[int, Collection[int]]
) -> None:
    """Settle blobs that a repository of each scope began or ceased to hold, or leave
    that to the settler. Those that are shared already are named too: what somebody
    else is just letting go cannot be seen from here."""
    if settles_at_once(connection.dialect):
        settle_blobs(connection, blob_ids)
    else:
        rows = [(scope, blob) for scope, ids in blob_ids.items() for blob in ids]
        _QUEUE.add(connection, sorted(rows))


def settle_blobs(
    connection: Connection, blob_ids: Mapping[int, Collection[int]]
) -> None:
    """Bring scopes in line with who holds these blobs, in each of their parts. State
    against state, so it may be repeated; on PostgreSQL by one process a scope."""
    moved = {scope: ids for scope, ids in blob_ids.items() if ids}
    if not moved:
        return
    parts = parts_by_scope(connection, moved)
    asked: dict[int, set[int]] = {}
    for scope, ids in moved.items():
        # None of a scope that is not there any more.
        for part in parts.get(scope, ()):
            asked.setdefault(part, set()).update(ids)
    changes = _changes(connection, {p: sorted(ids) for p, ids in asked.items()})
    # Parts of one scope have the same first part.
    firsts = {part: of_scope[0] for of_scope in parts.values() for part in of_scope}
    owner: dict[tuple[int, int], Owner] = {}
    for part, found in changes.items():
        for change in found:
            key = firsts[part], change.blob
            owner[key] = joined_owner(owner.get(key, NOBODY), change.now)
    _settle_parts(
        connection,
        {
            part: [
                p if p.now == NOBODY else p._replace(now=owner[firsts[part], p.blob])
                for p in found
            ]
            for part, found in changes.items()
        },
    )


def read_owners(
    connection: Connection, scope_id: int, blob_ids: Collection[int]
) -> dict[int, Owner]:
    """In whose hands blobs of a scope are at this moment, in all of its parts, whatever
    the settler has still to do."""
    parts = parts_by_scope(connection, [scope_id])[scope_id]
    owners: dict[int, Owner] = {}
    asked = dict.fromkeys(parts, sorted(blob_ids)) if blob_ids else {}
    for found in _changes(connection, asked).values():
        for change in found:
            known = owners.get(change.blob, NOBODY)
            owners[change.blob] = joined_owner(known, change.now)
    return owners


def _changes(
    connection: Connection, blob_ids: Mapping[int, Collection[int]]
) -> dict[int, list[OwnershipChange]]:
    """Whose these blobs were and are, as far as each part of a scope knows."""
    changes: dict[int, list[OwnershipChange]] = {part: [] for part in blob_ids}
    for (
        part,
        blob,
        settled,
        sole,
        lowest,
        highest,
        stored_bytes,
        weighed_bytes,
    ) in _STATES.read(connection, {"keys": blob_ids}):
        was = NOBODY if settled is None else sole or SEVERAL
        now = owner_of(lowest, highest)
        changes[part].append(
            OwnershipChange(blob, was, now, stored_bytes, weighed_bytes)
        )
    return changes


def _settle_parts(
    connection: Connection, changes: Mapping[int, Collection[OwnershipChange]]
) -> None:
    settlements = {part: settle(found) for part, found in changes.items()}
    entered, changed, left = [], [], []
    for part, settlement in sorted(settlements.items()):
        entered += [(part, b, _column(now)) for b, now in settlement.entered]
        changed += [(part, b, _column(now)) for b, now in settlement.changed]
        left += [(part, blob) for blob in settlement.left]
    _ENTERED.add(connection, entered)
    _CHANGED.set(connection, changed)
    _LEFT.remove(connection, left)
    move_totals(connection, settlements)


def resettle(connection: Connection, scope_ids: Collection[int]) -> None:
    """Settle everything in these scopes: an entry came to their address, or left it."""
    for scope_id in scope_ids:
        blob_ids = list(connection.execute(_ALL, {"scope": scope_id}).scalars())
        for start in range(0, len(blob_ids), _PIECE):
            settle_or_queue(connection, {scope_id: blob_ids[start : start + _PIECE]})


def _column(owner: Owner) -> int | None:
    return None if owner == SEVERAL else owner


_STEP: Final = 5_000
"""Changes that are settled in one transaction."""
_BLOBS: Final = 500
"""Blobs whose claims have changed, beside which no batch runs: see `resizing`."""

_change = blob_changes.c
_OLDEST: Final = select(_change.scope_id).order_by(_change.id).limit(1)
_FIRST: Final = (
    select(_change.id)
    .where(_change.scope_id == bindparam("scope"))
    .order_by(_change.id)
    .limit(_STEP)
)
_TAKE: Final = (
    delete(blob_changes).where(_change.id.in_(_FIRST)).returning(_change.blob_id)
)


def settle_waiting(database: Database) -> int:
    """Settle the scope that waits longest, one step; how many changes that took.

    0: nothing waits, as always on SQLite, which settles in each batch. Safe in
    several processes at once: one of them works on a scope, the others wait for it.
    Raises StoreError(database_busy, ...).
    """
    if database.settles_at_once:
        return 0
    fold(database)
    with database.read() as connection:
        scope: int | None = connection.execute(_OLDEST).scalar()
        is_marked = bool(marked_blobs(connection, 1))
    if is_marked:
        with alone(database) as connection:
            counted = marked_blobs(connection, _BLOBS)
            count_claims(connection, counted)
        return max(len(counted), 1)
    if scope is None:
        return 0
    with database.write() as connection:
        lock_settling(connection, [scope])
        taken = list(connection.execute(_TAKE, {"scope": scope}).scalars())
        if taken:
            settle_blobs(connection, {scope: set(taken)})
    # Where another process was faster, there may still be more.
    return max(len(taken), 1)


def settle_all(database: Database) -> None:
    """Settle until nothing waits: afterwards every total is exact, as far as nobody
    writes meanwhile. Raises StoreError(database_busy, ...)."""
    while settle_waiting(database):
        pass
