"""Where each repository is: its registry and its name, of all of them at once."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Row, select

from weighbridge.store.dialect import Rows
from weighbridge.store.models import registries, repositories

_PLACES: Final = Rows(
    select(
        repositories.c.id,
        registries.c.name.label("registry"),
        repositories.c.name.label("repository"),
    ).join_from(repositories, registries, registries.c.id == repositories.c.registry_id)
)
_NEWEST: Final = (
    select(
        repositories.c.id,
        repositories.c.registry_id,
        repositories.c.name,
        repositories.c.state_since,
    )
    .order_by(repositories.c.id.desc())
    .limit(1)
)


def repository_places(connection: Connection) -> Sequence[tuple[int, str, str]]:
    """The id of every repository, also of one that is gone, with the names of its
    registry and its own, by id."""
    return sorted(map(tuple, _PLACES.read(connection, {})))


def newest_place(connection: Connection) -> Row[int, int, str, datetime] | None:
    """The repository with the largest id: one step of an index, however many there are.

    SQLite gives the largest ids to others once what had them is forgotten. Whichever of
    them is another's now, this last one is too, and tells it by the rest: by its name,
    or, where that is the same again, by since when it is in its state.
    """
    return connection.execute(_NEWEST).one_or_none()
