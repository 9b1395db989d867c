"""What images and artifacts weigh in a storage scope: rows of `manifest_sizes`.

Images are never updated as a layer is answered: a base layer may be in hundreds of
thousands of them. Each is summed up once, when all its blobs are.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from datetime import datetime
from typing import Final, TypeAlias

from msgspec import Struct, field
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    FromClause,
    Join,
    Label,
    Row,
    and_,
    bindparam,
    exists,
    func,
    literal,
    or_,
    select,
    type_coerce,
)

from weighbridge.domain.size.confidence import COMPRESSED_CONFIDENCES
from weighbridge.domain.size.weigh_image import (
    NOT_HELD,
    image_total,
    weakest_word,
    weigh_layer,
)
from weighbridge.store.dialect import (
    BulkUpdate,
    BulkUpsert,
    Purpose,
    among_ids,
    join_in_order,
    listed,
    lock,
    settles_at_once,
)
from weighbridge.store.facts.stored_images import StoredLayer, load_layers
from weighbridge.store.ledger.expressions import (
    HAS_FACTS,
    has_word_on,
    in_doubt,
    weighs_in,
)
from weighbridge.store.ledger.resizing import reweigh
from weighbridge.store.models import (
    artifacts,
    blob_sizes,
    blobs,
    images,
    layers,
    manifest_sizes,
    repositories,
    repository_manifests,
    repository_summaries,
)
from weighbridge.store.models.types import Enumeration, bounded, bounded_if_known
from weighbridge.store.session import be_alone, lock_summaries
from weighbridge.store.sizes.blob_sizes import Dispute, note_disputes
from weighbridge.store.tags.judged_tags import note_weighed

_size = manifest_sizes.c
_CONFIDENCE: Final = Enumeration(COMPRESSED_CONFIDENCES)

COMPRESSED_BYTES: Final[Label[int]] = func.coalesce(
    _size.compressed_bytes, images.c.compressed_bytes
).label("compressed_bytes")
COMPRESSED_CONFIDENCE: Final = type_coerce(
    func.coalesce(_size.compressed_confidence, literal("claimed", _CONFIDENCE)),
    _CONFIDENCE,
).label("compressed_confidence")
IS_WHOLE: Final[ColumnElement[bool]] = func.coalesce(_size.is_whole, False).label(
    "is_whole"
)


def in_scope(
    tables: FromClause,
    scope: ColumnElement[int],
    manifest_id: ColumnElement[int] | ColumnElement[int | None] = images.c.id,
) -> Join:
    """Tables that hold `images`, or name them so, with what each weighs in a scope."""
    return tables.outerjoin(
        manifest_sizes,
        and_(_size.scope_id == scope, _size.manifest_id == manifest_id),
    )


_PIECE: Final = 500
"""Images whose layers are in memory at once."""
_SCOPE: Final = bindparam("scope", type_=BigInteger)
_summary = repository_summaries.c
_live = repository_manifests.c
_part = blobs.alias("part")
_CONFIG: Final = func.coalesce(images.c.config_id, artifacts.c.config_id)
_IS_ANSWERED: Final = exists().where(
    blob_sizes.c.scope_id == _SCOPE,
    blob_sizes.c.blob_id == _part.c.id,
    or_(
        blob_sizes.c.registry_bytes.is_not(None), blob_sizes.c.claim_reason.is_not(None)
    ),
    or_(~_part.c.is_layer, blob_sizes.c.uncompressed_confidence.is_not(None)),
    ~in_doubt(_part),
)
_MANIFESTS: Final = (
    select(
        blobs.c.id,
        func.coalesce(images.c.stored_bytes, artifacts.c.stored_bytes).label("claimed"),
        images.c.compressed_bytes.label("claimed_compressed"),
        _CONFIG.label("config_id"),
        _size.stored_bytes,
        _size.compressed_bytes,
        _size.uncompressed_bytes,
    )
    .outerjoin_from(blobs, images, images.c.id == blobs.c.id)
    .outerjoin(artifacts, artifacts.c.id == blobs.c.id)
    .outerjoin(manifest_sizes, weighs_in(_SCOPE))
    .where(
        among_ids(blobs.c.id),
        HAS_FACTS,
        or_(images.c.id.is_not(None), artifacts.c.id.is_not(None)),
    )
    .order_by(blobs.c.id)
)
_OPEN: Final = _MANIFESTS.where(func.coalesce(_size.is_whole, False).is_(False))
_READY: Final = _OPEN.where(
    ~exists().where(
        layers.c.image_id == blobs.c.id, layers.c.blob_id == _part.c.id, ~_IS_ANSWERED
    ),
    ~exists().where(_part.c.id == _CONFIG, _part.c.read_bytes.is_(None), ~_IS_ANSWERED),
)
_CONFIGS: Final = (
    select(
        blobs.c.id,
        blob_sizes.c.registry_bytes,
        blob_sizes.c.claim_reason,
        blobs.c.compressed_bytes,
    )
    .join(blob_sizes, has_word_on(_SCOPE))
    .where(among_ids(blobs.c.id), blobs.c.read_bytes.is_(None))
)
_VALUES: Final = (
    "stored_bytes",
    "compressed_bytes",
    "compressed_confidence",
    "uncompressed_bytes",
    "uncompressed_confidence",
    "is_whole",
    "is_changed",
)
_PUT: Final = BulkUpsert(
    manifest_sizes, key=("scope_id", "manifest_id"), values=_VALUES
)
# Let the read model have the totals that its newest images were waiting for.
_SHOWN: Final = (
    select(
        _summary.repository_id,
        _summary.newest_image_id,
        _size.compressed_confidence,
        _size.uncompressed_bytes,
        _size.uncompressed_confidence,
    )
    .select_from(
        join_in_order(
            join_in_order(
                repository_manifests,
                repository_summaries,
                and_(
                    _summary.repository_id == _live.repository_id,
                    _summary.newest_image_id == _live.manifest_id,
                ),
            ),
            manifest_sizes,
            and_(_size.scope_id == _SCOPE, _size.manifest_id == _live.manifest_id),
        ).join(
            repositories,
            and_(
                repositories.c.id == _live.repository_id,
                repositories.c.scope_id == _SCOPE,
            ),
        )
    )
    .where(
        among_ids(_live.manifest_id), _summary.newest_uncompressed_confidence.is_(None)
    )
)
_SHOW: Final = BulkUpdate(
    repository_summaries,
    key=["repository_id", "newest_image_id"],
    values=[
        "newest_compressed_confidence",
        "newest_uncompressed_bytes",
        "newest_uncompressed_confidence",
    ],
    also={"revision": _summary.revision + 1},
)


Sizes: TypeAlias = tuple[int | None, ...]


class Swept(Struct):
    """What came of a sweep.

    count:  manifests that were summed up
    left:   those that are to be swept again, alone, as totals change with them
    learned: claims that nobody knew to be false before
    """

    count: int = 0
    left: set[int] = field(default_factory=set)
    learned: int = 0


class _ManifestSum(Struct, frozen=True):
    """A manifest's row to be, with what it weighs more than is counted of it now."""

    manifest_id: int
    sizes: Sizes
    values: Mapping[str, object]
    compressed_delta: int
    is_other: bool
    disputes: Sequence[Dispute]


