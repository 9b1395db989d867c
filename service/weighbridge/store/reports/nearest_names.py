"""What is said where a repository or a tag is asked for that is not known: which names
look most like it. Few names are looked at, however many there are.
"""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final

from sqlalchemy import Connection, Select, select

from weighbridge.errors import UnknownName
from weighbridge.store.models import registries, repositories, tags
from weighbridge.store.reports.search import search
from weighbridge.store.tags.tag_rows import natural_key

NEAREST: Final = 3
_BESIDE: Final = 500
"""Names on each side of the place where the one that is asked for would be."""
_ALIKE: Final = 0.5


def unknown_repository(
    connection: Connection, registry: str, repository: str
) -> UnknownName:
    """The error for a repository that is not known: with the nearest of the same
    registry, those with the same last part of a name among them."""
    name = repositories.c.name
    names = (
        select(name)
        .join(registries, registries.c.id == repositories.c.registry_id)
        .where(registries.c.name == registry, repositories.c.deleted_at.is_(None))
        .limit(_BESIDE)
    )
    beside = _column(connection, names.where(name >= repository).order_by(name))
    beside += _column(connection, names.where(name < repository).order_by(name.desc()))
    nearest = _nearest(repository, beside)
    if len(nearest) < NEAREST:
        hits = search(connection, repository.rpartition("/")[2], 4 * NEAREST).hits
        found = [hit.repository for hit in hits if hit.registry == registry]
        nearest = list(dict.fromkeys([*nearest, *found]))[:NEAREST]
    return UnknownName(
        f"the repository {registry}/{repository} is not known here",
        code="repository_not_found",
        nearest=nearest,
    )


def unknown_tag(
    connection: Connection, repository_id: int, repository: str, tag: str
) -> UnknownName:
    """The error for a tag that its repository never had: with the nearest of those
    that it has.

    repository: with its registry, as it is to be shown
    """
    place = natural_key(tag)
    key = tags.c.natural_key
    names = (
        select(tags.c.name)
        .where(tags.c.repository_id == repository_id, tags.c.deleted_at.is_(None))
        .limit(_BESIDE)
    )
    behind = _column(connection, names.where(key >= place).order_by(key))
    before = _column(connection, names.where(key < place).order_by(key.desc()))
    nearest = _nearest(tag, [*behind, *before]) or [*behind, *before][:NEAREST]
    return UnknownName(
        f"{repository} never had a tag {tag}", code="tag_not_found", nearest=nearest
    )


def _column(connection: Connection, names: Select[str]) -> list[str]:
    return list(connection.execute(names).scalars())


def _nearest(name: str, known: Sequence[str]) -> list[str]:
    return get_close_matches(name, known, n=NEAREST, cutoff=_ALIKE)
