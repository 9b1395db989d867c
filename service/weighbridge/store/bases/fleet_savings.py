"""What all images on builds of a base would save on slimmer variants: how many they
are, and what storage would hold less, each layer once a storage scope.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
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
    in_part: Collection[int]
    parts: Mapping[int, Sequence[int]]


def fleet_savings(
    connection: Connection,
    fleets: Mapping[int, Moves],
    in_part: Collection[str] = (),
) -> dict[int, FleetSaving]:
    """What each fleet would save if all of its images moved: those that have the layers
    of one of its builds. However many fleets there are, statements are few.

    in_part: the registries of which tags are left out: what storage there would save is
             not known
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
    cells = _cells(connection, _places(fleets.values(), standing, of_build))
    counts = _counts(connection, fleets)
    return {
        number: FleetSaving(
            *counts.get(tuple(sorted(moves)), (0, 0)),
            _stored(moves, standing, of_build, cells),
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
    return _Standing(on, partly, parts_by_scope(connection, scopes))


def _counts(
    connection: Connection, fleets: Mapping[int, Moves]
) -> dict[tuple[int, ...], tuple[int, int]]:
    """Distinct images and repositories on each of these sets of builds."""
    sets = sorted({tuple(sorted(moves)) for moves in fleets.values()})
    rows = connection.execute(_COUNTS, {"keys": dict(enumerate(sets))})
    return {sets[row.fleet]: (row.images, row.repositories) for row in rows}


def _places(
    fleets: Collection[Moves],
    standing: _Standing,
    of_build: Mapping[int, Collection[int]],
) -> dict[int, set[int]]:
    """By part of a scope the layers that are asked for there."""
    found: dict[int, set[int]] = {}
    for moves in fleets:
        for build, variant in moves.items():
            for scope in standing.on.get(build, ()):
                for part in standing.parts[scope]:
                    found.setdefault(part, set()).update(
                        of_build.get(build, ()), of_build.get(variant, ())
                    )
    return found


def _cells(
    connection: Connection, places: Mapping[int, Collection[int]]
) -> dict[tuple[int, int], _Cell]:
    found = {}
    scopes = sorted(places)
    for start in range(0, len(scopes), _SCOPES_AT_ONCE):
        some = scopes[start : start + _SCOPES_AT_ONCE]
        keys = {scope: sorted(places[scope]) for scope in some}
        for row in connection.execute(_CELLS, {"keys": keys}):
            found[row.scope, row.blob] = _Cell(row.stored_bytes, int(row.users))
    return found


def _stored(
    moves: Moves,
    standing: _Standing,
    of_build: Mapping[int, Collection[int]],
    cells: Mapping[tuple[int, int], _Cell],
) -> int | None:
    """Over all scopes. None where not all that their repositories have was seen, or
    where the layers of a build or variant are not known: they may have been pruned."""
    held = {build: variant for build, variant in moves.items() if build in standing.on}
    if any(build in standing.in_part for build in held) or any(
        build not in of_build for build in (*held, *held.values())
    ):
        return None
    saved = 0
    for parts, on in _by_scope(held, standing):
        # Entries of one address may have different words on a layer.
        asked = next(part for part in parts if any(part in o for o in on.values()))
        stood_on: Counter[int] = Counter()
        for build, places in on.items():
            for blob in of_build[build]:
                stood_on[blob] += sum(places.values())
        new = {blob for build in on for blob in of_build[held[build]]}
        every = {
            blob: ScopedLayer(
                blob,
                cells[asked, blob].stored_bytes,
                sum(cells[part, blob].users for part in parts),
                stood_on[blob],
            )
            for blob in {*stood_on, *new}
        }
        saved += stored_saving(
            [every[blob] for blob in stood_on], [every[blob] for blob in new]
        )
    return max(0, saved)


def _by_scope(
    builds: Collection[int], standing: _Standing
) -> Iterator[tuple[Sequence[int], Mapping[int, Mapping[int, int]]]]:
    """The parts of each scope, with the images that each of its parts holds on each
    build."""
    found: dict[tuple[int, ...], dict[int, dict[int, int]]] = {}
    for build in builds:
        for scope, images in standing.on[build].items():
            whole = tuple(standing.parts[scope])
            found.setdefault(whole, {}).setdefault(build, {})[scope] = images
    yield from found.items()
