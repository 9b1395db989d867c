"""The repository's row of the read model, as far as batches count it: among it its
distinct bytes, added to or counted anew; and the expressions of SQL by which the ledger
takes them from a blob's facts.

The other columns are made anew by `summaries` when all batches of a crawl are over.

A stranger may claim sizes whose sum leaves 64 bits; SQLite's sum() then raises
"integer overflow", and one hostile image would take a whole registry's numbers away.
So both halves of each number are summed, and put together here.
"""

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    FromClause,
    Join,
    Label,
    Row,
    SmallInteger,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
    true,
    type_coerce,
    union,
    update,
)

from weighbridge.domain.sharing import moved_total
from weighbridge.domain.size.weigh_image import NOT_HELD
from weighbridge.store.dialect import BulkUpdate, among_ids, listed
from weighbridge.store.models import (
    FACTS_STATES,
    KEPT_STATES,
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
from weighbridge.store.models.types import LARGEST, bounded

_HALF: Final = 2**32


def exact_sum(column: ColumnElement[int], name: str) -> tuple[Label[int], Label[int]]:
    """Two columns for a SELECT, from which `sum_of` makes the sum under `name`."""
    number = type_coerce(column, BigInteger)
    return (
        func.sum(number // _HALF).label(f"{name}_high"),
        func.sum(number % _HALF).label(f"{name}_low"),
    )


def sum_of(row: Row[*tuple[object, ...]], name: str) -> int:
    """The exact sum of a row that `exact_sum` selected; 0 of no rows."""
    # PostgreSQL sums bigints into numerics, which come as Decimal.
    high = int(row._mapping[f"{name}_high"] or 0)
    low = int(row._mapping[f"{name}_low"] or 0)
    return high * _HALF + low


# By place and not by name: a list of words would be put together anew each time.
_state = type_coerce(blobs.c.facts_state, SmallInteger)
HAS_FACTS: Final[ColumnElement[bool]] = _state >= FACTS_STATES.index(KEPT_STATES[0])
"""Whether the blob's document as a manifest was read and kept."""
IS_IMAGE: Final[ColumnElement[bool]] = _state == FACTS_STATES.index("image")
HAS_BLOBS: Final[ColumnElement[bool]] = or_(
    IS_IMAGE, _state == FACTS_STATES.index("artifact")
)
"""Whether the blob is an image or an artifact: a manifest with blobs of its own."""
LEADS_TO_IMAGES: Final[ColumnElement[bool]] = or_(
    IS_IMAGE, _state == FACTS_STATES.index("index")
)
"""Whether the blob is an image, or lists manifests that may be."""
CLAIMED_BYTES: Final = case(
    (blobs.c.read_bytes.is_not(None), blobs.c.read_bytes),
    (or_(blobs.c.is_foreign, blobs.c.has_conflict), 0),
    else_=func.coalesce(type_coerce(blobs.c.compressed_bytes, BigInteger), 0),
)
"""What `blobs.counted_bytes` is to be: of what was read whole its length; a claim only
while nobody contradicts it: who lies then adds nothing to anybody's totals."""
# What was asked for and is not held by the registry occupies nothing there.
_WORD: Final = case(
    (blob_sizes.c.claim_reason == NOT_HELD, 0),
    else_=blob_sizes.c.registry_bytes,
)
STORED_BYTES: Final[ColumnElement[int]] = func.coalesce(
    case((~blobs.c.is_known, _WORD)), blobs.c.counted_bytes
)
"""What a blob occupies in a storage scope: the registry's word, where it is known, else
what claims count. To be selected from blobs joined with `blob_sizes` by `sized`."""
WEIGHED_BYTES: Final = case(
    (
        IS_IMAGE,
        func.coalesce(manifest_sizes.c.compressed_bytes, images.c.compressed_bytes),
    ),
    else_=None,
)
"""What an image weighs in a storage scope, NULL for all that is no image. To be
selected from blobs joined by `weighed`."""


def in_doubt(blob: FromClause) -> ColumnElement[bool]:
    """Whether a blob, joined with `blob_sizes`, is to be asked for once more: documents
    came to disagree about what all of them had said until then, that it is gzip, of
    which the end alone was read, or that it is elsewhere."""
    is_by_end = func.coalesce(blob_sizes.c.seen_format == "gzip_end", False)
    is_final = and_(
        func.coalesce(blob_sizes.c.claim_reason == NOT_HELD, False),
        blob_sizes.c.ask_again_at.is_(None),
    )
    return or_(
        and_(blob.c.has_format_conflict, is_by_end),
        and_(is_final, ~blob.c.is_foreign),
    )


def has_word_on(scope: ColumnElement[int]) -> ColumnElement[bool]:
    """That a row of `blob_sizes` is the word of a scope's registry on a row of
    `blobs`."""
    return and_(blob_sizes.c.scope_id == scope, blob_sizes.c.blob_id == blobs.c.id)


def sized(tables: FromClause, scope: ColumnElement[int]) -> Join:
    """Tables that hold `blobs`, with the word of the scope's registry on each."""
    return tables.outerjoin(blob_sizes, has_word_on(scope))


def weighs_in(scope: ColumnElement[int]) -> ColumnElement[bool]:
    """That a row of `manifest_sizes` says what a row of `blobs` weighs in a scope."""
    return and_(
        manifest_sizes.c.scope_id == scope, manifest_sizes.c.manifest_id == blobs.c.id
    )


def weighed(tables: FromClause, scope: ColumnElement[int]) -> Join:
    """Tables that hold `blobs`, with what those that are images weigh in a scope."""
    return tables.outerjoin(images, images.c.id == blobs.c.id).outerjoin(
        manifest_sizes, weighs_in(scope)
    )


_summary = repository_summaries.c
_SET_DEDUPLICATED: Final = BulkUpdate(
    repository_summaries,
    key=("repository_id",),
    values=("deduplicated_bytes",),
    also={"revision": _summary.revision + 1},
)
# From its manifests and not from its rows: those of the whole scope lie between.
_LIVE: Final = (
    select(repository_manifests.c.manifest_id)
    .join(blobs, blobs.c.id == repository_manifests.c.manifest_id)
    .where(repository_manifests.c.repository_id == bindparam("repository"), HAS_FACTS)
    .subquery()
)
_OF_REPOSITORY: Final = union(
    select(_LIVE.c.manifest_id.label("blob_id")),
    select(images.c.config_id).join(_LIVE, _LIVE.c.manifest_id == images.c.id),
    select(artifacts.c.config_id).join(_LIVE, _LIVE.c.manifest_id == artifacts.c.id),
    select(layers.c.blob_id).join(_LIVE, _LIVE.c.manifest_id == layers.c.image_id),
).subquery()
_CONFIGS: Final = (
    select(
        _LIVE.c.manifest_id, func.coalesce(images.c.config_id, artifacts.c.config_id)
    )
    .outerjoin(images, images.c.id == _LIVE.c.manifest_id)
    .outerjoin(artifacts, artifacts.c.id == _LIVE.c.manifest_id)
)
_EXACT_BYTES: Final = (
    select(*exact_sum(STORED_BYTES, "held"))
    .select_from(
        sized(
            blobs,
            select(repositories.c.scope_id)
            .where(repositories.c.id == bindparam("repository"))
            .scalar_subquery(),
        )
    )
    .where(blobs.c.id.in_(select(_OF_REPOSITORY.c.blob_id)))
)


def add_deduplicated(connection: Connection, deltas: Mapping[int, int]) -> None:
    """Add to the bytes that repositories hold, each blob counted once."""
    ids = sorted(repository for repository, delta in deltas.items() if delta)
    if not ids:
        return
    rows = [
        (r, new_total(connection, r, stored.deduplicated_bytes, deltas[r]))
        for r, stored in lock_counts(connection, ids).items()
    ]
    _SET_DEDUPLICATED.set(connection, rows)


def new_total(connection: Connection, repository_id: int, total: int, more: int) -> int:
    """What a repository's stored total becomes; counted anew where what is stored
    cannot tell. Its row must be locked."""
    moved = moved_total(total, more, LARGEST)
    if moved is not None:
        return moved
    row = connection.execute(_EXACT_BYTES, {"repository": repository_id}).one()
    return bounded(sum_of(row, "held"))


def configs_of(connection: Connection, repository_id: int) -> dict[int, int | None]:
    """The live manifests of a repository that are kept, each with its config."""
    rows = connection.execute(_CONFIGS, {"repository": repository_id})
    return {row[0]: row[1] for row in rows}


_VALUES: Final = (
    "tag_count",
    "image_count",
    "over_tags",
    "deduplicated_bytes",
    "referenced_bytes",
    "is_uncounted",
    "revision",
)
_STORED: Final = (
    select(
        _summary.repository_id,
        *(_summary[name] for name in _VALUES),
        _summary.is_stale,
        _summary.is_unmeasured,
    )
    .where(among_ids(_summary.repository_id))
    .order_by(_summary.repository_id)
    .with_for_update()
)
_SET: Final = BulkUpdate(
    repository_summaries,
    key=("repository_id",),
    values=_VALUES,
    also={"is_stale": true(), "is_unmeasured": true()},
)
_UNCOUNTED: Final = (
    update(repository_summaries)
    .where(
        _summary.repository_id == bindparam("repository"),
        _summary.is_uncounted.is_(False) | _summary.is_stale.is_(False),
    )
    .values(is_stale=True, is_uncounted=True)
)
_UNMEASURED: Final = (
    update(repository_summaries)
    .where(
        _summary.repository_id == bindparam("repository"),
        _summary.is_unmeasured.is_(False),
    )
    .values(is_unmeasured=True)
)


class Growth(Struct):
    """By how much what is counted of a repository grows.

    referenced_bytes: None: nobody knows, they are to be counted from scratch
    """

    tags: int = 0
    images: int = 0
    over_tags: int = 0
    deduplicated_bytes: int = 0
    referenced_bytes: int | None = 0

    def add(self, more: "Growth") -> None:
        """What grows by one step after the other; of the referenced bytes nothing."""
        self.tags += more.tags
        self.images += more.images
        self.over_tags += more.over_tags
        self.deduplicated_bytes += more.deduplicated_bytes


_NOTHING: Final = Growth()


class StoredCounts(NamedTuple):
    """What is counted of a repository, as it is stored."""

    repository_id: int
    tag_count: int
    image_count: int
    over_tags: int
    deduplicated_bytes: int
    referenced_bytes: int | None
    is_uncounted: bool
    revision: int
    is_stale: bool
    is_unmeasured: bool

    @property
    def is_counted(self) -> bool:
        """Whether the referenced bytes are known, so that it makes sense to add to
        them."""
        return self.referenced_bytes is not None and not self.is_uncounted


def lock_counts(
    connection: Connection, repository_ids: Collection[int]
) -> dict[int, StoredCounts]:
    """What is stored of these repositories; nobody else changes it until we commit."""
    parameters = {"ids": listed(sorted(repository_ids))}
    rows = map(StoredCounts._make, connection.execute(_STORED, parameters))
    return {row.repository_id: row for row in rows}


def count(connection: Connection, growths: Mapping[int, Growth]) -> None:
    """Add to the rows of these repositories, which are to be made anew."""
    grow(connection, lock_counts(connection, growths), growths)


def grow(
    connection: Connection,
    stored: Mapping[int, StoredCounts],
    growths: Mapping[int, Growth],
) -> None:
    """The same of rows that `lock_counts` has read."""
    rows = [
        _grown(connection, row, growths[repository])
        for repository, row in stored.items()
        if growths[repository] != _NOTHING or not (row.is_stale and row.is_unmeasured)
    ]
    _SET.set(connection, rows)


def _grown(
    connection: Connection, row: StoredCounts, more: Growth
) -> tuple[object, ...]:
    """Values of `_SET`. Referenced bytes that would leave what a column holds stay,
    and are counted from scratch then."""
    referenced, is_uncounted = row.referenced_bytes, row.is_uncounted
    if more != _NOTHING:
        total = _sum(referenced, more.referenced_bytes)
        referenced = referenced if total is None else total
        is_uncounted = is_uncounted or total is None
    return (
        row.repository_id,
        row.tag_count + more.tags,
        row.image_count + more.images,
        row.over_tags + more.over_tags,
        new_total(
            connection,
            row.repository_id,
            row.deduplicated_bytes,
            more.deduplicated_bytes,
        )
        if more.deduplicated_bytes
        else row.deduplicated_bytes,
        referenced,
        is_uncounted,
        row.revision + (more != _NOTHING),
    )


def _sum(total: int | None, more: int | None) -> int | None:
    if total is None or more is None:
        return None
    # The largest number stands for all above it as well.
    is_known = total < LARGEST and 0 <= total + more < LARGEST
    return total + more if is_known else None


def mark_uncounted(connection: Connection, repository_ids: Collection[int]) -> None:
    """Have the referenced bytes of these repositories counted from scratch: what their
    tags lead to has got another size."""
    for repository in sorted(repository_ids):
        connection.execute(_UNCOUNTED, {"repository": repository})


def mark_unmeasured(connection: Connection, repository_ids: Collection[int]) -> None:
    """Have what these repositories lead to looked through for what is to be asked."""
    for repository in sorted(repository_ids):
        connection.execute(_UNMEASURED, {"repository": repository})
