"""`db verify`: everything that is kept, counted anew and compared, and what must hold
between tables beside the counts: history, facts, leftovers. And facts that are not
whole: dropped before a recount, so that the next crawl reads them again.

Of what must hold each check is one statement that selects what breaks it: a word for
where, what is stored and what should be. No foreign key guards the tables of facts and
of the ledger (see `models`), so this does.

What a document said cannot be counted anew. A manifest of which a part is lost is
marked as one that its index lists and nobody could read; a tag whose target is lost, as
one that was never read. Totals are wrong until every registry has been recounted.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, TypeAlias

from msgspec import Struct
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Label,
    Select,
    Table,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    union,
    update,
)

from weighbridge.domain.image.platform import DEFAULT, Platform
from weighbridge.store.connection.deadlines import unhurried
from weighbridge.store.dialect import among_ids, listed
from weighbridge.store.ledger.expressions import HAS_FACTS, IS_IMAGE
from weighbridge.store.ledger.holdings import settle_all
from weighbridge.store.maintenance.checking.compared_bases import compare_bases
from weighbridge.store.maintenance.checking.differences import (
    SUMMARIES,
    Difference,
    Kind,
    NamesOfIds,
    Watch,
    compare_sums,
    differences,
)
from weighbridge.store.maintenance.checking.recounting import (
    places_of,
    recount_claims,
    recount_repositories,
    recount_scope,
    recount_scopes,
    recount_weights,
    scopes_of,
)
from weighbridge.store.models import (
    artifacts,
    blob_changes,
    blob_sizes,
    blobs,
    crawl_chunks,
    crawls,
    disputes,
    images,
    index_members,
    layers,
    lines,
    manifest_sizes,
    registries,
    repositories,
    repository_blobs,
    repository_manifests,
    repository_summaries,
    scope_blobs,
    storage_scopes,
    tag_moves,
    tags,
)
from weighbridge.store.read_model.summaries import is_by_platform, summarize
from weighbridge.store.session import Database, alone

_move = tag_moves.c
# Checks of these are about what a document said: only reading it again helps.
_FACTS: Final = frozenset(
    {tags, blobs, images, artifacts, index_members, layers, lines}
)


class IntegrityQuery(Struct, frozen=True):
    """A statement that selects (where, stored, should be) of each breach.

    kind: what `where` is an id of; `tag` and `crawl` are told by number
    """

    table: Table
    what: str
    kind: Kind
    statement: Select[int, object, object]


def _is_absent(column: Column[int], target: Column[int]) -> ColumnElement[bool]:
    return and_(column.is_not(None), ~exists().where(target == column))


def _absent(column: Column[int], target: Column[int], kind: Kind) -> IntegrityQuery:
    """Rows that name something that is not there."""
    statement = select(column, column, literal(None)).where(_is_absent(column, target))
    return IntegrityQuery(column.table, column.name, kind, statement.distinct())


def _lacking(found: Table, key: Column[int], state: str) -> IntegrityQuery:
    """Manifests whose document was kept without the row that it makes."""
    statement = select(blobs.c.id, literal(None), literal("a row")).where(
        ~exists().where(key == blobs.c.id), blobs.c.facts_state == state
    )
    return IntegrityQuery(found, key.name, "blob", statement)


def _open_moves() -> IntegrityQuery:
    # A live tag with a target: exactly one open move, to this target. All others: none.
    wanted = and_(tags.c.deleted_at.is_(None), tags.c.target_id.is_not(None))
    opened = func.count(_move.tag_id)
    to_target = func.count().filter(_move.target_id == tags.c.target_id)
    one = case((func.count().filter(wanted) > 0, 1), else_=0)
    statement = (
        select(tags.c.id, opened, one)
        .outerjoin_from(
            tags,
            tag_moves,
            and_(_move.tag_id == tags.c.id, _move.seen_until.is_(None)),
        )
        .group_by(tags.c.id)
        .having(
            or_(
                and_(func.count().filter(wanted) > 0, or_(opened != 1, to_target != 1)),
                and_(func.count().filter(wanted) == 0, opened != 0),
            )
        )
    )
    return IntegrityQuery(tag_moves, "open moves to the tag's target", "tag", statement)


def _layer_counts() -> IntegrityQuery:
    stored: Label[int] = (
        select(func.count())
        .where(layers.c.image_id == images.c.id)
        .scalar_subquery()
        .label("stored")
    )
    statement = (
        select(images.c.id, stored, images.c.layer_count)
        .join_from(images, blobs, blobs.c.id == images.c.id)
        .where(IS_IMAGE, images.c.layer_count != stored.element)
    )
    return IntegrityQuery(layers, "layers of the image", "blob", statement)


_OF_DOCUMENTS: Final = (
    _lacking(images, images.c.id, "image"),
    _lacking(artifacts, artifacts.c.id, "artifact"),
    _lacking(lines, lines.c.image_id, "image"),
    _layer_counts(),
)
# What a tag leads to, and nobody says was ever read.
_NEVER_READ: Final = IntegrityQuery(
    blobs,
    "facts_state",
    "blob",
    select(repository_manifests.c.manifest_id, literal("none"), literal("missing"))
    .join(blobs, blobs.c.id == repository_manifests.c.manifest_id)
    .where(
        ~HAS_FACTS,
        repository_manifests.c.tag_count > 0,
        blobs.c.facts_state == "none",
    ),
)
CHECKS: Final = (
    _open_moves(),
    IntegrityQuery(
        tag_moves,
        "seen_until",
        "tag",
        select(_move.tag_id, _move.seen_until, _move.seen_from).where(
            _move.seen_until < _move.seen_from
        ),
    ),
    _absent(_move.tag_id, tags.c.id, "tag"),
    _absent(_move.target_id, blobs.c.id, "blob"),
    _absent(tags.c.target_id, blobs.c.id, "blob"),
    _absent(layers.c.blob_id, blobs.c.id, "blob"),
    _absent(layers.c.image_id, blobs.c.id, "blob"),
    _absent(index_members.c.index_id, blobs.c.id, "blob"),
    _absent(index_members.c.child_id, blobs.c.id, "blob"),
    _absent(images.c.id, blobs.c.id, "blob"),
    _absent(images.c.config_id, blobs.c.id, "blob"),
    _absent(artifacts.c.id, blobs.c.id, "blob"),
    _absent(artifacts.c.config_id, blobs.c.id, "blob"),
    _absent(lines.c.image_id, images.c.id, "blob"),
    _absent(repository_manifests.c.repository_id, repositories.c.id, "repository"),
    _absent(repository_manifests.c.manifest_id, blobs.c.id, "blob"),
    _absent(repository_blobs.c.blob_id, blobs.c.id, "blob"),
    _absent(scope_blobs.c.scope_id, storage_scopes.c.id, "scope"),
    _absent(scope_blobs.c.blob_id, blobs.c.id, "blob"),
    *_OF_DOCUMENTS,
    _absent(blob_sizes.c.scope_id, storage_scopes.c.id, "scope"),
    _absent(manifest_sizes.c.scope_id, storage_scopes.c.id, "scope"),
    _absent(disputes.c.scope_id, storage_scopes.c.id, "scope"),
    _NEVER_READ,
    IntegrityQuery(
        repository_summaries,
        "repository_id",
        "repository",
        select(repositories.c.id, literal(None), literal("a row")).where(
            ~exists().where(repository_summaries.c.repository_id == repositories.c.id)
        ),
    ),
    IntegrityQuery(
        crawl_chunks,
        "chunks of an ended crawl",
        "crawl",
        select(crawls.c.id, func.count(), literal(0))
        .join(crawl_chunks, crawl_chunks.c.crawl_id == crawls.c.id)
        .where(crawls.c.ended_at.is_not(None))
        .group_by(crawls.c.id),
    ),
    IntegrityQuery(
        blob_changes,
        "changes that wait",
        "scope",
        select(blob_changes.c.scope_id, func.count(), literal(0)).group_by(
            blob_changes.c.scope_id
        ),
    ),
)


Platforms: TypeAlias = Mapping[str, Sequence[Platform]]
"""In which order platforms speak for an index, by the registry's name."""
_ATTEMPTS: Final = 5
_summary = repository_summaries.c
_SUMMARY: Final = (
    select(
        repository_summaries, registries.c.name.label("registry"), registries.c.state
    )
    .join(repositories, repositories.c.id == _summary.repository_id)
    .join(registries, registries.c.id == repositories.c.registry_id)
    .where(_summary.repository_id == bindparam("repository"))
)


