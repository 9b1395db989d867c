"""What stands on each base, counted over some repositories alone: for who sees no
others. What a base is (its name, its builds and their bytes, its slimmer variants) is
the same for everybody; all that is counted is as if there were no others."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeAlias

from sqlalchemy import Connection, Row, func, select

from weighbridge.domain.report.base import BaseReport
from weighbridge.store.bases.builds_on_base import BuildOnBase, CountedBase, read_builds
from weighbridge.store.bases.fleet_savings import IS_ON
from weighbridge.store.dialect import among_ids, given_ids, listed
from weighbridge.store.models import (
    base_chains,
    base_savings,
    image_bases,
    platforms,
    repository_manifests,
    repository_summaries,
)
from weighbridge.store.models.types import bounded
from weighbridge.store.read_model.base_counts import BaseCount, count_bases
from weighbridge.store.read_model.base_summaries import (
    COUNTED,
    summary_of,
    summary_of_claims,
)

SQLRow: TypeAlias = Row[*tuple[Any, ...]]
_on = image_bases.c
_live = repository_manifests.c
_newest = repository_summaries.c
_CHAINS: Final = (
    select(
        base_chains.c.id,
        base_chains.c.layer_count,
        base_chains.c.compressed_bytes,
        platforms.c.text.label("platform"),
    )
    .outerjoin_from(base_chains, platforms, platforms.c.id == base_chains.c.platform_id)
    .where(among_ids(base_chains.c.id))
)
_BEST: Final = select(base_savings).where(among_ids(base_savings.c.base_chain_id))
_NEWEST: Final = (
    select(_on.base_chain_id, func.count().label("newest"))
    .join(repository_summaries, _newest.newest_image_id == _on.image_id)
    .where(
        IS_ON,
        _newest.registry_id.is_not(None),
        among_ids(_newest.repository_id, "seen"),
        among_ids(_on.base_chain_id),
    )
    .group_by(_on.base_chain_id)
)
_fleet = given_ids("fleet", "chain")
# With DISTINCT, so that it is read once: SQLite would read it for each fleet.
_held = (
    select(_on.base_chain_id, _on.image_id, _live.repository_id)
    .join(repository_manifests, _live.manifest_id == _on.image_id)
    .where(
        IS_ON,
        among_ids(_live.repository_id, "seen"),
        among_ids(_on.base_chain_id),
    )
    .distinct()
    .subquery()
)
_COUNTS: Final = (
    select(
        _fleet.c.fleet,
        func.count(_held.c.image_id.distinct()).label("images"),
        func.count(_held.c.repository_id.distinct()).label("repositories"),
    )
    .join_from(_fleet, _held, _held.c.base_chain_id == _fleet.c.chain)
    .group_by(_fleet.c.fleet)
)


class _Savings(NamedTuple):
    """best: of each build; newest: images that are the newest on it; fleets: images and
    repositories, by the place of the base"""

    best: Mapping[int, SQLRow]
    newest: Mapping[int, int]
    fleets: Mapping[int, SQLRow]


def seen_bases(
    connection: Connection, repository_ids: Collection[int], now: datetime
) -> list[CountedBase]:
    """Those that an image of these repositories stands on, or says so, by name."""
    counts = count_bases(connection, now, repository_ids)
    shown = {"ids": listed(sorted({base.shown.id for base in counts.known}))}
    chains = {row.id: row for row in connection.execute(_CHAINS, shown)}
    savings = _savings(connection, counts.known, repository_ids)
    found = [
        _counted(
            dict(zip(COUNTED, summary_of(base)[1:], strict=True)),
            base.name,
            chains.get(base.shown.id),
            _saving(base, place, savings),
        )
        for place, base in enumerate(counts.known)
    ]
    found += [
        _counted(
            dict(zip(COUNTED, summary_of_claims(name, claimed)[1:], strict=True)),
            name,
            None,
            {},
        )
        for name, claimed in counts.claimed.items()
    ]
    return sorted(found, key=lambda base: base.report.reference)


def _counted(
    row: Mapping[str, Any],
    name: str,
    chain: SQLRow | None,
    saving: Mapping[str, int | str | None],
) -> CountedBase:
    report = BaseReport(
        reference=name,
        state=row["state"],
        outdated_since=row["outdated_since"],
        platform=None if chain is None else chain.platform,
        layers=None if chain is None else chain.layer_count,
        compressed_bytes=None if chain is None else chain.compressed_bytes,
        images=row["image_count"],
        outdated_images=row["outdated_image_count"],
        claimed_images=row["claimed_count"],
        repositories=row["repository_count"],
        newest_repositories=row["newest_count"],
        outdated_repositories=row["outdated_newest_count"],
        builds=row["build_count"],
        weighed_bytes=row["weighed_bytes"],
        base_bytes=row["base_bytes"],
        own_bytes=row["own_bytes"],
        stored_bytes=row["stored_bytes"],
        **{**_NO_SAVING, **saving},
    )
    builds: Sequence[BuildOnBase] = read_builds(row["builds"])
    return CountedBase(report, builds, row["base_chain_id"])


# What storage would hold less depends on who else has the layers: it is not told.
_NO_SAVING: Final[Mapping[str, Any]] = dict.fromkeys(
    (
        "saved_bytes",
        "variant",
        "variant_compressed_bytes",
        "saved_per_image_bytes",
        "saving_images",
        "saving_repositories",
        "saved_stored_bytes",
    )
)


def _savings(
    connection: Connection, bases: Sequence[BaseCount], seen: Collection[int]
) -> _Savings:
    chains = {build.chain.id for base in bases for build in base.builds}
    every = {"ids": listed(sorted(chains | {base.shown.id for base in bases}))}
    best = {row.base_chain_id: row for row in connection.execute(_BEST, every)}
    given = {"ids": listed(sorted(best)), "seen": listed(sorted(seen))}
    newest = {
        row.base_chain_id: row.newest for row in connection.execute(_NEWEST, given)
    }
    keys = {
        place: [build.chain.id for build in base.builds if build.chain.id in best]
        for place, base in enumerate(bases)
    }
    fleets = {
        row.fleet: row for row in connection.execute(_COUNTS, {**given, "keys": keys})
    }
    return _Savings(best, newest, fleets)


def _saving(
    base: BaseCount, place: int, savings: _Savings
) -> dict[str, int | str | None]:
    """See `base_savings.count_savings`: of the build that is shown, else of the one of
    which most is saved."""
    best = savings.best
    builds = [build.chain.id for build in base.builds if build.chain.id in best]
    shown = base.shown.id
    if shown not in best:
        if not builds:
            return {}
        shown = min(builds, key=lambda b: ((-best[b].saved_bytes, best[b].variant), b))
    newest = Counter({b: savings.newest[b] for b in builds if b in savings.newest})
    fleet = savings.fleets.get(place)
    return {
        "variant": best[shown].variant,
        "variant_compressed_bytes": best[shown].variant_bytes,
        "saved_per_image_bytes": best[shown].saved_bytes,
        "saving_images": fleet.images if fleet else 0,
        "saving_repositories": fleet.repositories if fleet else 0,
        "saved_bytes": bounded(sum(n * best[b].saved_bytes for b, n in newest.items()))
        if newest
        else None,
    }
