"""What all images on builds of a base would save on slimmer variants: how many they
are, and what storage would hold less, each layer once a storage scope.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    and_,
    case,
    func,
    or_,
    select,
    type_coerce,
)

from weighbridge.domain.base.savings import FleetSaving, ScopedLayer, stored_saving
from weighbridge.store.dialect import among_ids, among_texts, given_ids, listed
from weighbridge.store.ledger.expressions import STORED_BYTES, sized
from weighbridge.store.ledger.scopes import parts_by_scope
from weighbridge.store.models import (
    base_chains,
    blobs,
    image_bases,
    layers,
    registries,
    repositories,
    repository_blobs,
    repository_manifests,
)

PLACES_AT_MOST: Final = 20_000
"""Builds in storage scopes of which it is counted at once what storage would save:
where each repository is a scope of its own there may be as many as images. Those fleets
come first that have least."""
_SCOPES_AT_ONCE: Final = 500
_chain = base_chains.c
_on = image_bases.c
_live = repository_manifests.c
_held = repository_blobs.c
IS_ON: Final[ColumnElement[bool]] = and_(
    _on.relation == "base", _on.found_by != "history"
)
"""Of rows of `image_bases`: the image has the layers of its base. One that was found by
its lines has others."""
# What holds others of its layers may not have been seen, or be left out.
_IN_PART: Final = or_(
    repositories.c.state.in_(("new", "partial")),
    repositories.c.held.is_not(None),
    among_texts(registries.c.name),
)
_HOLDINGS: Final = (
    select(
        _on.base_chain_id,
        repositories.c.scope_id,
        func.max(case((_IN_PART, 1), else_=0)).label("is_in_part"),
        func.count().label("images"),
    )
    .select_from(
        image_bases.join(repository_manifests, _live.manifest_id == _on.image_id)
        .join(repositories, repositories.c.id == _live.repository_id)
        .join(registries, registries.c.id == repositories.c.registry_id)
    )
    .where(among_ids(_on.base_chain_id), IS_ON)
    .group_by(_on.base_chain_id, repositories.c.scope_id)
)
_fleet = given_ids("fleet", "chain")
_COUNTS: Final = (
    select(
        _fleet.c.fleet,
        func.count(_on.image_id.distinct()).label("images"),
        func.count(_live.repository_id.distinct()).label("repositories"),
    )
    .select_from(
        _fleet.join(image_bases, _on.base_chain_id == _fleet.c.chain).join(
            repository_manifests, _live.manifest_id == _on.image_id
        )
    )
    .where(IS_ON)
    .group_by(_fleet.c.fleet)
)
_LAYERS: Final = (
    select(_chain.id, layers.c.blob_id)
    .join(layers, layers.c.image_id == _chain.image_id)
    .where(among_ids(_chain.id), ~layers.c.is_foreign)
)
_place = given_ids("scope", "blob")
_users = (
    select(func.sum(_held.manifest_count))
    .where(_held.scope_id == _place.c.scope, _held.blob_id == _place.c.blob)
    .scalar_subquery()
)
_CELLS: Final = select(
    _place.c.scope,
    _place.c.blob,
    STORED_BYTES.label("stored_bytes"),
    type_coerce(func.coalesce(_users, 0), BigInteger).label("users"),
).select_from(sized(_place.join(blobs, blobs.c.id == _place.c.blob), _place.c.scope))

Moves: TypeAlias = Mapping[int, int]
"""Builds of bases, and the build that is to take the place of each."""
_OfBuild: TypeAlias = Mapping[int, Collection[int]]
"""The layers of each build."""
_Held: TypeAlias = dict[int, dict[int, int]]
"""By build the images on it in each part of one scope."""


class _Cell(NamedTuple):
    """A layer in one part of a scope. users: live manifests of there that have it"""

    stored_bytes: int
    users: int


class _Standing(NamedTuple):
    """What stands on builds.

    on:      by build, how many live images each scope holds, each once a repository
    in_part: builds of whose repositories not all was seen
    parts:   by scope all parts of it, which are scopes of their own
    """

    on: Mapping[int, Mapping[int, int]]
    in_part: frozenset[int]
    parts: Mapping[int, Sequence[int]]


def fleet_savings(
    connection: Connection,
    fleets: Mapping[int, Moves],
    in_part: Collection[str] = (),
    most: int = PLACES_AT_MOST,
) -> dict[int, FleetSaving]:
    """What each fleet would save if all of its images moved: those that have the layers
    of one of its builds. However many fleets there are, statements are few.

    in_part: the registries of which tags are left out: what storage there would save is
             not known
    most:    see `PLACES_AT_MOST`
    """
    if not fleets:
        return {}
    builds = sorted({build for moves in fleets.values() for build in moves})
    variants = {variant for moves in fleets.values() for variant in moves.values()}
    standing = _standing(connection, builds, in_part)
    of_build: dict[int, set[int]] = {}
    for build, blob in connection.execute(
        _LAYERS, {"ids": listed(sorted({*builds, *variants}))}
    ):
        of_build.setdefault(build, set()).add(blob)
    counts = _counts(connection, fleets)
    stored = _stored(connection, fleets, standing, of_build, most)
    return {
        number: FleetSaving(
            *counts.get(tuple(sorted(moves)), (0, 0)), stored.get(number)
        )
        for number, moves in fleets.items()
    }


def _standing(
    connection: Connection, builds: Sequence[int], in_part: Collection[str]
) -> _Standing:
    on: dict[int, dict[int, int]] = {}
    partly: set[int] = set()
    parameters = {"ids": listed(builds), "names": listed(sorted(in_part))}
    for row in connection.execute(_HOLDINGS, parameters):
        on.setdefault(row.base_chain_id, {})[row.scope_id] = row.images
        if row.is_in_part:
            partly.add(row.base_chain_id)
    scopes = {scope for held in on.values() for scope in held}
    return _Standing(on, frozenset(partly), parts_by_scope(connection, scopes))


def _counts(
    connection: Connection, fleets: Mapping[int, Moves]
) -> dict[tuple[int, ...], tuple[int, int]]:
    """Distinct images and repositories on each of these sets of builds."""
    sets = sorted({tuple(sorted(moves)) for moves in fleets.values()})
    rows = connection.execute(_COUNTS, {"keys": dict(enumerate(sets))})
    return {sets[row.fleet]: (row.images, row.repositories) for row in rows}


def _stored(
    connection: Connection,
    fleets: Mapping[int, Moves],
    standing: _Standing,
    of_build: _OfBuild,
    most: int,
) -> dict[int, int]:
    """Over all scopes, of the fleets of which it can be counted."""
    saved = dict.fromkeys(_countable(fleets, standing, of_build, most), 0)
    by_scope: dict[tuple[int, ...], dict[int, _Held]] = {}
    for number in saved:
        for build in fleets[number]:
            for scope, images in standing.on.get(build, {}).items():
                fleet = by_scope.setdefault(tuple(standing.parts[scope]), {})
                fleet.setdefault(number, {}).setdefault(build, {})[scope] = images
    scopes = sorted(by_scope)
    for start in range(0, len(scopes), _SCOPES_AT_ONCE):
        places: dict[int, set[int]] = {}
        some = scopes[start : start + _SCOPES_AT_ONCE]
        for parts in some:
            wanted = {
                blob
                for number, held in by_scope[parts].items()
                for build in held
                for each in (build, fleets[number][build])
                for blob in of_build[each]
            }
            places |= dict.fromkeys(parts, wanted)
        cells = _cells(connection, places)
        for parts in some:
            for number, held in by_scope[parts].items():
                saved[number] += _saved(fleets[number], parts, held, of_build, cells)
    return {number: max(0, stored) for number, stored in saved.items()}


def _countable(
    fleets: Mapping[int, Moves], standing: _Standing, of_build: _OfBuild, most: int
) -> list[int]:
    """The fleets of whose repositories all was seen, and of which the layers of builds
    and variants are known: they may have been pruned. Least first."""
    places = {}
    for number, moves in fleets.items():
        held = [build for build in moves if build in standing.on]
        needed = {*held, *(moves[build] for build in held)}
        if needed <= of_build.keys() and standing.in_part.isdisjoint(held):
            places[number] = sum(len(standing.on[build]) for build in held)
    found, room = [], most
    for number in sorted(places, key=lambda number: (places[number], number)):
        room -= places[number]
        if room >= 0:
            found.append(number)
    return found


def _cells(
    connection: Connection, places: Mapping[int, Collection[int]]
) -> dict[tuple[int, int], _Cell]:
    keys = {scope: sorted(blobs_there) for scope, blobs_there in places.items()}
    return {
        (row.scope, row.blob): _Cell(row.stored_bytes, int(row.users))
        for row in connection.execute(_CELLS, {"keys": keys})
    }


def _saved(
    moves: Moves,
    parts: Sequence[int],
    held: _Held,
    of_build: _OfBuild,
    cells: Mapping[tuple[int, int], _Cell],
) -> int:
    """In one scope, given by its parts."""
    # Entries of one address may have different words on a layer.
    asked = next(part for part in parts if any(part in on for on in held.values()))
    stood_on: Counter[int] = Counter()
    for build, on in held.items():
        for blob in of_build[build]:
            stood_on[blob] += sum(on.values())
    new = {blob for build in held for blob in of_build[moves[build]]}
    every = {
        blob: ScopedLayer(
            blob,
            cells[asked, blob].stored_bytes,
            sum(cells[part, blob].users for part in parts),
            stood_on[blob],
        )
        for blob in {*stood_on, *new}
    }
    return stored_saving(
        [every[blob] for blob in stood_on], [every[blob] for blob in new]
    )
