"""The ledger counted anew from tags and facts, one repository or scope at a time.

What is stored is read beside it, so that only differences are kept. A repository's
counts fit in memory, because its tags are capped; a scope goes by in pieces.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from sqlalchemy import BigInteger, BindParameter, Connection, bindparam, func, select

from weighbridge.domain.sharing import (
    NOBODY,
    SEVERAL,
    OwnershipChange,
    Settlement,
    owner_of,
)
from weighbridge.store.dialect import among_ids, listed
from weighbridge.store.ledger.expressions import (
    CLAIMED_BYTES,
    STORED_BYTES,
    WEIGHED_BYTES,
    sized,
    weighed,
)
from weighbridge.store.ledger.holdings import held_by, read_holdings
from weighbridge.store.ledger.liveness import read_facts
from weighbridge.store.ledger.scopes import LedgerPlace, parts_of
from weighbridge.store.maintenance.checking.differences import (
    BLOBS,
    COUNTED,
    EXCLUSIVE,
    MANIFESTS,
    SCOPES,
    SHARED,
    SUMMARIES,
    WEIGHTS,
    Values,
    Watch,
    Wrong,
    compare,
)
from weighbridge.store.models import (
    blobs,
    manifest_sizes,
    repositories,
    repository_blobs,
    repository_manifests,
    repository_summaries,
    scope_blobs,
    storage_scopes,
    tags,
)
from weighbridge.store.models.types import bounded
from weighbridge.store.sizes.manifest_sizes import sum_again

_PIECE: Final = 2_000
_SCOPE: Final[BindParameter[int]] = bindparam("scope", type_=BigInteger)


_WHOLE: Final = (
    select(manifest_sizes.c.manifest_id)
    .where(
        manifest_sizes.c.scope_id == _SCOPE,
        manifest_sizes.c.manifest_id > bindparam("after"),
        manifest_sizes.c.is_whole,
    )
    .order_by(manifest_sizes.c.manifest_id)
    .limit(_PIECE)
)


def recount_claims(connection: Connection) -> Iterator[Wrong]:
    """Blobs that count something else than what is claimed of them, of any registry."""
    miscounted = select(
        blobs.c.id, blobs.c.counted_bytes, CLAIMED_BYTES.label("claimed")
    ).where(blobs.c.is_uncounted.is_(False), blobs.c.counted_bytes != CLAIMED_BYTES)
    for blob, counted, claimed in connection.execute(miscounted).all():
        yield Wrong(COUNTED, (blob,), (counted,), (claimed,))


def recount_weights(connection: Connection, scope_id: int) -> Iterator[Wrong]:
    """Manifests that weigh something else in a scope than what their blobs do."""
    after = -1
    while True:
        parameters = {"scope": scope_id, "after": after}
        ids = list(connection.execute(_WHOLE, parameters).scalars())
        for manifest, stored, summed in sum_again(connection, scope_id, ids):
            if stored != summed:
                yield Wrong(WEIGHTS, (scope_id, manifest), stored, summed)
        if len(ids) < _PIECE:
            return
        after = ids[-1]


_held = repository_blobs.c
_shared = scope_blobs.c
_summary = repository_summaries.c
_REPOSITORY: Final[BindParameter[int]] = bindparam("repository")
_AFTER: Final[BindParameter[int]] = bindparam("after")

_TARGETS: Final = (
    select(tags.c.target_id, func.count())
    .where(
        tags.c.repository_id == _REPOSITORY,
        tags.c.deleted_at.is_(None),
        tags.c.target_id.is_not(None),
    )
    .group_by(tags.c.target_id)
)
_TAG_COUNT: Final = select(func.count()).where(
    tags.c.repository_id == _REPOSITORY, tags.c.deleted_at.is_(None)
)
_MANIFESTS: Final = select(
    repository_manifests.c.manifest_id,
    repository_manifests.c.tag_count,
    repository_manifests.c.index_count,
).where(repository_manifests.c.repository_id == _REPOSITORY)
_SUMMARY: Final = select(*(_summary[name] for name in SUMMARIES.values)).where(
    _summary.repository_id == _REPOSITORY
)
_ALL_OF: Final = select(_held.blob_id, _held.manifest_count).where(
    _held.scope_id == _SCOPE, _held.repository_id == _REPOSITORY
)
_HOLDERS: Final = (
    select(
        _held.blob_id,
        func.min(_held.repository_id),
        func.max(_held.repository_id),
    )
    .where(_held.scope_id == _SCOPE, _held.blob_id > _AFTER)
    .group_by(_held.blob_id)
    .order_by(_held.blob_id)
    .limit(_PIECE)
)
_HELD_AMONG: Final = (
    select(_held.blob_id)
    .where(_held.scope_id == _SCOPE, among_ids(_held.blob_id))
    .distinct()
)
_SIZES: Final = (
    select(blobs.c.id, STORED_BYTES.label("stored"), WEIGHED_BYTES.label("weighed"))
    .select_from(weighed(sized(blobs, _SCOPE), _SCOPE))
    .where(among_ids(blobs.c.id))
)
_SETTLED: Final = select(_shared.blob_id, _shared.sole_repository_id).where(
    _shared.scope_id == _SCOPE,
    _shared.blob_id > _AFTER,
    _shared.blob_id <= bindparam("last"),
)
_LAST: Final = select(func.max(_shared.blob_id)).where(_shared.scope_id == _SCOPE)
_TOTALS: Final = select(*(storage_scopes.c[name] for name in SCOPES.values)).where(
    storage_scopes.c.id == _SCOPE
)
_EXCLUSIVE: Final = (
    select(_summary.repository_id, _summary.exclusive_bytes)
    .join(repositories, repositories.c.id == _summary.repository_id)
    .where(repositories.c.scope_id == _SCOPE)
)


def recount_repositories(
    connection: Connection,
    registry_id: int | None,
    places: Sequence[LedgerPlace],
    watch: Watch,
) -> Iterator[Wrong]:
    """What is wrong with what these repositories hold, and rows of those that are not
    there: anywhere, or but for other registries than this one."""
    # One walk over the table, because no index leads to a repository's rows.
    rows = connection.execute(
        select(_held.repository_id, _held.scope_id, func.count())
        .group_by(_held.scope_id, _held.repository_id)
        .order_by(_held.repository_id, _held.scope_id)
    )
    held_rows = {LedgerPlace(r, scope): n for r, scope, n in rows}
    for done, place in enumerate(places):
        watch("repositories", done, len(places))
        yield from _recount_repository(connection, place, held_rows.get(place, 0))
    others = set(scopes_of(connection)) - set(scopes_of(connection, registry_id))
    for place in sorted(held_rows.keys() - set(places_of(connection))):
        if place.scope_id not in others:
            yield from _unaccounted(connection, place, {})


def recount_scopes(
    connection: Connection,
    scopes: Sequence[int],
    parts: Sequence[Callable[[Connection, int], Iterator[Wrong]]],
    what: str,
    watch: Watch,
) -> Iterator[Wrong]:
    """Parts of a recount, scope by scope."""
    for done, scope in enumerate(scopes):
        watch(what, done, len(scopes))
        for part in parts:
            yield from part(connection, scope)


def _recount_repository(
    connection: Connection, place: LedgerPlace, held_rows: int
) -> Iterator[Wrong]:
    """And with its own numbers. Rows that nothing accounts for show in their number."""
    live, counts, image_count = _live(connection, place.repository_id)
    parameters = {"repository": place.repository_id}
    stored: dict[tuple[int, ...], Values] = {
        (manifest,): (tags, indexes)
        for manifest, tags, indexes in connection.execute(_MANIFESTS, parameters)
    }
    counted: dict[tuple[int, ...], Values] = {(m,): n for m, n in live.items()}
    yield from compare(MANIFESTS, (place.repository_id,), stored, counted)
    found, deduplicated = 0, 0
    blob_ids = sorted(counts)
    for start in range(0, len(blob_ids), _PIECE):
        piece = blob_ids[start : start + _PIECE]
        for holding in read_holdings(connection, {place: piece})[place]:
            deduplicated += holding.stored_bytes
            found += holding.manifests > 0
            if holding.manifests != counts[holding.blob]:
                before = (holding.manifests,) if holding.manifests else None
                key = (place.scope_id, holding.blob, place.repository_id)
                yield Wrong(BLOBS, key, before, (counts[holding.blob],))
    if held_rows != found:
        yield from _unaccounted(connection, place, counts)
    row = connection.execute(_SUMMARY, parameters).one_or_none()
    if row is not None:
        tag_count = connection.execute(_TAG_COUNT, parameters).scalar_one()
        numbers = (tag_count, image_count, bounded(deduplicated))
        prefix = (place.repository_id,)
        yield from compare(SUMMARIES, prefix, {(): tuple(row)}, {(): numbers})


def _unaccounted(
    connection: Connection, place: LedgerPlace, counts: Mapping[int, int]
) -> Iterator[Wrong]:
    parameters = {"scope": place.scope_id, "repository": place.repository_id}
    for blob, manifests in connection.execute(_ALL_OF, parameters):
        if blob not in counts:
            key = (place.scope_id, blob, place.repository_id)
            yield Wrong(BLOBS, key, (manifests,), None)


def _live(
    connection: Connection, repository_id: int
) -> tuple[dict[int, tuple[int, int]], Counter[int], int]:
    """Live manifests with their counts, the blobs they hold, and how many are
    images."""
    rows = connection.execute(_TARGETS, {"repository": repository_id})
    named: dict[int, int] = {target: count for target, count in rows}
    listing: Counter[int] = Counter()
    held: Counter[int] = Counter()
    seen = set(named)
    wave = sorted(named)
    image_count = 0
    while wave:
        below: set[int] = set()
        for start in range(0, len(wave), _PIECE):
            facts = read_facts(connection, wave[start : start + _PIECE])
            for known in facts.values():
                listing.update(known.children)
                below |= known.children
            kept = {m: f for m, f in facts.items() if f.has_facts}
            image_count += sum(known.is_image for known in kept.values())
            configs = {m: known.config_id for m, known in kept.items()}
            if kept:
                held.update(held_by(connection, configs))
        wave = sorted(below - seen)
        seen |= below
    return {m: (named.get(m, 0), listing[m]) for m in seen}, held, image_count


def recount_scope(connection: Connection, scope_id: int) -> Iterator[Wrong]:
    """What is wrong with who shares what in a scope, and with the totals of that.

    From what the repositories are stored to hold: check, or repair, these first.
    """
    totals = Settlement()
    others = [part for part in parts_of(connection, [scope_id]) if part != scope_id]
    after = -1
    while True:
        rows = connection.execute(_HOLDERS, {"scope": scope_id, "after": after})
        holders = {blob: owner_of(lowest, highest) for blob, lowest, highest in rows}
        if not holders:
            break
        last = max(holders)
        # What other parts of the scope hold as well is in nobody's hands alone.
        for part in others:
            parameters = {"scope": part, "ids": listed(holders)}
            for blob in connection.execute(_HELD_AMONG, parameters).scalars():
                holders[blob] = SEVERAL
        yield from _compare_shared(connection, scope_id, holders, after, last)
        parameters = {"scope": scope_id, "ids": listed(holders)}
        for blob, size, weighs in connection.execute(_SIZES, parameters):
            totals.add(OwnershipChange(blob, NOBODY, holders[blob], size, weighs))
        totals.entered.clear()
        after = last
    # What is stored beyond the last blob that anybody holds.
    most = connection.execute(_LAST, {"scope": scope_id}).scalar()
    if most is not None and most > after:
        yield from _compare_shared(connection, scope_id, {}, after, most)
    yield from _compare_totals(connection, scope_id, totals)


def _compare_shared(
    connection: Connection,
    scope_id: int,
    holders: Mapping[int, int],
    after: int,
    last: int,
) -> Iterator[Wrong]:
    parameters = {"scope": scope_id, "after": after, "last": last}
    stored: dict[tuple[int, ...], Values] = {
        (blob,): (sole,) for blob, sole in connection.execute(_SETTLED, parameters)
    }
    counted: dict[tuple[int, ...], Values] = {
        (blob,): (hands or None,) for blob, hands in holders.items()
    }
    yield from compare(SHARED, (scope_id,), stored, counted)


def _compare_totals(
    connection: Connection, scope_id: int, totals: Settlement
) -> Iterator[Wrong]:
    parameters = {"scope": scope_id}
    stored: dict[tuple[int, ...], Values] = {
        (repository,): (exclusive,)
        for repository, exclusive in connection.execute(_EXCLUSIVE, parameters)
    }
    counted: dict[tuple[int, ...], Values] = {
        key: (bounded(totals.exclusive_bytes[key[0]]),) for key in stored
    }
    yield from compare(EXCLUSIVE, (), stored, counted)
    row = connection.execute(_TOTALS, parameters).one()
    numbers = (
        totals.images,
        bounded(totals.weighed_bytes),
        bounded(totals.deduplicated_bytes),
        bounded(totals.shared_bytes),
    )
    yield from compare(SCOPES, (scope_id,), {(): tuple(row)}, {(): numbers})


def places_of(
    connection: Connection, registry_id: int | None = None
) -> Sequence[LedgerPlace]:
    """All repositories, or a registry's, with their scopes; by scope and id."""
    statement = select(repositories.c.id, repositories.c.scope_id).order_by(
        repositories.c.scope_id, repositories.c.id
    )
    if registry_id is not None:
        statement = statement.where(repositories.c.registry_id == registry_id)
    return [LedgerPlace(*row) for row in connection.execute(statement)]


def scopes_of(connection: Connection, registry_id: int | None = None) -> Sequence[int]:
    """All storage scopes, or a registry's."""
    statement = select(storage_scopes.c.id).order_by(storage_scopes.c.id)
    if registry_id is not None:
        statement = statement.where(storage_scopes.c.registry_id == registry_id)
    return list(connection.execute(statement).scalars())
