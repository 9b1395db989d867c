"""What stands on each base, counted in a few statements that read each live image
twice: over all repositories, or over some alone, as if there were no others.

An image counts where its own layers or lines show its base. Whoever pushes an image
says in its annotations what he likes: that is counted apart.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence, Set
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    Row,
    and_,
    case,
    func,
    literal,
    select,
    type_coerce,
    union,
    union_all,
)

from weighbridge.domain.base.names import BaseName, choose_names, written
from weighbridge.domain.image.platform import UNKNOWN, Platform, reference_platform
from weighbridge.domain.report.base import BaseState
from weighbridge.store.dialect import among_ids, given_ids, listed
from weighbridge.store.ledger.expressions import exact_sum, sum_of
from weighbridge.store.models import (
    base_chains,
    base_names,
    base_readings,
    base_repositories,
    image_bases,
    images,
    platforms,
    registries,
    repositories,
    repository_manifests,
    repository_summaries,
    storage_scopes,
)
from weighbridge.store.models.types import Moment
from weighbridge.store.read_model.claimed_bases import claimed_bases
from weighbridge.store.sizes.manifest_sizes import COMPRESSED_BYTES, in_scope

_on = image_bases.c
_live = repository_manifests.c
_of_repository = repository_summaries.c
_name = base_names.c
_IS_KNOWN: Final[ColumnElement[bool]] = and_(
    _on.base_chain_id.is_not(None), _on.relation == "base"
)
_LIVE_IMAGES: Final = image_bases.join(
    repository_manifests, _live.manifest_id == _on.image_id
).join(repositories, repositories.c.id == _live.repository_id)
_weighs = COMPRESSED_BYTES.element
# Of an image that claims less for its base's layers than the base does: nothing.
_own = case(
    (
        _weighs > base_chains.c.compressed_bytes,
        _weighs - base_chains.c.compressed_bytes,
    ),
    else_=0,
)
# Entries of one address are parts of one scope.
_scopes = (
    select(
        storage_scopes.c.id,
        func.min(storage_scopes.c.id)
        .over(partition_by=(registries.c.address, storage_scopes.c.name))
        .label("first_id"),
    )
    .join(registries, registries.c.id == storage_scopes.c.registry_id)
    .subquery()
)
_given = given_ids("base", "chain")


class _Counting(NamedTuple):
    """Statements over all repositories, or over those that are given as `seen`."""

    images: Executable
    newest: Executable
    places: Executable


def _of(column: ColumnElement[int], some: bool) -> list[ColumnElement[bool]]:
    return [among_ids(column, "seen")] if some else []


def _counting(*, some: bool) -> _Counting:
    seen = _of(_live.repository_id, some)
    # Each image once, as it weighs in one of the scopes that hold it.
    held = (
        select(
            _on.base_chain_id,
            _on.image_id,
            func.min(repositories.c.scope_id).label("scope"),
        )
        .select_from(_LIVE_IMAGES)
        .where(_IS_KNOWN, *seen)
        .group_by(_on.base_chain_id, _on.image_id)
        .subquery()
    )
    of_images = (
        select(
            held.c.base_chain_id,
            func.count().label("images"),
            *exact_sum(_weighs, "weighed"),
            *exact_sum(_own, "own"),
        )
        .select_from(
            in_scope(
                held.join(images, images.c.id == held.c.image_id).join(
                    base_chains, base_chains.c.id == held.c.base_chain_id
                ),
                held.c.scope,
            )
        )
        .group_by(held.c.base_chain_id)
    )
    newest = (
        select(_on.base_chain_id, func.count().label("newest"))
        .join(repository_summaries, _of_repository.newest_image_id == _on.image_id)
        .where(
            _IS_KNOWN,
            _of_repository.registry_id.is_not(None),
            *_of(_of_repository.repository_id, some),
        )
        .group_by(_on.base_chain_id)
    )
    pairs = (
        select(_on.base_chain_id, _live.repository_id, repositories.c.scope_id)
        .select_from(_LIVE_IMAGES)
        .where(_IS_KNOWN, *seen)
        .distinct()
        .cte("pairs")
    )
    places = union_all(
        select(
            literal(0).label("of_base"),
            pairs.c.base_chain_id.label("key"),
            func.count(_scopes.c.first_id.distinct()).label("places"),
        )
        .join_from(pairs, _scopes, _scopes.c.id == pairs.c.scope_id)
        .group_by(pairs.c.base_chain_id),
        select(literal(1), _given.c.base, func.count(pairs.c.repository_id.distinct()))
        .join_from(_given, pairs, pairs.c.base_chain_id == _given.c.chain)
        .group_by(_given.c.base),
    )
    return _Counting(of_images, newest, places)


_OVER_ALL: Final = _counting(some=False)
_OVER_SOME: Final = _counting(some=True)
# A tag that left a manifest for another of the same layers has not left these.
_left_at = case((func.count() == func.count(_name.left_at), func.max(_name.left_at)))
_NAMES: Final = (
    select(
        *(_name.base_chain_id, _name.host, _name.repository, _name.tag),
        type_coerce(func.min(_name.first_seen_at), Moment).label("first_seen_at"),
        type_coerce(_left_at, Moment).label("left_at"),
    )
    .where(among_ids(_name.base_chain_id))
    .group_by(_name.base_chain_id, _name.host, _name.repository, _name.tag)
)
_wanted = (
    select(_name.host, _name.repository, _name.tag)
    .where(among_ids(_name.base_chain_id))
    .distinct()
    .subquery()
)
_PLATFORM: Final = (
    platforms.c.os,
    platforms.c.architecture,
    platforms.c.variant,
    platforms.c.os_version,
)
_LED_TO: Final = (
    select(
        *(_wanted.c.host, _wanted.c.repository, _wanted.c.tag),
        base_chains.c.id,
        base_chains.c.compressed_bytes,
        *_PLATFORM,
    )
    .join_from(
        _wanted,
        base_names,
        and_(
            _name.host == _wanted.c.host,
            _name.repository == _wanted.c.repository,
            _name.tag == _wanted.c.tag,
            _name.left_at.is_(None),
        ),
    )
    .join(base_chains, base_chains.c.id == _name.base_chain_id)
    .outerjoin(platforms, platforms.c.id == base_chains.c.platform_id)
)
_CHAINS: Final = (
    select(base_chains.c.id, base_chains.c.compressed_bytes, *_PLATFORM)
    .outerjoin_from(base_chains, platforms, platforms.c.id == base_chains.c.platform_id)
    .where(among_ids(base_chains.c.id))
)


_CRAWLED: Final = union(
    select(base_repositories.c.host, base_repositories.c.repository),
    select(base_readings.c.host, base_readings.c.repository),
)


class Chain(NamedTuple):
    """A build of a base. platform: `unknown/unknown` where its image says none"""

    id: int
    compressed_bytes: int
    platform: Platform

    @property
    def runs_on(self) -> tuple[str, str, str]:
        """Whatever version of Windows that is."""
        return (self.platform.os, self.platform.architecture, self.platform.variant)


class CountedBuild(NamedTuple):
    """A chain with what stands on it."""

    chain: Chain
    name: BaseName
    images: int
    weighed_bytes: int
    own_bytes: int
    newest: int
    scopes: int


class _NamesSeen(NamedTuple):
    """Where names lead.

    led_to:  by name the chains to which it leads now, one a platform, as far as that is
             known
    crawled: hosts and repositories of the bases that the configuration names now
    """

    led_to: Mapping[str, Sequence[Chain]]
    crawled: Set[tuple[str, str]]


class BaseCount(NamedTuple):
    """A base with what stands on it.

    shown:        the build of which layers and bytes are shown
    states:       of each build
    repositories: that have an image on it
    claimed:      further images, whose annotation alone names it
    """

    name: str
    builds: Sequence[CountedBuild]
    shown: Chain
    states: Sequence[BaseState]
    repositories: int
    claimed: int


class BaseCounts(NamedTuple):
    """All of them by name; and images by the base that nothing but annotations name."""

    known: Sequence[BaseCount]
    claimed: Mapping[str, int]


def count_bases(
    connection: Connection, now: datetime, seen: Collection[int] | None = None
) -> BaseCounts:
    """seen: over these repositories alone, None: over all"""
    counting = _OVER_ALL if seen is None else _OVER_SOME
    given = {} if seen is None else {"seen": listed(sorted(seen))}
    counted = {
        row.base_chain_id: row for row in connection.execute(counting.images, given)
    }
    named = names_of(connection, sorted(counted), now)
    by_name: dict[str, list[int]] = defaultdict(list)
    for chain, name_of_it in named.items():
        by_name[name_of_it.reference].append(chain)
    names = sorted(by_name)
    keys = {"keys": dict(enumerate(by_name[name] for name in names)), **given}
    scopes: dict[int, int] = {}
    holders: dict[int, int] = {}
    for of_base, key, places in connection.execute(counting.places, keys):
        (holders if of_base else scopes)[key] = places
    chains, led_to = _chains(connection, sorted(counted))
    crawled = {(row.host, row.repository) for row in connection.execute(_CRAWLED)}
    leading = _NamesSeen(led_to, crawled)
    newest = {
        row.base_chain_id: row.newest
        for row in connection.execute(counting.newest, given)
    }
    claimed = claimed_bases(connection, seen)
    known = []
    for place, name in enumerate(names):
        builds = [
            CountedBuild(
                chains[chain],
                named[chain],
                counted[chain].images,
                sum_of(counted[chain], "weighed"),
                sum_of(counted[chain], "own"),
                newest.get(chain, 0),
                scopes[chain],
            )
            for chain in sorted(by_name[name])
        ]
        known.append(
            BaseCount(
                name,
                builds,
                _shown(builds, leading),
                [_state(build, leading) for build in builds],
                holders[place],
                claimed[name],
            )
        )
    only = {name: claimed[name] for name in sorted(claimed.keys() - by_name.keys())}
    return BaseCounts(known, only)


def names_of(
    connection: Connection, chains: Sequence[int], now: datetime
) -> dict[int, BaseName]:
    """The name of each chain that has one, of several the one that people are likeliest
    to write."""
    found: dict[int, dict[str, BaseName]] = defaultdict(dict)
    for chain, *row in connection.execute(_NAMES, {"ids": listed(chains)}):
        name = BaseName(*row)
        found[chain][name.reference] = name
    return {
        chain: names[chosen[0]]
        for chain, names in found.items()
        if (chosen := choose_names(names.values(), now)) is not None
    }


def _chains(
    connection: Connection, ids: Sequence[int]
) -> tuple[Mapping[int, Chain], Mapping[str, Sequence[Chain]]]:
    """These chains, and those to which their names lead now."""
    parameters = {"ids": listed(ids)}
    found = {row.id: _chain(row) for row in connection.execute(_CHAINS, parameters)}
    led_to: dict[str, list[Chain]] = defaultdict(list)
    for row in connection.execute(_LED_TO, parameters):
        led_to[written(row.host, row.repository, row.tag)].append(_chain(row))
    return found, led_to


def _chain(row: Row[*tuple[Any, ...]]) -> Chain:
    platform = UNKNOWN
    if row.os is not None:
        platform = Platform(row.os, row.architecture, row.variant, row.os_version)
    return Chain(row.id, row.compressed_bytes, platform)


def _state(build: CountedBuild, seen: _NamesSeen) -> BaseState:
    name = build.name
    now = seen.led_to.get(name.reference, ())
    if name.left_at is not None and any(
        chain.runs_on == build.chain.runs_on for chain in now
    ):
        return "outdated"
    if (name.host, name.repository) not in seen.crawled:
        return "unknown"
    return "current" if name.left_at is None else "deleted"


def _shown(builds: Sequence[CountedBuild], seen: _NamesSeen) -> Chain:
    """The one of which layers and bytes are shown: of those that the name leads to now,
    or else of all, of the first of the usual platforms that there is, the latest."""
    now = [
        chain for build in builds for chain in seen.led_to.get(build.name.reference, ())
    ]
    chains = now or [build.chain for build in builds]
    platform = reference_platform(sorted({chain.platform for chain in chains}))
    of_it = [c for c in chains if platform is None or c.platform == platform]
    return max(of_it, key=lambda chain: chain.id)