def sweep_manifests(
    connection: Connection,
    scope_id: int,
    manifest_ids: Collection[int],
    now: datetime,
    *,
    is_alone: bool = False,
    is_partial: bool = False,
) -> Swept:
    """Sum up those of these images and artifacts whose blobs are all answered in the
    scope.

    is_alone: see `blob_sizes.keep_measures`
    is_partial: also the others, by what is known so far; they are swept again
    """
    if is_alone:
        be_alone(connection)
    else:
        lock(connection, Purpose.PRUNE, shared=True)
    parameters = {"scope": scope_id, "ids": listed(sorted(manifest_ids))}
    statement = _OPEN if is_partial else _READY
    rows = connection.execute(statement, parameters).all() if manifest_ids else []
    ready = {row.id for row in rows}
    if is_partial:
        ready = {row.id for row in connection.execute(_READY, parameters)}
    swept = Swept()
    for start in range(0, len(rows), _PIECE):
        sums = _sums(connection, scope_id, rows[start : start + _PIECE], ready)
        if not is_alone and not settles_at_once(connection.dialect):
            swept.left |= {one.manifest_id for one in sums if one.is_other}
            sums = [one for one in sums if not one.is_other]
        _write(connection, scope_id, sums)
        found = [dispute for one in sums for dispute in one.disputes]
        swept.learned += note_disputes(connection, scope_id, found, now)
        swept.count += sum(one.manifest_id in ready for one in sums)
        if others := [one.manifest_id for one in sums if one.is_other]:
            note_weighed(connection, others, anyway=True)
    if swept.count:
        _show_totals(connection, scope_id, ready - swept.left)
        note_weighed(connection, ready - swept.left)
    return swept


