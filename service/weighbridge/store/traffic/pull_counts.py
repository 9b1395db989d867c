"""Keeps what registries tell of pulls: the number of each repository with what it adds
to the months, and when each tag was last pulled.

Nothing is written where nothing new is told: a number that stands still once a day, a
tag's time when it is a day later than the one that is known.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Connection, bindparam, delete, func, select

from weighbridge.domain.traffic.months import month_of
from weighbridge.domain.traffic.pulls import (
    Increase,
    KeptCount,
    PullCount,
    increases,
    moved_bytes,
)
from weighbridge.store.dialect import (
    BulkUpsert,
    Rows,
    among_ids,
    among_texts,
    listed,
)
from weighbridge.store.ledger.expressions import IS_IMAGE
from weighbridge.store.models import (
    blobs,
    images,
    pull_months,
    repositories,
    repository_manifests,
    repository_pulls,
    storage_months,
    tag_pulls,
    tags,
)
from weighbridge.store.models.types import LARGEST
from weighbridge.store.sizes.manifest_sizes import COMPRESSED_BYTES, in_scope

_STILL: Final = timedelta(days=1)
_pulls = repository_pulls.c
_month = pull_months.c
_IDS: Final = Rows(
    select(repositories.c.name, repositories.c.id).where(
        repositories.c.registry_id == bindparam("registry"),
        among_texts(repositories.c.name),
    )
)
_KEPT: Final = Rows(
    select(
        _pulls.repository_id,
        _pulls.pulls,
        _pulls.counts,
        _pulls.window_s,
        _pulls.first_seen_at,
        _pulls.seen_at,
        _pulls.counted_until,
    ).where(among_ids(_pulls.repository_id))
)
_PUT: Final = BulkUpsert(
    repository_pulls,
    key=("repository_id",),
    values=(
        *("pulls", "counts", "window_s", "first_seen_at", "seen_at", "counted_until"),
    ),
)
_MONTHS: Final = select(pull_months).where(
    among_ids(_month.month, "months"), among_ids(_month.repository_id)
)
_PUT_MONTHS: Final = BulkUpsert(
    pull_months,
    key=("month", "repository_id"),
    values=(
        *("pulls", "low_bytes", "high_bytes", "is_estimate"),
        *("counted_from", "counted_until"),
    ),
)
_SPANS: Final = Rows(
    select(
        repository_manifests.c.repository_id,
        func.min(COMPRESSED_BYTES.element).label("lightest"),
        func.max(COMPRESSED_BYTES.element).label("heaviest"),
    )
    .select_from(
        in_scope(
            repository_manifests.join(
                repositories, repositories.c.id == repository_manifests.c.repository_id
            )
            .join(images, images.c.id == repository_manifests.c.manifest_id)
            .join(blobs, blobs.c.id == images.c.id),
            repositories.c.scope_id,
        )
    )
    .where(among_ids(repository_manifests.c.repository_id), IS_IMAGE)
    .group_by(repository_manifests.c.repository_id)
)


def note_pulls(
    connection: Connection,
    registry_id: int,
    told: Mapping[str, PullCount],
    now: datetime,
) -> None:
    """Keep what a registry tells of repositories, by their names, and add what came
    since the last time to the months. Nobody else may do so for this registry.

    Bytes are those of the images that are there now: what is pulled is not told by
    image.
    """
    ids = dict(_IDS.read(connection, {"registry": registry_id, "names": listed(told)}))
    counts = {ids[name]: count for name, count in told.items() if name in ids}
    before = {
        number: (first_seen_at, KeptCount(PullCount(pulls, counts_, window), *seen))
        for number, pulls, counts_, window, first_seen_at, *seen in _KEPT.read(
            connection, {"ids": listed(counts)}
        )
    }
    rows: list[tuple[object, ...]] = []
    added: dict[int, tuple[Increase, ...]] = {}
    for number, count in sorted(counts.items()):
        first_seen_at, kept = before.get(number, (now, None))
        if kept is not None and _stands_still(kept, count, now):
            continue
        found = increases(kept, count, now)
        # No later than now: our own clock may have been ahead.
        until = now if found or kept is None else min(kept.counted_until, now)
        if count.window_s is None:
            until = now
        values = (count.number, count.counts, count.window_s)
        rows.append((number, *values, first_seen_at, now, until))
        if found:
            added[number] = found
    _add_to_months(connection, counts, added)
    _PUT.add(connection, rows)


_LAST_SEEN: Final = Rows(
    select(repositories.c.name, _pulls.seen_at)
    .outerjoin_from(
        repositories, repository_pulls, _pulls.repository_id == repositories.c.id
    )
    .where(
        repositories.c.registry_id == bindparam("registry"),
        repositories.c.deleted_at.is_(None),
        among_texts(repositories.c.name),
    )
)


def pulls_to_ask(
    connection: Connection,
    registry_id: int,
    names: Sequence[str],
    before: datetime,
    most: int,
) -> list[str]:
    """Those of the repositories of which nothing was told since then, the longest
    first."""
    parameters = {"registry": registry_id, "names": listed(names)}
    rows = _LAST_SEEN.read(connection, parameters)
    old = [
        (datetime.min.replace(tzinfo=UTC) if seen_at is None else seen_at, name)
        for name, seen_at in rows
        if seen_at is None or seen_at < before
    ]
    return [name for _, name in sorted(old)[:most]]


def _stands_still(kept: KeptCount, count: PullCount, now: datetime) -> bool:
    """Whether there is nothing new to it, and nothing to say of this month yet."""
    is_near = now - kept.seen_at < _STILL and month_of(now) == month_of(kept.seen_at)
    return kept.count == count and is_near


def _add_to_months(
    connection: Connection,
    counts: Mapping[int, PullCount],
    added: Mapping[int, tuple[Increase, ...]],
) -> None:
    if not added:
        return
    ids = listed(sorted(added))
    months = listed(sorted({each.month for found in added.values() for each in found}))
    spans = {
        number: (lightest, heaviest)
        for number, lightest, heaviest in _SPANS.read(connection, {"ids": ids})
    }
    there = {
        (row.month, row.repository_id): row
        for row in connection.execute(_MONTHS, {"ids": ids, "months": months})
    }
    rows: list[tuple[object, ...]] = []
    for number, found in added.items():
        lightest, heaviest = spans.get(number, (None, None))
        for each in found:
            low = high = None
            if each.number is not None:
                moved = moved_bytes(
                    each.number, counts[number].counts, lightest, heaviest
                )
                low, high = (None, None) if moved is None else (moved.low, moved.high)
            pulls, since, is_estimate = each.number, each.since, each.is_estimate
            row = there.get((each.month, number))
            if row is not None:
                pulls = _together(pulls, row.pulls)
                low = _together(low, row.low_bytes)
                high = _together(high, row.high_bytes)
                since = min(since, row.counted_from)
                is_estimate = is_estimate or row.is_estimate
            if high is not None and high > LARGEST:
                low = high = None
            rows.append(
                (each.month, number, pulls, low, high, is_estimate, since, each.until)
            )
    _PUT_MONTHS.add(connection, sorted(rows, key=lambda row: (row[0], row[1])))


def _together(one: int | None, other: int | None) -> int | None:
    """What is unknown in one part is unknown of the whole."""
    return None if one is None or other is None else one + other


_AT_ONCE: Final = 1_000
_TAGS: Final = Rows(
    select(tags.c.name, tags.c.id, tag_pulls.c.pulled_at)
    .outerjoin_from(tags, tag_pulls, tag_pulls.c.tag_id == tags.c.id)
    .where(tags.c.repository_id == bindparam("repository"), among_texts(tags.c.name))
)
_PUT_TAGS: Final = BulkUpsert(
    tag_pulls, key=("tag_id",), values=("pulled_at", "seen_at")
)


def find_later_pulls(
    connection: Connection,
    repository_id: int,
    told: Mapping[str, datetime],
    now: datetime,
) -> dict[int, datetime]:
    """What is new of the times that a listing tells of tags, by their ids; what it
    tells of tags that are not kept is left out, and so is a time that is more than a
    day ahead: no later one would ever follow it."""
    found: dict[int, datetime] = {}
    names = sorted(name for name, at in told.items() if at - now <= _STILL)
    for start in range(0, len(names), _AT_ONCE):
        piece = listed(names[start : start + _AT_ONCE])
        for name, number, known in _TAGS.read(
            connection, {"repository": repository_id, "names": piece}
        ):
            if known is None or told[name] - known >= _STILL:
                found[number] = told[name]
    return found


def note_tag_pulls(
    connection: Connection, pulled: Mapping[int, datetime], now: datetime
) -> None:
    """Keep when tags were last pulled, by their ids."""
    _PUT_TAGS.add(connection, [(n, pulled[n], now) for n in sorted(pulled)])


def forget_pulls(connection: Connection, repository_id: int) -> None:
    """Remove what is kept of a repository itself."""
    for table in (repository_pulls, pull_months, storage_months):
        connection.execute(delete(table).where(table.c.repository_id == repository_id))
