"""What stands on each base and what slimmer ones would save, counted anew, as rows.

Two images of five may stand on one base, so no push keeps these numbers: a job counts
all of them every few minutes, in a few statements that read each live image twice, and
writes what has changed, at once. Whoever is killed before that has changed nothing, and
of two who count at the same time either is right.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final, TypeAlias

from sqlalchemy import Connection, select

from weighbridge.domain.report.base import BaseState
from weighbridge.store.bases.builds_on_base import BuildOnBase, written_builds
from weighbridge.store.connection.deadlines import unhurried
from weighbridge.store.dialect import BulkDelete, BulkUpsert
from weighbridge.store.models import base_summaries
from weighbridge.store.models.types import bounded
from weighbridge.store.read_model.base_counts import (
    BaseCount,
    CountedBuild,
    count_bases,
)
from weighbridge.store.read_model.base_savings import (
    SAVING_COLUMNS,
    BuildsOfBase,
    CountedSavings,
    count_savings,
)
from weighbridge.store.session import Database

_Summary: TypeAlias = tuple[object, ...]
_KEY: Final = "reference"
COUNTED: Final = (
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
)
"""Of a row of `base_summaries`."""
_VALUES: Final = (*COUNTED, *SAVING_COLUMNS)
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
    counts = count_bases(connection, now)
    savings = count_savings(
        connection,
        {
            base.name: BuildsOfBase(
                (base.shown.id, base.shown.compressed_bytes),
                {b.chain.id: b.chain.compressed_bytes for b in base.builds},
            )
            for base in counts.known
        },
        in_part,
    )
    rows: list[_Summary] = [
        (*summary_of(base), *savings.of_base(base.name)) for base in counts.known
    ]
    rows += [
        (*summary_of_claims(*each), *(None for _ in SAVING_COLUMNS))
        for each in counts.claimed.items()
    ]
    return rows, savings


def summary_of(base: BaseCount) -> _Summary:
    """The key of a base's row, and `COUNTED`."""
    outdated = [
        build
        for build, state in zip(base.builds, base.states, strict=True)
        if state == "outdated"
    ]
    weighed = sum(build.weighed_bytes for build in base.builds)
    own = sum(build.own_bytes for build in base.builds)
    left = [build.name.left_at for build in outdated if build.name.left_at]
    return (
        base.name,
        _worst(base.states),
        min(left, default=None),
        base.shown.id,
        sum(build.images for build in base.builds),
        sum(build.images for build in outdated),
        base.claimed,
        base.repositories,
        sum(build.newest for build in base.builds),
        sum(build.newest for build in outdated),
        len(base.builds),
        bounded(weighed),
        bounded(weighed - own),
        bounded(own),
        bounded(sum(b.chain.compressed_bytes * b.scopes for b in base.builds)),
        _listed(base.builds, base.states),
    )


def summary_of_claims(name: str, claimed: int) -> _Summary:
    """The same of a base that nobody crawls: nothing is known of it."""
    return (
        *(name, "unknown", None, None, 0, None, claimed, 0, 0),
        *(None, None, 0, None, None, None, written_builds([])),
    )


def _worst(states: Collection[BaseState]) -> BaseState:
    """Of a base whose builds are these."""
    return next(s for s in ("outdated", "current", "deleted", "unknown") if s in states)


def _listed(builds: Sequence[CountedBuild], states: Sequence[BaseState]) -> str:
    """As a row keeps them: what is to be rebuilt comes first, then the latest."""
    every = [
        BuildOnBase(build.chain.id, state, build.name.left_at)
        for build, state in zip(builds, states, strict=True)
    ]
    every.sort(key=lambda build: (build.rank, -build.chain))
    return written_builds(every)
