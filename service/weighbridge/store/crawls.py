"""Which crawl of a registry is under way, so that one that was killed goes on.

The repositories that it had been through need not be looked at again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Connection, select, update

from weighbridge.domain.report import RepositoryState
from weighbridge.store.ahead import SLACK, is_leased, is_past
from weighbridge.store.models import (
    registries,
    repositories,
    repository_summaries,
)
from weighbridge.store.process_mark import is_gone

_registry = registries.c
_SAYS_NOTHING: Final[tuple[RepositoryState, ...]] = (
    "new",
    "unreachable",
    "unauthorized",
    "error",
)
"""States in which a repository is worth another look by the same crawl."""
_SENT_AWAY: Final = ("quota_spent", "rate_limited")
"""Reasons for which a look ended early and which told when another can succeed."""


@dataclass(frozen=True, slots=True)
class CrawlRecord:
    """A crawl of a registry.

    since:       when it began, in this process or in one that was cut off
    is_resumed:  another process began it
    is_recorded: others can take it up; not so while one is under way elsewhere
    """

    since: datetime
    is_resumed: bool
    is_recorded: bool


@dataclass(frozen=True, slots=True)
class Visited:
    """A repository that this crawl has been through already."""

    repository_id: int
    repository: str
    state: RepositoryState
    tags: int


def begin_crawl(
    connection: Connection,
    registry_id: int,
    *,
    now: datetime,
    owner: str,
    lease_s: float,
    resume_s: float,
) -> CrawlRecord:
    """Begin a crawl, or take up the one that was cut off, if it began less than
    `resume_s` ago. One that another process is still busy with is left alone.

    owner: this process, as `process_mark.this_process` names it; empty, it is
        nobody's: no record is known to be its own
    """
    row = connection.execute(
        select(
            _registry.crawl_started_at, _registry.crawl_until, _registry.crawl_owner
        ).where(_registry.id == registry_id)
    ).one()
    is_ours = bool(owner) and row.crawl_owner == owner
    if row.crawl_started_at is not None:
        is_other = not is_ours and not is_gone(row.crawl_owner)
        runs_on = is_other and is_leased(row.crawl_until, now)
        if runs_on:
            return CrawlRecord(now, is_resumed=False, is_recorded=False)
    # Asked again by the same crawl, since the answer to its commit was lost.
    is_own = is_ours and row.crawl_started_at == now
    is_resumed = (
        row.crawl_started_at is not None
        and not is_own
        and is_past(row.crawl_started_at, now)
        and row.crawl_started_at > now - timedelta(seconds=resume_s)
    )
    since = row.crawl_started_at if is_resumed else now
    connection.execute(
        update(registries)
        .where(_registry.id == registry_id)
        .values(
            crawl_started_at=since,
            crawl_until=now + timedelta(seconds=lease_s),
            crawl_owner=owner,
        )
    )
    return CrawlRecord(since, is_resumed=is_resumed, is_recorded=True)


def renew_crawl(
    connection: Connection,
    registry_id: int,
    *,
    now: datetime,
    owner: str,
    lease_s: float,
) -> None:
    """Say that a crawl goes on."""
    connection.execute(
        update(registries)
        .where(_registry.id == registry_id, _registry.crawl_owner == owner)
        .values(crawl_until=now + timedelta(seconds=lease_s))
    )


def end_crawl(connection: Connection, registry_id: int, owner: str) -> None:
    """Say that a crawl has come to its end: there is nothing to be taken up."""
    connection.execute(
        update(registries)
        .where(_registry.id == registry_id, _registry.crawl_owner == owner)
        .values(crawl_started_at=None, crawl_until=None, crawl_owner=None)
    )


def visited(
    connection: Connection, registry_id: int, since: datetime, now: datetime
) -> dict[int, Visited]:
    """The repositories that were looked at since then and answered, by id."""
    return _visited(
        connection,
        registry_id,
        repositories.c.last_pass_at.between(since, now + SLACK),
        repositories.c.state.not_in(_SAYS_NOTHING),
    )


def waiting(
    connection: Connection, registry_id: int, now: datetime
) -> dict[int, Visited]:
    """The repositories that the registry has sent us away from for longer, by id."""
    return _visited(
        connection,
        registry_id,
        repositories.c.state_reason.in_(_SENT_AWAY),
        repositories.c.due_at > now,
    )


def _visited(
    connection: Connection, registry_id: int, *conditions: ColumnElement[bool]
) -> dict[int, Visited]:
    rows = connection.execute(
        select(
            repositories.c.id,
            repositories.c.name,
            repositories.c.state,
            repository_summaries.c.tag_count,
        )
        .join(
            repository_summaries,
            repository_summaries.c.repository_id == repositories.c.id,
        )
        .where(repositories.c.registry_id == registry_id, *conditions)
    )
    return {row.id: Visited(row.id, row.name, row.state, row.tag_count) for row in rows}
