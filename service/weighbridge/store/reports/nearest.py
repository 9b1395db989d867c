"""What somebody may have meant by a name that is not known: the nearest of those that
are. Names that differ at their end are neighbours in the index; where there are few
names, all of them are compared."""

import difflib
from typing import Final

from sqlalchemy import Column, Connection, Select, select

from weighbridge.store.models import registries, repositories, tags
from weighbridge.store.named_rows import find_place

_FEW: Final = 1_000
_NEIGHBOURS: Final = 50
_MOST: Final = 3
_ALIKE: Final = 0.5


def nearest_repositories(
    connection: Connection, registry: str, repository: str
) -> list[str]:
    """Repositories of a registry that are not gone, the nearest first; as
    `registry/repository`. Of a registry that is not known, those of all registries that
    are called so."""
    name = repositories.c.name
    of = select(registries.c.id).where(registries.c.name == registry)
    number = connection.execute(of).scalar()
    live = repositories.c.deleted_at.is_(None)
    if number is None:
        whole = (
            select(registries.c.name + "/" + name)
            .join(repositories, repositories.c.registry_id == registries.c.id)
            .where(name == repository, live)
            .order_by(registries.c.name)
            .limit(_MOST)
        )
        return list(connection.execute(whole).scalars())
    names = select(name).where(repositories.c.registry_id == number, live)
    return [
        f"{registry}/{each}" for each in _nearest(connection, names, name, repository)
    ]


def nearest_tags(
    connection: Connection, registry: str, repository: str, tag: str
) -> list[str]:
    """Tags of a repository that are not gone, the nearest first."""
    place = find_place(connection, registry, repository)
    if place is None:
        return []
    names = select(tags.c.name).where(
        tags.c.repository_id == place.id, tags.c.deleted_at.is_(None)
    )
    return _nearest(connection, names, tags.c.name, tag)


def _nearest(
    connection: Connection, names: Select[str], name: Column[str], wanted: str
) -> list[str]:
    found = list(connection.execute(names.order_by(name).limit(_FEW)).scalars())
    if len(found) == _FEW:
        before = names.where(name < wanted).order_by(name.desc()).limit(_NEIGHBOURS)
        behind = names.where(name > wanted).order_by(name).limit(_NEIGHBOURS)
        for neighbours in (before, behind):
            found += connection.execute(neighbours).scalars()
    return difflib.get_close_matches(wanted, dict.fromkeys(found), _MOST, _ALIKE)
