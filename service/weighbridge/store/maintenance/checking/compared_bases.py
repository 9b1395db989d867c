"""What images stand on, found anew and compared with what is kept of it: a slice of
images at a time, in the order of their ids.

Only images that a tag leads to are looked at: no sweep looks at others when a base
comes to be known. What no sweep has looked for yet is not compared: images on a new
base, annotations that claim a new name, and bases by lines, for which only a push
looks.
"""

from collections.abc import Iterator, Mapping, Set
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    exists,
    func,
    or_,
    select,
)

from weighbridge.store.bases.image_bases import (
    ImageBaseRow,
    image_bases_anew,
    replace_image_bases,
    stored_image_bases,
)
from weighbridge.store.bases.known_bases import references_of
from weighbridge.store.bases.unheld_names import BaseNames, unheld_names
from weighbridge.store.facts.interned import platform_ids
from weighbridge.store.facts.stored_images import load_images
from weighbridge.store.maintenance.checking.differences import (
    Difference,
    NamesOfIds,
    Watch,
)
from weighbridge.store.models import (
    base_chains,
    images,
    repositories,
    repository_manifests,
)
from weighbridge.store.models.types import Id

_IMAGES: Final = 500
_chain = base_chains.c
_live = repository_manifests.c


def _held_in_registry() -> ColumnElement[bool]:
    """By any repository, or by those of one registry."""
    number = bindparam("registry", type_=Id)
    ours = select(repositories.c.id).where(repositories.c.registry_id == number)
    return exists().where(
        _live.manifest_id == images.c.id,
        or_(number.is_(None), _live.repository_id.in_(ours)),
    )


_LIVE: Final = (
    select(images.c.id)
    .where(images.c.id > bindparam("after"), _held_in_registry())
    .order_by(images.c.id)
    .limit(_IMAGES)
)
_COUNT: Final = select(func.count()).select_from(images).where(_held_in_registry())
_UNSWEPT: Final = select(_chain.id).where(_chain.is_swept.is_(False))


class _Wrong(NamedTuple):
    """An image of which another row is kept than was found anew, or none, or one too
    many."""

    image_id: int
    stored: ImageBaseRow | None
    found: ImageBaseRow | None


def compare_bases(
    connection: Connection, now: datetime, names: NamesOfIds, watch: Watch
) -> Iterator[Difference]:
    """Images whose kept base is not what is found anew."""
    for wrongs in _all_wrong(connection, None, watch):
        yield from _differences(connection, wrongs, now, names)


def mend_bases(
    connection: Connection,
    registry_id: int,
    now: datetime,
    names: NamesOfIds,
    watch: Watch,
) -> Iterator[Difference]:
    """The same of a registry's images, each kept as it was found."""
    for wrongs in _all_wrong(connection, registry_id, watch):
        found = [wrong.found for wrong in wrongs if wrong.found is not None]
        ids = [wrong.image_id for wrong in wrongs]
        replace_image_bases(connection, ids, found)
        yield from _differences(connection, wrongs, now, names)


def _all_wrong(
    connection: Connection, registry_id: int | None, watch: Watch
) -> Iterator[list[_Wrong]]:
    """Those of each slice that has some."""
    of_registry: dict[str, object] = {"registry": registry_id}
    count = connection.execute(_COUNT, of_registry).scalar_one()
    unswept = set(connection.execute(_UNSWEPT).scalars())
    unheld = unheld_names(connection)
    done, after = 0, -1
    while True:
        watch("bases", done, count)
        ids = list(connection.execute(_LIVE, {**of_registry, "after": after}).scalars())
        if ids:
            after = ids[-1]
            done += len(ids)
            wrongs = _wrong_among(connection, ids, unswept, unheld)
            if wrongs:
                yield wrongs
        if len(ids) < _IMAGES:
            return


def _wrong_among(
    connection: Connection, ids: list[int], unswept: Set[int], unheld: BaseNames
) -> list[_Wrong]:
    loaded = {n: each.image for n, each in load_images(connection, ids).items()}
    platforms = platform_ids(connection, (i.platform for i in loaded.values()))
    found = _by_id(image_bases_anew(connection, loaded, platforms))
    stored = _by_id(stored_image_bases(connection, ids))
    return [
        _Wrong(number, stored.get(number), found.get(number))
        for number in loaded
        if stored.get(number) != found.get(number)
        and not _may_differ(stored.get(number), found.get(number), unswept, unheld)
    ]


def _by_id(rows: list[ImageBaseRow]) -> Mapping[int, ImageBaseRow]:
    return {row.image_id: row for row in rows}


def _may_differ(
    stored: ImageBaseRow | None,
    found: ImageBaseRow | None,
    unswept: Set[int],
    unheld: BaseNames,
) -> bool:
    """Whether a sweep is still to come, or none looks for it: see above."""
    if found is None:
        return False
    if found.base_chain_id in unswept or unheld.has(found.reference, found.digest):
        return True
    by_lines = found.found_by == "history"
    return by_lines and (
        stored is None or stored.found_by == "history" or stored.base_chain_id is None
    )


def _differences(
    connection: Connection,
    wrongs: list[_Wrong],
    now: datetime,
    names: NamesOfIds,
) -> Iterator[Difference]:
    rows = [row for wrong in wrongs for row in wrong[1:] if row is not None]
    bases = {row.base_chain_id for row in rows if row.base_chain_id is not None}
    called = {n: some[0] for n, some in references_of(connection, bases, now).items()}
    for wrong in wrongs:
        where = names.of(connection, "blob", wrong.image_id)
        stored, found = (_shown(row, called) for row in wrong[1:])
        yield Difference("image_bases", where, "base", stored, found)


def _shown(row: ImageBaseRow | None, called: Mapping[int, str]) -> str | None:
    if row is None or row.relation is None:
        return None
    number = row.base_chain_id
    name = row.reference if number is None else called.get(number, f"base {number}")
    return f"{name} ({row.relation} by {row.found_by})"
