"""Rows of `jobs`: work that several processes share, when it is due and whose it is.

A message says that there may be work; a row here says that there is. So a message
that is lost is sent again, and one that comes twice finds nothing to do.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Row, case, literal, select, update

from weighbridge.store.dialect import BulkInsert
from weighbridge.store.leases.claiming import STARTS, pause_after
from weighbridge.store.leases.validity import is_leased
from weighbridge.store.models import jobs
from weighbridge.store.models.types import Moment

_table = jobs.c
_NOBODY: Final[Mapping[str, None]] = {"lease_until": None, "lease_owner": None}
_NEW: Final = BulkInsert(jobs, "job", "argument", "due_at", "attempts")


class Job(NamedTuple):
    """Work by its name and argument, as it is handed over."""

    job: str
    argument: str = ""


class JobClaim(Struct, frozen=True):
    """The right to do a job, until its lease ends.

    owner:   this very claim, see `validity.one_claim`
    next_at: when it is due again
    due_at:  the same, or later in case that it ends us
    starts:  so often it was begun, with this time, since it last stored something
    """

    job: Job
    owner: str
    lease_s: float
    next_at: datetime
    due_at: datetime
    starts: int


def due_jobs(
    connection: Connection, wanted: Collection[Job], now: datetime
) -> list[Job]:
    """Those of the jobs that are due and that nobody does now, in their order. One
    that has no row yet is due, and so is one whose process was killed."""
    rows = connection.execute(select(jobs)).all()
    not_due = {Job(row.job, row.argument) for row in rows if not _is_due(row, now)}
    return [job for job in wanted if job not in not_due]


def _is_due(row: Row[*tuple[Any, ...]], now: datetime) -> bool:
    if is_leased(row.lease_until, row.lease_owner, now):
        return False
    is_cut_off = row.lease_until is not None and row.attempts < STARTS
    return bool(row.due_at <= now or is_cut_off)


def claim_job(
    connection: Connection,
    job: Job,
    *,
    now: datetime,
    next_at: datetime,
    lease_s: float,
    owner: str,
) -> JobClaim | None:
    """Begin a job, or None where it is not due or somebody does it.

    next_at: when it is due again, unless that is changed meanwhile: what comes in
             while it is done is for the next time
    owner:   as `validity.one_claim` makes it; asked again, it is granted again
    """
    _NEW.add(connection, [(job.job, job.argument, now, 0)])
    row = connection.execute(select(jobs).where(*_is(job))).one()
    is_own = row.lease_owner == owner
    if not is_own and not _is_due(row, now):
        return None
    starts = row.attempts + (0 if is_own else 1)
    due_at = max(next_at, now + pause_after(starts))
    taken = connection.execute(
        update(jobs)
        .where(*_is(job), _table.lease_owner.is_not_distinct_from(row.lease_owner))
        .values(
            due_at=due_at,
            lease_until=now + timedelta(seconds=lease_s),
            lease_owner=owner,
            attempts=starts,
        )
    )
    claimed = JobClaim(job, owner, lease_s, next_at, due_at, starts)
    return claimed if taken.rowcount == 1 else None


def renew_job(connection: Connection, held: JobClaim, now: datetime) -> None:
    """Say that a job goes on; nothing happens if it is not ours any more."""
    _change(connection, held, lease_until=now + timedelta(seconds=held.lease_s))


def count_job_anew(connection: Connection, held: JobClaim) -> None:
    """Count the starts of a job from this one on: it has stored something, so that
    whoever begins it again gets further."""
    _change(connection, held, attempts=1, due_at=_as_before(held))


def end_job(
    connection: Connection,
    held: JobClaim,
    now: datetime,
    *,
    retry_at: datetime | None = None,
) -> None:
    """Say that a job has come to its end; it is then due when that was said last.

    retry_at: sooner or later than that, since it has failed
    """
    due_at = _as_before(held) if retry_at is None else retry_at
    _change(connection, held, **_NOBODY, attempts=0, done_at=now, due_at=due_at)


def give_back_job(connection: Connection, held: JobClaim, now: datetime) -> None:
    """Let somebody else do it at once: it was not done, and nothing was wrong."""
    attempts = _table.attempts - 1
    _change(connection, held, **_NOBODY, attempts=attempts, due_at=now)


def _change(connection: Connection, held: JobClaim, **values: object) -> None:
    connection.execute(
        update(jobs)
        .where(*_is(held.job), _table.lease_owner == held.owner)
        .values(**values)
    )


def make_due(connection: Connection, job: Job, now: datetime) -> None:
    """Have a job done soon, also where it is done now. Nothing is written where it
    is due already: a hundred workers say so of one registry."""
    row = connection.execute(select(_table.due_at).where(*_is(job))).one_or_none()
    if row is None:
        _NEW.add(connection, [(job.job, job.argument, now, 0)])
    elif row.due_at > now:
        connection.execute(
            update(jobs).where(*_is(job), _table.due_at > now).values(due_at=now)
        )


def note_done(connection: Connection, job: Job, now: datetime) -> None:
    """Keep when something was done that everybody may do at any time."""
    _NEW.add(connection, [(job.job, job.argument, now, 0)])
    connection.execute(update(jobs).where(*_is(job)).values(done_at=now))


def is_done_since(
    connection: Connection, job: Job, since: datetime, now: datetime
) -> bool:
    """Whether a job came to its end after that, and neither is due nor being done: what
    it was asked for since is done too."""
    row = connection.execute(select(jobs).where(*_is(job))).one_or_none()
    if row is None or row.done_at is None or row.done_at < since:
        return False
    return row.lease_owner is None and row.due_at > now


def done_at(connection: Connection, job: Job) -> datetime | None:
    """When a job last came to its end; None where it never did."""
    found: datetime | None = connection.execute(
        select(_table.done_at).where(*_is(job))
    ).scalar()
    return found


def _as_before(held: JobClaim) -> ColumnElement[datetime]:
    """It was put off in case that it ends us, and it has not; or somebody has said
    another time meanwhile."""
    is_ours = _table.due_at == literal(held.due_at, Moment())
    return case((is_ours, literal(held.next_at, Moment())), else_=_table.due_at)


def _is(job: Job) -> tuple[ColumnElement[bool], ...]:
    return (_table.job == job.job, _table.argument == job.argument)
