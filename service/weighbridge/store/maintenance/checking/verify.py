"""`db verify`: everything that is kept, counted anew and compared. Reads only."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, TypeAlias

from sqlalchemy import Connection, Row, bindparam, func, select

from weighbridge.domain.image.platform import DEFAULT, Platform
from weighbridge.store.ledger.settler import settle_all
from weighbridge.store.maintenance.checking.differences import (
    Difference,
    NamesOfIds,
    differences,
)
from weighbridge.store.maintenance.checking.integrity import CHECKS, broken
from weighbridge.store.maintenance.checking.recounted_registries import compare_sums
from weighbridge.store.maintenance.checking.recounted_weights import (
    recount_claims,
    recount_weights,
)
from weighbridge.store.maintenance.checking.recounting import (
    count_held_rows,
    places_of,
    recount_repository,
    recount_scope,
    scopes_of,
    unaccounted_rows,
)
from weighbridge.store.maintenance.checking.wrongs import SUMMARIES, Wrong
from weighbridge.store.models import (
    blob_changes,
    registries,
    repositories,
    repository_summaries,
)
from weighbridge.store.read_model.summaries import is_by_platform, summarize
from weighbridge.store.session import Database

Platforms: TypeAlias = Mapping[str, Sequence[Platform]]
"""In which order platforms speak for an index, by the registry's name."""
Watch: TypeAlias = Callable[[str, int, int], None]
"""Told what is checked, how much of it is done, and how much there is."""

_ATTEMPTS: Final = 5
_summary = repository_summaries.c
_WAITING: Final = select(func.count()).select_from(blob_changes)
_SUMMARY: Final = (
    select(
        repository_summaries, registries.c.name.label("registry"), registries.c.state
    )
    .join(repositories, repositories.c.id == _summary.repository_id)
    .join(registries, registries.c.id == repositories.c.registry_id)
    .where(_summary.repository_id == bindparam("repository"))
)


def verify(
    database: Database, platforms: Platforms, now: datetime, watch: Watch
) -> Iterator[Difference]:
    """Every difference between what is kept and what the tags and facts say.

    What waits for the settler is settled first; that apart nothing is written. All
    is of one moment, so that it may run beside a service. Rows of the read model
    that wait to be made anew are compared in what is always exact only, and none
    where facts are lost that they are made from. Raises StoreError.
    """
    for attempt in range(_ATTEMPTS):
        settle_all(database)
        with database.read() as connection:
            waiting = connection.execute(_WAITING).scalar_one()
            if waiting and attempt < _ATTEMPTS - 1:
                continue  # somebody wrote in between
            yield from _verify(connection, platforms, now, watch)
            return


def _verify(
    connection: Connection, platforms: Platforms, now: datetime, watch: Watch
) -> Iterator[Difference]:
    names = NamesOfIds()
    for wrong in recount_claims(connection):
        yield from differences(connection, wrong, names)
    for wrong in _repositories(connection, watch):
        yield from differences(connection, wrong, names)
    scopes = scopes_of(connection)
    for done, scope in enumerate(scopes):
        watch("storage scopes", done, len(scopes))
        for part in (recount_weights, recount_scope):
            for wrong in part(connection, scope):
                yield from differences(connection, wrong, names)
    is_lost = False
    for done, check in enumerate(CHECKS):
        watch("tables", done, len(CHECKS))
        for difference in broken(connection, check, names):
            is_lost = is_lost or check.is_fact
            yield difference
    yield from compare_sums(connection)
    if not is_lost:
        yield from _summaries(connection, platforms, now, names, watch)


def _summaries(
    connection: Connection,
    platforms: Platforms,
    now: datetime,
    names: NamesOfIds,
    watch: Watch,
) -> Iterator[Difference]:
    places = places_of(connection)
    for done, place in enumerate(places):
        watch("summaries", done, len(places))
        repository = place.repository_id
        yield from _summary_differences(connection, repository, platforms, now, names)


def _repositories(connection: Connection, watch: Watch) -> Iterator[Wrong]:
    places = places_of(connection)
    held_rows = count_held_rows(connection)
    for done, place in enumerate(places):
        watch("repositories", done, len(places))
        yield from recount_repository(connection, place, held_rows)
    for place in sorted(held_rows.keys() - set(places)):
        yield from unaccounted_rows(connection, place)


def _summary_differences(
    connection: Connection,
    repository_id: int,
    platforms: Platforms,
    now: datetime,
    names: NamesOfIds,
) -> Iterator[Difference]:
    """The columns of the read model that are made anew and not counted.

    Which platforms a registry that is no longer configured was read for, nobody
    knows, so its newest images are not compared.
    """
    row = connection.execute(_SUMMARY, {"repository": repository_id}).one_or_none()
    if row is None or row.is_stale or _was_never_made(row):
        return
    preferred = platforms.get(row.registry, (DEFAULT,))
    summary = summarize(connection, repository_id, now, preferred)
    if summary.pop("is_stale"):
        return
    is_unknown = row.state == "unconfigured" and row.registry not in platforms
    for column, counted in summary.items():
        stored = row._mapping[column]
        if stored == counted or (is_unknown and is_by_platform(column)):
            continue
        if column not in SUMMARIES.values:
            where = names.of(connection, "repository", repository_id)
            yield Difference(
                "repository_summaries", where, column, _shown(stored), _shown(counted)
            )


def _was_never_made(row: Row[*tuple[object, ...]]) -> bool:
    """Of a repository that was found and not crawled yet: it says nothing."""
    return row.referenced_bytes is None and row.tag_count == 0


def _shown(value: object) -> int | str | None:
    return value if value is None or isinstance(value, int | str) else str(value)
