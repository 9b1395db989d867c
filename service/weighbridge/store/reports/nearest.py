"""What somebody may have meant by a name that is not known: the nearest of those that
are. Names that differ at their end are neighbours in the index; where there are few
names, all of them are compared."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, TypeAlias

from sqlalchemy import Column, Connection, Select, select

from weighbridge.domain.access.principal import Sight
from weighbridge.domain.text.nearest import nearest
from weighbridge.store.dialect import among_ids, listed
from weighbridge.store.models import registries, repositories, tags
from weighbridge.store.named_rows import find_place

_FEW: Final = 1_000
_NEIGHBOURS: Final = 200
_MOST: Final = 3
Names: TypeAlias = Select[str, datetime | None]
"""Names, each with when it was gone."""


def nearest_repositories(
    connection: Connection, registry: str, repository: str, sight: Sight | None = None
) -> list[str]:
    """Repositories of a registry that are not gone, the nearest first; as
    `registry/repository`. Of a registry that is not known, those of all registries that
    are called so.

    sight: which repositories and registries are seen, None: all. Others are left out
           before the nearest are chosen: they would take the place of one that is seen
    """
    name = repositories.c.name
    seen = {} if sight is None else {"seen": listed(sorted(sight.ids))}
    of = select(registries.c.id).where(registries.c.name == registry)
    number = connection.execute(of).scalar()
    if sight is not None and registry not in sight.registries:
        number = None
    if number is None:
        whole = (
            select(registries.c.name + "/" + name)
            .join(repositories, repositories.c.registry_id == registries.c.id)
            .where(name == repository, repositories.c.deleted_at.is_(None))
            .order_by(registries.c.name)
            .limit(_MOST)
        )
        if seen:
            whole = whole.where(among_ids(repositories.c.id, "seen"))
        return list(connection.execute(whole, seen).scalars())
    names = select(name, repositories.c.deleted_at).where(
        repositories.c.registry_id == number
    )
    if seen:
        names = names.where(among_ids(repositories.c.id, "seen"))
    found = _nearest(connection, names, name, repository, seen)
    return [f"{registry}/{each}" for each in found]


def nearest_tags(
    connection: Connection, registry: str, repository: str, tag: str
) -> list[str]:
    """Tags of a repository that are not gone, the nearest first."""
    place = find_place(connection, registry, repository)
    if place is None:
        return []
    names = select(tags.c.name, tags.c.deleted_at).where(
        tags.c.repository_id == place.id
    )
    return _nearest(connection, names, tags.c.name, tag, {})


def _nearest(
    connection: Connection,
    names: Names,
    name: Column[str],
    wanted: str,
    given: Mapping[str, object],
) -> list[str]:
    """given: the parameters of `names`"""
    # What is gone is left out here: a database would go on through all of it.
    rows = connection.execute(names.order_by(name).limit(_FEW), given).all()
    if len(rows) == _FEW:
        before = names.where(name < wanted).order_by(name.desc()).limit(_NEIGHBOURS)
        behind = names.where(name > wanted).order_by(name).limit(_NEIGHBOURS)
        for some in (before, behind):
            rows = [*rows, *connection.execute(some, given)]
    return nearest(wanted, (known for known, gone_at in rows if gone_at is None))
