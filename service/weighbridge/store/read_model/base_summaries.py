"""What stands on each base and what slimmer ones would save, counted anew, as rows.

Two images of five may stand on one base, so no push keeps these numbers: a job counts
all of them every few minutes, in a few statements that read each live image twice, and
writes what has changed, at once. Whoever is killed before that has changed nothing, and
of two who count at the same time either is right.

An image counts where its own layers or lines show its base. Whoever pushes an image
says in its annotations what he likes: that is counted apart.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence, Set
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeAlias

from sqlalchemy import (
    ColumnElement,
    Connection,
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
from weighbridge.store.bases.builds_on_base import BuildOnBase, written_builds
from weighbridge.store.connection.deadlines import unhurried
from weighbridge.store.dialect import (
    BulkDelete,
    BulkUpsert,
    among_ids,
    given_ids,
    listed,
)
from weighbridge.store.ledger.expressions import exact_sum, sum_of
from weighbridge.store.models import (
    base_chains,
    base_names,
    base_readings,
    base_repositories,
    base_summaries,
    image_bases,
    images,
    platforms,
    registries,
    repositories,
    repository_manifests,
    repository_summaries,
    storage_scopes,
)
from weighbridge.store.models.types import Moment, bounded
from weighbridge.store.read_model.base_savings import (
    SAVING_COLUMNS,
    BuildsOfBase,
    CountedSavings,
    count_savings,
)
from weighbridge.store.read_model.claimed_bases import claimed_bases
from weighbridge.store.session import Database
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
# Each image once, as it weighs in one of the scopes that hold it.
_held = (
    select(
        _on.base_chain_id,
        _on.image_id,
        func.min(repositories.c.scope_id).label("scope"),
    )
    .select_from(_LIVE_IMAGES)
    .where(_IS_KNOWN)
    .group_by(_on.base_chain_id, _on.image_id)
    .subquery()
)
_weighs = COMPRESSED_BYTES.element
# Of an image that claims less for its base's layers than the base does: nothing.
_own = case(
    (
        _weighs > base_chains.c.compressed_bytes,
        _weighs - base_chains.c.compressed_bytes,
    ),
    else_=0,
)
_IMAGES: Final = (
    select(
        _held.c.base_chain_id,
        func.count().label("images"),
        *exact_sum(_weighs, "weighed"),
        *exact_sum(_own, "own"),
    )
    .select_from(
        in_scope(
            _held.join(images, images.c.id == _held.c.image_id).join(
                base_chains, base_chains.c.id == _held.c.base_chain_id
            ),
            _held.c.scope,
        )
    )
    .group_by(_held.c.base_chain_id)
)
_NEWEST: Final = (
    select(_on.base_chain_id, func.count().label("newest"))
    .join(repository_summaries, _of_repository.newest_image_id == _on.image_id)
    .where(_IS_KNOWN, _of_repository.registry_id.is_not(None))
    .group_by(_on.base_chain_id)
)
_pairs = (
    select(_on.base_chain_id, _live.repository_id, repositories.c.scope_id)
    .select_from(_LIVE_IMAGES)
    .where(_IS_KNOWN)
    .distinct()
    .cte("pairs")
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
_PLACES: Final = union_all(
    select(
        literal(0).label("of_base"),
        _pairs.c.base_chain_id.label("key"),
        func.count(_scopes.c.first_id.distinct()).label("places"),
    )
    .join_from(_pairs, _scopes, _scopes.c.id == _pairs.c.scope_id)
    .group_by(_pairs.c.base_chain_id),
    select(literal(1), _given.c.base, func.count(_pairs.c.repository_id.distinct()))
    .join_from(_given, _pairs, _pairs.c.base_chain_id == _given.c.chain)
    .group_by(_given.c.base),
)
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


class _Chain(NamedTuple):
    """A build of a base. platform: `unknown/unknown` where its image says none"""

    id: int
    compressed_bytes: int
    platform: Platform

    @property
    def runs_on(self) -> tuple[str, str, str]:
        """Whatever version of Windows that is."""
        return (self.platform.os, self.platform.architecture, self.platform.variant)


class _Build(NamedTuple):
    """A chain with what stands on it."""

    chain: _Chain
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

    led_to: Mapping[str, Sequence[_Chain]]
    crawled: Set[tuple[str, str]]


_Summary: TypeAlias = tuple[object, ...]
_KEY: Final = "reference"
_VALUES: Final = (
    "state",
    "outdated_since",
    "base_chain_id",
    "image_count",
    "outdated_image_count",
    "claimed_count",
    "repository_count",
    "newest_count",
    "outdated_newest_count",
    "build_count",
    "weighed_bytes",
    "base_bytes",
    "own_bytes",
    "stored_bytes",
    "builds",
    *SAVING_COLUMNS,
)
_PUT: Final = BulkUpsert(base_summaries, key=[_KEY], values=[*_VALUES, "changed_at"])
_DROP: Final = BulkDelete(base_summaries, key=[_KEY])
_STORED: Final = select(*(base_summaries.c[name] for name in (_KEY, *_VALUES)))


def refresh_base_summaries(
    database: Database, now: datetime, in_part: Collection[str] = ()
) -> int:
    """Count what stands on each base; returns how many rows that has changed.

    in_part: the registries of which tags are left out: what storage would save there is
             not known

    To read it all may take some seconds, in which nobody has to wait. Raises
    StoreError.
    """
    with unhurried(), database.read() as connection:
        rows, savings = _counted(connection, now, in_part)
        wanted = {str(row[0]): row for row in rows}
        stored = {str(row[0]): tuple(row) for row in connection.execute(_STORED)}
    changed = [
        (*row, now) for key, row in sorted(wanted.items()) if row != stored.get(key)
    ]
    gone = [(key,) for key in sorted(stored.keys() - wanted.keys())]
    if savings.changes and rows and not changed:
        # Whoever keeps what is shown looks at `changed_at` of these rows.
        changed = [(*rows[0], now)]
    if changed or gone or savings.changes:
        with database.write() as connection:
            _PUT.add(connection, changed)
            _DROP.remove(connection, gone)
            savings.write(connection)
    return len(changed) + len(gone) + savings.changes


def _counted(
    connection: Connection, now: datetime, in_part: Collection[str]
) -> tuple[list[_Summary], CountedSavings]:
    """What the rows are to be, the key and `_VALUES` of each; and those of savings."""
    counted = {row.base_chain_id: row for row in connection.execute(_IMAGES)}
    named = names_of(connection, sorted(counted), now)
    by_name: dict[str, list[int]] = defaultdict(list)
    for chain, name_of_it in named.items():
        by_name[name_of_it.reference].append(chain)
    names = sorted(by_name)
    scopes, holders = _places(connection, [by_name[name] for name in names])
    chains, led_to = _chains(connection, sorted(counted))
    crawled = {(row.host, row.repository) for row in connection.execute(_CRAWLED)}
    seen = _NamesSeen(led_to, crawled)
    newest = {row.base_chain_id: row.newest for row in connection.execute(_NEWEST)}
    claimed = claimed_bases(connection)
    builds = {
        name: [
            _Build(
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
        for name in names
    }
    shown = {name: _shown(some, seen) for name, some in builds.items()}
    savings = count_savings(
        connection,
        {
            name: BuildsOfBase(
                (shown[name].id, shown[name].compressed_bytes),
                {build.chain.id: build.chain.compressed_bytes for build in some},
            )
            for name, some in builds.items()
        },
        in_part,
    )
    rows = []
    for place, name in enumerate(names):
        row = _summary(
            name, builds[name], shown[name], seen, holders[place], claimed[name]
        )
        rows.append((*row, *savings.of_base(name)))
    only_claimed = sorted(claimed.keys() - by_name.keys())
    rows += [_of_claims(name, claimed[name]) for name in only_claimed]
    return rows, savings


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


def _places(
    connection: Connection, bases: Sequence[Sequence[int]]
) -> tuple[Mapping[int, int], Mapping[int, int]]:
    """In how many storage scopes images on each chain are held, and by how many
    repositories images on each base, which are told by their place."""
    scopes: dict[int, int] = {}
    holders: dict[int, int] = {}
    given = dict(enumerate(bases))
    for of_base, key, places in connection.execute(_PLACES, {"keys": given}):
        (holders if of_base else scopes)[key] = places
    return scopes, holders


def _chains(
    connection: Connection, ids: Sequence[int]
) -> tuple[Mapping[int, _Chain], Mapping[str, Sequence[_Chain]]]:
    """These chains, and those to which their names lead now."""
    parameters = {"ids": listed(ids)}
    found = {row.id: _chain(row) for row in connection.execute(_CHAINS, parameters)}
    led_to: dict[str, list[_Chain]] = defaultdict(list)
    for row in connection.execute(_LED_TO, parameters):
        led_to[written(row.host, row.repository, row.tag)].append(_chain(row))
    return found, led_to


def _chain(row: Row[*tuple[Any, ...]]) -> _Chain:
    platform = UNKNOWN
    if row.os is not None:
        platform = Platform(row.os, row.architecture, row.variant, row.os_version)
    return _Chain(row.id, row.compressed_bytes, platform)


def _summary(
    name: str,
    builds: Sequence[_Build],
    shown: _Chain,
    seen: _NamesSeen,
    repositories_on_it: int,
    claimed: int,
) -> _Summary:
    states = [_state(build, seen) for build in builds]
    outdated = [
        b for b, state in zip(builds, states, strict=True) if state == "outdated"
    ]
    weighed = sum(build.weighed_bytes for build in builds)
    own = sum(build.own_bytes for build in builds)
    left = [build.name.left_at for build in outdated if build.name.left_at]
    return (
        name,
        _worst(states),
        min(left, default=None),
        shown.id,
        sum(build.images for build in builds),
        sum(build.images for build in outdated),
        claimed,
        repositories_on_it,
        sum(build.newest for build in builds),
        sum(build.newest for build in outdated),
        len(builds),
        bounded(weighed),
        bounded(weighed - own),
        bounded(own),
        bounded(sum(b.chain.compressed_bytes * b.scopes for b in builds)),
        _listed(builds, states),
    )


def _of_claims(name: str, claimed: int) -> _Summary:
    """Of a base that nobody crawls: nothing is known of it."""
    return (
        *(name, "unknown", None, None, 0, None, claimed, 0, 0),
        *(None, None, 0, None, None, None, written_builds([])),
        *(None for _ in SAVING_COLUMNS),
    )


def _state(build: _Build, seen: _NamesSeen) -> BaseState:
    name = build.name
    now = seen.led_to.get(name.reference, ())
    if name.left_at is not None and any(
        chain.runs_on == build.chain.runs_on for chain in now
    ):
        return "outdated"
    if (name.host, name.repository) not in seen.crawled:
        return "unknown"
    return "current" if name.left_at is None else "deleted"


def _worst(states: Collection[BaseState]) -> BaseState:
    """Of a base whose builds are these."""
    return next(s for s in ("outdated", "current", "deleted", "unknown") if s in states)


def _shown(builds: Sequence[_Build], seen: _NamesSeen) -> _Chain:
    """The one of which layers and bytes are shown: of those that the name leads to now,
    or else of all, of the first of the usual platforms that there is, the latest."""
    now = [
        chain for build in builds for chain in seen.led_to.get(build.name.reference, ())
    ]
    chains = now or [build.chain for build in builds]
    platform = reference_platform(sorted({chain.platform for chain in chains}))
    of_it = [c for c in chains if platform is None or c.platform == platform]
    return max(of_it, key=lambda chain: chain.id)


def _listed(builds: Sequence[_Build], states: Sequence[BaseState]) -> str:
    """As a row keeps them: what is to be rebuilt comes first, then the latest."""
    every = [
        BuildOnBase(build.chain.id, state, build.name.left_at)
        for build, state in zip(builds, states, strict=True)
    ]
    every.sort(key=lambda build: (build.rank, -build.chain))
    return written_builds(every)
