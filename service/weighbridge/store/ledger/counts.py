"""The repository's row of the read model, as far as batches count it; among it its
distinct bytes, added to or counted anew.

The other columns are made anew by `summaries` when all batches of a crawl are over.

And what the repositories of each registry come to: kept by triggers (`creation`), which
add every change of a repository, of its summary and of a storage scope in the
transaction that makes it, so that the sums are as exact as the rows. On PostgreSQL each
change is a row of its own until `fold` puts it to the others: nobody waits for anybody,
and readers add up whatever rows there are.
"""

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple, TypeAlias

from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    bindparam,
    case,
    cast,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    true,
    tuple_,
    union,
    update,
)

from weighbridge.domain.report.inventory import RepositoryState
from weighbridge.domain.sharing import moved_total
from weighbridge.store.dialect import BulkUpdate, Purpose, among_ids, listed, lock
from weighbridge.store.ledger.expressions import (
    HAS_FACTS,
    STORED_BYTES,
    exact_sum,
    sized,
    sum_of,
)
from weighbridge.store.models import (
    LISTED_STATES,
    SUMS_OF_BYTES,
    artifacts,
    blobs,
    images,
    layers,
    registries,
    registry_sums,
    repositories,
    repository_manifests,
    repository_summaries,
    scope_blobs,
    storage_scopes,
)
from weighbridge.store.models.types import LARGEST, bounded
from weighbridge.store.session import Database

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


SQLRow: TypeAlias = Row[*tuple[object, ...]]
Sums: TypeAlias = Mapping[str, int]
"""By name; bytes are put together from their halves."""

MANY: Final = 500
"""Rows that are left for readers to add up."""
_FOLDED: Final = 20_000
"""Rows that are put together by one statement."""
_sums = registry_sums.c
_HALVES: Final = tuple(
    f"{name}_{half}" for name in SUMS_OF_BYTES for half in ("high", "low")
)
COUNTS: Final = (
    "repositories",
    *(f"are_{state}" for state in LISTED_STATES),
    "are_crawled",
    "tags_held",
    "tags",
    "tags_failed",
    "with_image",
    "summed_up",
    "images",
)
SUMS: Final = (*COUNTS, *_HALVES)
"""The columns that are summed up."""
_COLUMNS: Final = (*SUMS, "revision")


def _total(name: str) -> ColumnElement[int]:
    return cast(func.coalesce(func.sum(_sums[name]), 0), BigInteger).label(name)


KEPT: Final = select(_sums.registry_id, *map(_total, SUMS)).group_by(_sums.registry_id)
_REVISION: Final = select(_total("revision"))
# Folded, a registry has one row, and so have the changes.
_FOLDED_ROWS: Final = select(func.count() + 1).select_from(registries)
_IS_MANY: Final = (
    select(_sums.id).offset(MANY + _FOLDED_ROWS.scalar_subquery()).limit(1)
)
_OLDEST: Final = select(_sums.id).order_by(_sums.id).limit(_FOLDED)
_TAKEN: Final = (
    delete(registry_sums)
    .where(_sums.id.in_(_OLDEST))
    .returning(*registry_sums.columns)
    .cte("taken")
)
_FOLD: Final = (
    insert(registry_sums)
    .from_select(
        ["registry_id", *_COLUMNS],
        select(
            _TAKEN.c.registry_id,
            *(cast(func.sum(_TAKEN.c[name]), BigInteger) for name in _COLUMNS),
        )
        .group_by(_TAKEN.c.registry_id)
        # Of a registry that is forgotten nothing is left.
        .having(or_(*(func.sum(_TAKEN.c[name]) != 0 for name in _COLUMNS))),
    )
    .returning(registry_sums.c.id)
)


def registry_totals(connection: Connection) -> dict[int, Sums]:
    """By the registry's id; a registry without repositories may be missing."""
    return {
        row.registry_id: _read(row)
        for row in connection.execute(KEPT)
        if row.registry_id
    }


def states_of(sums: Sums) -> dict[RepositoryState, int]:
    """How many repositories have each state."""
    return {state: sums[f"are_{state}"] for state in LISTED_STATES}


def changes_noted(connection: Connection) -> int:
    """How often repositories, their summaries, storage scopes or violations changed."""
    noted: int = connection.execute(_REVISION).scalar_one()
    return noted


def fold(database: Database) -> None:
    """PostgreSQL: put the rows of each registry together, where there are many."""
    kept = 0
    while kept <= MANY and _is_many(database):
        with database.write() as connection:
            lock(connection, Purpose.FOLD)
            # So many at least were taken, so that fewer are left each time.
            kept = len(connection.execute(_FOLD).all())


def _is_many(database: Database) -> bool:
    if database.settles_at_once:
        return False
    with database.read() as connection:
        return connection.execute(_IS_MANY).scalar() is not None


def _read(row: SQLRow) -> Sums:
    counts = {name: int(row._mapping[name]) for name in COUNTS}
    return counts | {name: sum_of(row, name) for name in SUMS_OF_BYTES}


_other_part = storage_scopes.alias("other_part")
_other_entry = registries.alias("other_entry")
_other_blob = scope_blobs.alias("other_blob")
# Entries that are not configured any more come last: nothing is added up of them.
_place, _other_place = (
    tuple_(case((entry.c.state == "unconfigured", 1), else_=0), part.c.id)
    for entry, part in ((registries, storage_scopes), (_other_entry, _other_part))
)
_OF_ONE_ADDRESS: Final = (
    select(registries.c.address).group_by(registries.c.address).having(func.count() > 1)
).limit(1)
_REPEATED: Final = (
    select(
        registries.c.id,
        storage_scopes.c.id.label("scope_id"),
        *exact_sum(STORED_BYTES, "repeated"),
    )
    .select_from(
        sized(
            registries.join(
                storage_scopes, storage_scopes.c.registry_id == registries.c.id
            )
            .join(scope_blobs, scope_blobs.c.scope_id == storage_scopes.c.id)
            .join(blobs, blobs.c.id == scope_blobs.c.blob_id),
            storage_scopes.c.id,
        )
    )
    .where(
        registries.c.address.in_(
            select(_other_entry.c.address)
            .group_by(_other_entry.c.address)
            .having(func.count() > 1)
        ),
        scope_blobs.c.sole_repository_id.is_(None),
        exists()
        .where(
            _other_blob.c.blob_id == scope_blobs.c.blob_id,
            _other_blob.c.scope_id == _other_part.c.id,
            _other_part.c.name == storage_scopes.c.name,
            _other_place < _place,
            _other_entry.c.id == _other_part.c.registry_id,
            _other_entry.c.address == registries.c.address,
        )
        .correlate(scope_blobs, storage_scopes, registries),
    )
    .group_by(registries.c.id, storage_scopes.c.id)
)


def repeated_bytes(connection: Connection) -> dict[tuple[int, int], int]:
    """Of what the repositories of a registry share, what an earlier entry of the same
    address shares as well, by registry and storage scope; only where there is any."""
    # Asked apart: as a part of the other statement it is known too late on PostgreSQL,
    # which reads the sizes of all blobs by then.
    if connection.execute(_OF_ONE_ADDRESS).first() is None:
        return {}
    return {
        (row.id, row.scope_id): sum_of(row, "repeated")
        for row in connection.execute(_REPEATED)
    }
