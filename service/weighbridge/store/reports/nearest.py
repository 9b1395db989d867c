"""What somebody may have meant by a name that is not known: the nearest of those that
are. Names that differ at their end are neighbours in the index; where there are few
names, all of them are compared."""

from datetime import datetime
from typing import Final, TypeAlias

from sqlalchemy import Column, Connection, Select, select

from weighbridge.domain.text.nearest import nearest
from weighbridge.store.models import registries, repositories, tags
from weighbridge.store.named_rows import find_place

_FEW: Final = 1_000
_NEIGHBOURS: Final = 200
_MOST: Final = 3
Names: TypeAlias = Select[str, datetime | None]
"""Names, each with when it was gone."""


def nearest_repositories(
    connection: Connection, registry: str, repository: str
) -> list[str]:
    """Repositories of a registry that are not gone, the nearest first; as
    `registry/repository`. Of a registry that is not known, those of all registries that
    are called so."""
    name = repositories.c.name
    of = select(registries.c.id).where(registries.c.name == registry)
    number = connection.execute(of).scalar()
    if number is None:
        whole = (
            select(registries.c.name + "/" + name)
            .join(repositories, repositories.c.registry_id == registries.c.id)
            .where(name == repository, repositories.c.deleted_at.is_(None))
            .order_by(registries.c.name)
            .limit(_MOST)
        )
        return list(connection.execute(whole).scalars())
    names = select(name, repositories.c.deleted_at).where(
        repositories.c.registry_id == number
    )
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
    names = select(tags.c.name, tags.c.deleted_at).where(
        tags.c.repository_id == place.id
    )
    return _nearest(connection, names, tags.c.name, tag)


def _nearest(
    connection: Connection, names: Names, name: Column[str], wanted: str
) -> list[str]:
    # What is gone is left out here: a database would go on through all of it.
    rows = connection.execute(names.order_by(name).limit(_FEW)).all()
    if len(rows) == _FEW:
        before = names.where(name < wanted).order_by(name.desc()).limit(_NEIGHBOURS)
        behind = names.where(name > wanted).order_by(name).limit(_NEIGHBOURS)
        rows = [*rows, *connection.execute(before), *connection.execute(behind)]
    return nearest(wanted, (known for known, gone_at in rows if gone_at is None))
