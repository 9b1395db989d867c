"""Rows of `base_repositories`: which of the repositories that are crawled are bases, as
the configuration says."""

from collections.abc import Collection, Mapping
from typing import Final

from sqlalchemy import Connection, bindparam, delete, select

from weighbridge.domain.base.base_repositories import BasePlace
from weighbridge.store.dialect import BulkInsert, among_ids, among_texts, listed
from weighbridge.store.models import base_repositories, registries, repositories

_marks = base_repositories.c
_table = repositories.c
_MARKED: Final = (
    select(_marks.repository_id, _table.name, _marks.host, _marks.repository)
    .join_from(base_repositories, repositories, _table.id == _marks.repository_id)
    .join(registries, registries.c.id == _table.registry_id)
    .where(registries.c.name == bindparam("registry"))
)
_NAMED: Final = (
    select(_table.name, _table.id)
    .join_from(registries, repositories, registries.c.id == _table.registry_id)
    .where(registries.c.name == bindparam("registry"), among_texts(_table.name))
)
_NEW: Final = BulkInsert(
    base_repositories, "repository_id", "host", "repository", "is_recorded"
)
_REGISTRIES: Final = (
    select(registries.c.name)
    .join(repositories, _table.registry_id == registries.c.id)
    .join(base_repositories, _marks.repository_id == _table.id)
    .distinct()
)
_GONE: Final = delete(base_repositories).where(among_ids(_marks.repository_id))


def mark_bases(
    connection: Connection, registry: str, bases: Collection[BasePlace]
) -> list[int]:
    """Have just these repositories of a registry marked, as far as they are known.
    Returns those that are marked now and were not, by their ids: what is known of their
    tags is not known of bases yet. Nothing is written where nothing changed."""
    rows = connection.execute(_MARKED, {"registry": registry}).all()
    marked = {row.repository_id: BasePlace(*row[1:]) for row in rows}
    if not bases and not marked:
        return []
    named = {base.name: base for base in bases}
    found = connection.execute(
        _NAMED, {"registry": registry, "names": listed(sorted(named))}
    )
    wanted = {row.id: named[row.name] for row in found}
    gone = sorted(n for n, base in marked.items() if wanted.get(n) != base)
    if gone:
        connection.execute(_GONE, {"ids": listed(gone)})
    new = sorted(n for n, base in wanted.items() if marked.get(n) != base)
    _NEW.add(
        connection, [(n, wanted[n].host, wanted[n].repository, False) for n in new]
    )
    return new


def mark_all_bases(
    connection: Connection, bases: Mapping[str, Collection[BasePlace]]
) -> None:
    """The same for each registry; in those that are not among these nothing is a
    base."""
    marked = set(connection.execute(_REGISTRIES).scalars())
    for registry in [*bases, *sorted(marked - bases.keys())]:
        some = bases.get(registry, ())
        if some or registry in marked:
            mark_bases(connection, registry, some)
