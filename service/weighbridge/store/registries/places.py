"""Where each repository is: its registry and its name, of all of them at once."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, func, select

from weighbridge.store.dialect import Rows
from weighbridge.store.models import registries, repositories

_PLACES: Final = Rows(
    select(
        repositories.c.id,
        registries.c.name.label("registry"),
        repositories.c.name.label("repository"),
    ).join_from(repositories, registries, registries.c.id == repositories.c.registry_id)
)
_NEWEST: Final = select(func.max(repositories.c.id))


def repository_places(connection: Connection) -> Sequence[tuple[int, str, str]]:
    """The id of every repository, also of one that is gone, with the names of its
    registry and its own, by id."""
    return sorted(map(tuple, _PLACES.read(connection, {})))


def newest_place(connection: Connection) -> int | None:
    """The largest of these ids: one step of an index, however many there are."""
    return connection.execute(_NEWEST).scalar()