def verify(
    database: Database, platforms: Platforms, now: datetime, watch: Watch
) -> Iterator[Difference]:
    """Every difference between what is kept and what the tags and facts say.

    What waits for the settler is settled first; that apart nothing is written. All
    is of one moment, so that it may run beside a service. Rows of the read model
    that wait to be made anew are compared in what is always exact only. Where facts are
    lost, neither they nor bases are compared, which are made from them. Raises
    StoreError.
    """
    for attempt in range(_ATTEMPTS):
        settle_all(database)
        with database.read() as connection:
            waiting = connection.execute(select(exists(blob_changes))).scalar_one()
            if waiting and attempt < _ATTEMPTS - 1:
                continue  # somebody wrote in between
            yield from _verify(connection, platforms, now, watch)
            return


def _verify(
    connection: Connection, platforms: Platforms, now: datetime, watch: Watch
) -> Iterator[Difference]:
    names = NamesOfIds()
    places, scopes = places_of(connection), scopes_of(connection)
    for part in (
        recount_claims(connection),
        recount_repositories(connection, None, places, watch),
        recount_scopes(
            connection,
            scopes,
            [recount_weights, recount_scope],
            "storage scopes",
            watch,
        ),
    ):
        for wrong in part:
            yield from differences(connection, wrong, names)
    is_lost = False
    for done, check in enumerate(CHECKS):
        watch("tables", done, len(CHECKS))
        for number, stored, wanted in connection.execute(check.statement):
            is_lost = is_lost or check.table in _FACTS
            where = names.of(connection, check.kind, number)
            yield Difference(
                check.table.name, where, check.what, _shown(stored), _shown(wanted)
            )
    yield from compare_sums(connection)
    if not is_lost:
        for done, place in enumerate(places):
            watch("summaries", done, len(places))
            yield from _summary_differences(
                connection, place.repository_id, platforms, now, names
            )
        yield from compare_bases(connection, now, names, watch)