def sum_again(
    connection: Connection, scope_id: int, manifest_ids: Sequence[int]
) -> Iterator[tuple[int, Sizes, Sizes]]:
    """These manifests with their stored, compressed and uncompressed bytes: as they are
    kept in a scope, and as they are summed up now."""
    for start in range(0, len(manifest_ids), _PIECE):
        piece = manifest_ids[start : start + _PIECE]
        parameters = {"scope": scope_id, "ids": listed(piece)}
        rows = connection.execute(_MANIFESTS, parameters).all()
        sums = _sums(connection, scope_id, rows, set(piece))
        for row, one in zip(rows, sums, strict=True):
            kept = (row.stored_bytes, row.compressed_bytes, row.uncompressed_bytes)
            yield row.id, kept, one.sizes


def _write(connection: Connection, scope_id: int, sums: Sequence[_ManifestSum]) -> None:
    rows = [
        (scope_id, one.manifest_id, *(one.values[v] for v in _VALUES)) for one in sums
    ]

    def write() -> None:
        _PUT.add(connection, rows)

    others = {one.manifest_id: one.compressed_delta for one in sums if one.is_other}
    if others:
        reweigh(connection, scope_id, others, write)
    else:
        write()


def _sums(
    connection: Connection,
    scope_id: int,
    rows: Sequence[Row[*tuple[object, ...]]],
    ready: Set[int],
) -> list[_ManifestSum]:
    found = load_layers(connection, [row.id for row in rows], scope_id)
    unread = {row.config_id for row in rows} - {None}
    parameters = {"scope": scope_id, "ids": listed(sorted(unread))}
    configs = {row.id: row for row in connection.execute(_CONFIGS, parameters)}
    return [
        _sum(row, found.get(row.id, []), configs.get(row.config_id), row.id in ready)
        for row in rows
    ]


def _sum(
    row: Row[*tuple[object, ...]],
    stored: Sequence[StoredLayer],
    config: Row[*tuple[object, ...]] | None,
    is_whole: bool,
) -> _ManifestSum:
    weighed = [weigh_layer(one.layer, one.measured) for one in stored]
    pairs = {one.blob_id: (one, w) for one, w in zip(stored, weighed, strict=True)}
    more = sum(
        _occupied(one) - (0 if one.layer.is_foreign else one.layer.compressed_bytes)
        for one, _ in pairs.values()
    )
    if config is not None and config.id not in pairs:
        known = 0 if config.claim_reason == NOT_HELD else config.registry_bytes
        more += 0 if known is None else known - (config.compressed_bytes or 0)
    stored_bytes = bounded(max(row.claimed + more, 0))
    values: dict[str, object] = {
        **dict.fromkeys(_VALUES),
        "stored_bytes": stored_bytes,
        "is_whole": is_whole,
    }
    compressed, delta = row.claimed_compressed, 0
    uncompressed: int | None = None
    if compressed is not None:
        compressed = bounded(sum(w.compressed_bytes for _, w in pairs.values()))
        was = row.compressed_bytes
        delta = compressed - (row.claimed_compressed if was is None else was)
        total = image_total(weighed)
        uncompressed = bounded_if_known(total.uncompressed_bytes)
        values["compressed_bytes"] = compressed
        values["compressed_confidence"] = weakest_word(weighed)
        if is_whole:
            values["uncompressed_bytes"] = uncompressed
            values["uncompressed_confidence"] = total.confidence
    is_changed = (compressed, stored_bytes) != (row.claimed_compressed, row.claimed)
    before = row.claimed if row.stored_bytes is None else row.stored_bytes
    return _ManifestSum(
        row.id,
        (stored_bytes, compressed, uncompressed),
        {**values, "is_changed": is_changed},
        delta,
        is_other=delta != 0 or stored_bytes != before,
        disputes=[
            Dispute(row.id, one.blob_id, one.layer.compressed_bytes)
            for one, w in pairs.values()
            if w.compressed_confidence == "disputed"
        ],
    )


def _occupied(one: StoredLayer) -> int:
    """What a layer occupies in the registry, as far as its word is known."""
    measured = one.measured
    if measured is not None and measured.registry_bytes is not None:
        return measured.registry_bytes
    is_absent = measured is not None and measured.claim_reason == NOT_HELD
    return 0 if is_absent or one.layer.is_foreign else one.layer.compressed_bytes


def _show_totals(
    connection: Connection, scope_id: int, manifest_ids: Collection[int]
) -> None:
    parameters = {"scope": scope_id, "ids": listed(sorted(manifest_ids))}
    rows = connection.execute(_SHOWN, parameters).all()
    lock_summaries(connection, {row.repository_id for row in rows})
    _SHOW.set(connection, [tuple(row) for row in rows])
