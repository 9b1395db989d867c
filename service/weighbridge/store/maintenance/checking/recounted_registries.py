"""The sums of registries, counted anew from the rows that they are of."""

from collections.abc import Iterator
from typing import Final, TypeAlias

from msgspec import Struct
from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    bindparam,
    case,
    func,
    insert,
    select,
    update,
)

from weighbridge.store.dialect import settles_at_once
from weighbridge.store.ledger.expressions import exact_sum
from weighbridge.store.ledger.registry_sums import KEPT, SUMS
from weighbridge.store.maintenance.checking.differences import Difference
from weighbridge.store.models import (
    LISTED_STATES,
    registries,
    registry_sums,
    repositories,
    repository_summaries,
    storage_scopes,
)

SQLRow: TypeAlias = Row[*tuple[object, ...]]

_repository = repositories.c
_summary = repository_summaries.c
_scope = storage_scopes.c


def _is(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


_OF_REPOSITORIES: Final = (
    select(
        _repository.registry_id,
        func.count().label("repositories"),
        *(
            _is(_repository.state == state).label(f"are_{state}")
            for state in LISTED_STATES
        ),
        func.count(_repository.last_crawl_at).label("are_crawled"),
        func.count(_repository.held).label("tags_held"),
        func.coalesce(func.sum(_summary.tag_count), 0).label("tags"),
        func.coalesce(func.sum(_summary.tags_failed), 0).label("tags_failed"),
        func.count(_summary.newest_compressed_bytes).label("with_image"),
        func.count(_summary.referenced_bytes).label("summed_up"),
        *exact_sum(_summary.newest_compressed_bytes, "newest"),
        *exact_sum(_summary.referenced_bytes, "referenced"),
        *exact_sum(_summary.exclusive_bytes, "exclusive"),
    )
    .outerjoin(repository_summaries, _summary.repository_id == _repository.id)
    .where(_repository.deleted_at.is_(None))
    .group_by(_repository.registry_id)
)
_OF_SCOPES: Final = select(
    _scope.registry_id,
    func.sum(_scope.image_count).label("images"),
    *exact_sum(_scope.weighed_bytes, "weighed"),
    *exact_sum(_scope.deduplicated_bytes, "deduplicated"),
    *exact_sum(_scope.shared_bytes, "shared"),
).group_by(_scope.registry_id)
_kept = KEPT.subquery("kept")
_repositories = _OF_REPOSITORIES.subquery("of_repositories")
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
_PLACE: Final = (
    update(repository_summaries)
    .where(_summary.repository_id == bindparam("repository"))
    .values(registry_id=bindparam("registry"))
)


def compare_sums(connection: Connection) -> Iterator[Difference]:
    """Sums that are not what the rows come to, and summaries that count for another
    registry than their repository is of."""
    for row in connection.execute(_MISPLACED).all():
        yield _misplaced(row)
    for wrong in _wrong_sums(connection):
        yield from wrong.differences()


def mend_sums(connection: Connection, registry_id: int) -> list[Difference]:
    """Make them right, of one registry; returns what was wrong."""
    changed = []
    for row in connection.execute(_MISPLACED).all():
        if registry_id in (row.registry_id, row.of_registry):
            changed.append(_misplaced(row))
            connection.execute(
                _PLACE, {"repository": row.repository_id, "registry": row.listed_in}
            )
    for wrong in _wrong_sums(connection):
        if wrong.registry_id == registry_id:
            changed += wrong.differences()
            _add(connection, wrong)
    return changed


def _misplaced(row: SQLRow) -> Difference:
    where = f"{row.registry}/{row.name}"
    table = repository_summaries.name
    return Difference(table, where, "registry_id", row.registry_id, row.listed_in)


class _WrongSums(Struct, frozen=True):
    """values: by column, as it is kept and as it was counted"""

    registry_id: int
    registry: str
    values: dict[str, tuple[int, int]]

    def differences(self) -> Iterator[Difference]:
        for name, (kept, counted) in self.values.items():
            if kept != counted:
                yield Difference(registry_sums.name, self.registry, name, kept, counted)


def _wrong_sums(connection: Connection) -> Iterator[_WrongSums]:
    for row in connection.execute(_COMPARED).all():
        values = {
            name: (int(row._mapping[f"kept_{name}"]), int(row._mapping[name]))
            for name in SUMS
        }
        if any(kept != counted for kept, counted in values.values()):
            yield _WrongSums(row.id, row.name, values)


def _add(connection: Connection, wrong: _WrongSums) -> None:
    """Add what is missing: what others add meanwhile stays as it is."""
    if settles_at_once(connection.dialect):
        connection.execute(
            update(registry_sums)
            .where(registry_sums.c.id == wrong.registry_id)
            .values({name: counted for name, (_, counted) in wrong.values.items()})
        )
        return
    missing = {name: counted - kept for name, (kept, counted) in wrong.values.items()}
    connection.execute(
        insert(registry_sums).values(registry_id=wrong.registry_id, **missing)
    )