def _summary_differences(
    connection: Connection,
    repository_id: int,
    platforms: Platforms,
    now: datetime,
    names: NamesOfIds,
) -> Iterator[Difference]:
    """The columns of the read model that are made anew and not counted.

    Which platforms a registry that is no longer configured was read for, nobody
    knows, so its newest images are not compared.
    """
    row = connection.execute(_SUMMARY, {"repository": repository_id}).one_or_none()
    if row is None or row.is_stale:
        return
    if row.referenced_bytes is None and row.tag_count == 0:
        return  # It was found and not crawled yet: it says nothing.
    preferred = platforms.get(row.registry, (DEFAULT,))
    summary = summarize(connection, repository_id, now, preferred)
    if summary.pop("is_stale"):
        return
    is_unknown = row.state == "unconfigured" and row.registry not in platforms
    for column, counted in summary.items():
        stored = row._mapping[column]
        if stored == counted or (is_unknown and is_by_platform(column)):
            continue
        if column not in SUMMARIES.values:
            where = names.of(connection, "repository", repository_id)
            yield Difference(
                "repository_summaries", where, column, _shown(stored), _shown(counted)
            )


def _shown(value: object) -> int | str | None:
    return value if value is None or isinstance(value, int | str) else str(value)


_PIECE: Final = 1_000
_DAMAGED: Final = union(
    *(check.statement.with_only_columns(blobs.c.id) for check in _OF_DOCUMENTS),
    *(
        select(document).where(_is_absent(part, blobs.c.id))
        for document, part in (
            (images.c.id, images.c.config_id),
            (artifacts.c.id, artifacts.c.config_id),
            (layers.c.image_id, layers.c.blob_id),
            (index_members.c.index_id, index_members.c.child_id),
        )
    ),
    _NEVER_READ.statement.with_only_columns(repository_manifests.c.manifest_id),
)
_ROWS: Final = (
    (layers, layers.c.image_id),
    (lines, lines.c.image_id),
    (images, images.c.id),
    (artifacts, artifacts.c.id),
    (index_members, index_members.c.index_id),
)


@unhurried()
def count_damaged(database: Database) -> int:
    """How many documents have lost a part."""
    with database.read() as connection:
        return len(connection.execute(_DAMAGED).all())


@unhurried()
def drop_damaged(database: Database) -> int:
    """Drop manifests of which a part is lost, and targets that are not there.

    Returns how many documents and tags are to be read again. Raises StoreError.
    """
    with alone(database) as connection:
        unread = sorted(connection.execute(_DAMAGED).scalars())
        for start in range(0, len(unread), _PIECE):
            piece = {"ids": listed(unread[start : start + _PIECE])}
            for table, key in _ROWS:
                connection.execute(delete(table).where(among_ids(key)), piece)
            connection.execute(
                update(blobs)
                .where(among_ids(blobs.c.id))
                .values(facts_state="missing", facts_code="child_missing"),
                piece,
            )
        for table, key, target in (
            *((table, key, blobs.c.id) for table, key in _ROWS),
            (lines, lines.c.image_id, images.c.id),
            (tag_moves, _move.target_id, blobs.c.id),
            (tag_moves, _move.tag_id, tags.c.id),
        ):
            connection.execute(delete(table).where(_is_absent(key, target)))
        lost = connection.execute(
            update(tags)
            .where(_is_absent(tags.c.target_id, blobs.c.id))
            .values(target_id=None)
        )
        return len(unread) + lost.rowcount
