"""Rows of the ledger that are not what they should be: their repair, and what `db
verify` tells of them, a value as it is stored and as it was counted anew. And the sums
of registries, counted anew from the rows that they are of.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal, TypeAlias

from msgspec import Struct, field
from sqlalchemy import (
    BindParameter,
    Connection,
    Row,
    Select,
    Table,
    bindparam,
    case,
    func,
    insert,
    select,
    update,
)

from weighbridge.store.dialect import (
    BulkDelete,
    BulkUpdate,
    BulkUpsert,
    settles_at_once,
)
from weighbridge.store.ledger.counted import OF_REPOSITORIES
from weighbridge.store.ledger.counts import KEPT, SUMS
from weighbridge.store.ledger.expressions import exact_sum
from weighbridge.store.models import (
    blobs,
    crawls,
    manifest_sizes,
    registries,
    registry_sums,
    repositories,
    repository_blobs,
    repository_manifests,
    repository_summaries,
    scope_blobs,
    storage_scopes,
    tags,
)
from weighbridge.store.named_rows import NAMES, named

Values: TypeAlias = tuple[int | None, ...]
Name: TypeAlias = Literal["blob", "repository", "scope"]
_PIECE: Final = 2_000


class Kept:
    """A table whose rows are counted from others.

    key:    its key columns, with what each is an id of
    values: the columns that are counted
    always: whether each key has a row, even if it counts nothing
    """

    def __init__(
        self,
        table: Table,
        key: Mapping[str, Name],
        values: Sequence[str],
        *,
        always: bool = False,
    ) -> None:
        self.table = table
        self.key = dict(key)
        self.values = tuple(values)
        columns = tuple(key)
        if always:
            also = {"revision": table.c.revision + 1} if "revision" in table.c else {}
            self._set = BulkUpdate(table, key=columns, values=values, also=also)
        self._always = always
        self._put = BulkUpsert(table, key=columns, values=values)
        self._unneeded = BulkDelete(table, key=columns)

    def repair(self, connection: Connection, wrongs: Sequence["Wrong"]) -> None:
        """Write what was counted in the place of what was stored."""
        rows = [w.key + w.counted for w in wrongs if w.counted is not None]
        if self._always:
            self._set.set(connection, rows)
            return
        self._put.add(connection, rows)
        self._unneeded.remove(connection, [w.key for w in wrongs if w.counted is None])


COUNTED: Final = Kept(blobs, {"id": "blob"}, ["counted_bytes"], always=True)
WEIGHTS: Final = Kept(
    manifest_sizes,
    {"scope_id": "scope", "manifest_id": "blob"},
    ["stored_bytes", "compressed_bytes", "uncompressed_bytes"],
    always=True,
)
MANIFESTS: Final = Kept(
    repository_manifests,
    {"repository_id": "repository", "manifest_id": "blob"},
    ["tag_count", "index_count"],
)
BLOBS: Final = Kept(
    repository_blobs,
    {"scope_id": "scope", "blob_id": "blob", "repository_id": "repository"},
    ["manifest_count"],
)
SHARED: Final = Kept(
    scope_blobs, {"scope_id": "scope", "blob_id": "blob"}, ["sole_repository_id"]
)
SCOPES: Final = Kept(
    storage_scopes,
    {"id": "scope"},
    ["image_count", "weighed_bytes", "deduplicated_bytes", "shared_bytes"],
    always=True,
)
SUMMARIES: Final = Kept(
    repository_summaries,
    {"repository_id": "repository"},
    ["tag_count", "image_count", "deduplicated_bytes"],
    always=True,
)
EXCLUSIVE: Final = Kept(
    repository_summaries,
    {"repository_id": "repository"},
    ["exclusive_bytes"],
    always=True,
)


class Wrong(Struct, frozen=True):
    """A row as it is stored and as it was counted; None: no row."""

    kept: Kept
    key: tuple[int, ...]
    stored: Values | None
    counted: Values | None


def compare(
    kept: Kept,
    prefix: tuple[int, ...],
    stored: Mapping[tuple[int, ...], Values],
    counted: Mapping[tuple[int, ...], Values],
) -> Iterator[Wrong]:
    """Keys, without their common prefix, whose rows differ."""
    for key in sorted(stored.keys() | counted.keys()):
        before, now = stored.get(key), counted.get(key)
        if before != now:
            yield Wrong(kept, prefix + key, before, now)


def repaired(connection: Connection, wrongs: Iterable[Wrong]) -> Iterator[Wrong]:
    """Repair wrong rows, some at a time, and hand them on."""
    waiting: dict[Kept, list[Wrong]] = {}
    for wrong in wrongs:
        waiting.setdefault(wrong.kept, []).append(wrong)
        if len(waiting[wrong.kept]) >= _PIECE:
            wrong.kept.repair(connection, waiting.pop(wrong.kept))
        yield wrong
    for kept, rest in waiting.items():
        kept.repair(connection, rest)


_REMEMBERED: Final = 50_000
Kind: TypeAlias = Name | Literal["tag", "crawl"]
Watch: TypeAlias = Callable[[str, int, int], None]
"""Told what is checked, how much of it is done, and how much there is."""
_NUMBER: Final[BindParameter[int]] = bindparam("number")
_NAMES_OF: Final[Mapping[Kind, Select[*tuple[str, ...]]]] = {
    "repository": select(registries.c.name, repositories.c.name)
    .join_from(repositories, registries, registries.c.id == repositories.c.registry_id)
    .where(repositories.c.id == _NUMBER),
    "scope": select(registries.c.name, storage_scopes.c.name)
    .join(storage_scopes, registries.c.id == storage_scopes.c.registry_id)
    .where(storage_scopes.c.id == _NUMBER),
    "blob": select(blobs.c.digest).where(blobs.c.id == _NUMBER),
    "tag": select(*NAMES, tags.c.name)
    .select_from(named(tags))
    .where(tags.c.id == _NUMBER),
    "crawl": select(*NAMES).select_from(named(crawls)).where(crawls.c.id == _NUMBER),
}


class Difference(Struct, frozen=True):
    """One value. None: no row, or no value."""

    table: str
    where: str
    what: str
    stored: int | str | None
    recounted: int | str | None


class NamesOfIds(Struct):
    """What ids are called, for people."""

    _known: dict[tuple[Kind, int], str] = field(default_factory=dict)

    def of(self, connection: Connection, kind: Kind, number: int) -> str:
        """A repository's or scope's name, a blob's digest; `kind 7` of what is not
        there."""
        key = (kind, number)
        if key not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = self._find(connection, kind, number)
        return self._known[key]

    def _find(self, connection: Connection, kind: Kind, number: int) -> str:
        found = connection.execute(_NAMES_OF[kind], {"number": number}).one_or_none()
        if found is None:
            return f"{kind} {number}"
        name = "/".join(filter(None, found[:2]))
        if kind == "tag":
            return f"{name}:{found[2]}"
        return f"{name} crawl {number}" if kind == "crawl" else name


def differences(
    connection: Connection, wrong: Wrong, names: NamesOfIds
) -> Iterator[Difference]:
    """The values in which a wrong row differs."""
    parts = zip(wrong.kept.key.values(), wrong.key, strict=True)
    named = {kind: names.of(connection, kind, number) for kind, number in parts}
    if "repository" in named:
        named.pop("scope", None)
    for place, column in enumerate(wrong.kept.values):
        stored = None if wrong.stored is None else wrong.stored[place]
        counted = None if wrong.counted is None else wrong.counted[place]
        if stored == counted and None not in (wrong.stored, wrong.counted):
            continue
        where = " ".join(named.values())
        if wrong.kept is SHARED:
            before = _holder(connection, names, wrong.stored)
            now = _holder(connection, names, wrong.counted)
            yield Difference("scope_blobs", where, "held by", before, now)
        else:
            table = wrong.kept.table.name
            yield Difference(table, where, column, stored, counted)


def _holder(
    connection: Connection, names: NamesOfIds, row: Values | None
) -> str | None:
    if row is None:
        return None
    return names.of(connection, "repository", row[0]) if row[0] else "several"


SQLRow: TypeAlias = Row[*tuple[object, ...]]

_repository = repositories.c
_summary = repository_summaries.c
_scope = storage_scopes.c


_OF_SCOPES: Final = select(
    _scope.registry_id,
    func.sum(_scope.image_count).label("images"),
    *exact_sum(_scope.weighed_bytes, "weighed"),
    *exact_sum(_scope.deduplicated_bytes, "deduplicated"),
    *exact_sum(_scope.shared_bytes, "shared"),
).group_by(_scope.registry_id)
_kept = KEPT.subquery("kept")
_repositories = OF_REPOSITORIES.subquery("of_repositories")
_scopes = _OF_SCOPES.subquery("of_scopes")
_COUNTED: Final = {
    name: (_scopes if name in _scopes.c else _repositories).c[name] for name in SUMS
}
# One statement: both are of one moment, whatever others commit meanwhile.
_COMPARED: Final = (
    select(
        registries.c.id,
        registries.c.name,
        *(func.coalesce(_kept.c[name], 0).label(f"kept_{name}") for name in SUMS),
        *(func.coalesce(column, 0).label(name) for name, column in _COUNTED.items()),
    )
    .outerjoin(_kept, _kept.c.registry_id == registries.c.id)
    .outerjoin(_repositories, _repositories.c.registry_id == registries.c.id)
    .outerjoin(_scopes, _scopes.c.registry_id == registries.c.id)
    .order_by(registries.c.name)
)
_LISTED_IN: Final = case((_repository.deleted_at.is_(None), _repository.registry_id))
_MISPLACED: Final = (
    select(
        _summary.repository_id,
        registries.c.name.label("registry"),
        _repository.name,
        _summary.registry_id,
        _repository.registry_id.label("of_registry"),
        _LISTED_IN.label("listed_in"),
    )
    .join(repositories, _repository.id == _summary.repository_id)
    .join(registries, registries.c.id == _repository.registry_id)
    .where(_summary.registry_id.is_distinct_from(_LISTED_IN))
    .order_by(_summary.repository_id)
)


def compare_sums(connection: Connection) -> Iterator[Difference]:
    """Sums that are not what the rows come to, and summaries that count for another
    registry than their repository is of."""
    for row in connection.execute(_MISPLACED).all():
        yield _misplaced(row)
    for row in connection.execute(_COMPARED).all():
        yield from _wrong_sums(row)


def mend_sums(connection: Connection, registry_id: int) -> list[Difference]:
    """Make them right, of one registry; returns what was wrong."""
    changed = []
    for row in connection.execute(_MISPLACED).all():
        if registry_id in (row.registry_id, row.of_registry):
            changed.append(_misplaced(row))
            connection.execute(
                update(repository_summaries)
                .where(_summary.repository_id == row.repository_id)
                .values(registry_id=row.listed_in)
            )
    row = connection.execute(_COMPARED.where(registries.c.id == registry_id)).one()
    if wrong := _wrong_sums(row):
        _add(connection, row)
    return changed + wrong


def _misplaced(row: SQLRow) -> Difference:
    where = f"{row.registry}/{row.name}"
    table = repository_summaries.name
    return Difference(table, where, "registry_id", row.registry_id, row.listed_in)


def _wrong_sums(row: SQLRow) -> list[Difference]:
    return [
        Difference(registry_sums.name, row.name, name, kept, counted)
        for name, kept, counted in _sums(row)
        if kept != counted
    ]


def _sums(row: SQLRow) -> Iterator[tuple[str, int, int]]:
    """Each, as it is kept and as it was counted."""
    for name in SUMS:
        yield name, int(row._mapping[f"kept_{name}"]), int(row._mapping[name])


def _add(connection: Connection, row: SQLRow) -> None:
    """Add what is missing: what others add meanwhile stays as it is."""
    if settles_at_once(connection.dialect):
        connection.execute(
            update(registry_sums)
            .where(registry_sums.c.id == row.id)
            .values({name: counted for name, _, counted in _sums(row)})
        )
        return
    missing = {name: counted - kept for name, kept, counted in _sums(row)}
    connection.execute(insert(registry_sums).values(registry_id=row.id, **missing))
