"""How long a lease holds: by the clock that machines which share a database have in
common, and by whether the process that has it still runs.

A worker whose own clock is two days ahead would take everything for due, and keep it
for two days. So what counts is the database's clock.

Moments that lie further in the future than anything is ever put were written while a
clock was ahead, or the clock has been put back since. They count as now: what is due
then is due now, and a lease that ends then holds nobody up.

A process names itself so that another one can tell whether it still runs. A lease
protects against a process that is thought dead and is not. Where both are on one
machine nobody has to guess: a crawl that was killed is taken up again at once, and not
after its lease has run out.
"""

import os
import secrets
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Table, case, literal, or_, select
from sqlalchemy import update as update_rows

from weighbridge.store.dialect.server import time_of_server
from weighbridge.store.models import jobs, pushes, registries, repositories
from weighbridge.store.models.types import Moment
from weighbridge.store.session import Database

SLACK: Final = timedelta(minutes=1)
"""The clocks of two processes may be apart, though never as far as that."""
LONGEST_LEASE: Final = timedelta(minutes=5)
"""Of any process on anything."""
LONGEST_PAUSE: Final = timedelta(hours=24)
"""For so long work is put off at most, unless its interval is longer."""

_repository = repositories.c
_job = jobs.c
_push = pushes.c


def is_leased(until: datetime | None, owner: str | None, now: datetime) -> bool:
    """Whether a lease that ends then holds others up: not where the process that has
    it is known to have ended."""
    lasts = until is not None and now < until <= now + LONGEST_LEASE + SLACK
    return lasts and not has_ended(owner)


def is_unleased(
    until: ColumnElement[datetime | None], now: datetime
) -> ColumnElement[bool]:
    """That a lease which ends then does not last, as a condition on a column."""
    latest = now + LONGEST_LEASE + SLACK
    return or_(until.is_(None), until <= now, until > latest)


def is_past(moment: datetime, now: datetime) -> bool:
    """Whether something can have happened then."""
    return moment <= now + SLACK


class Ahead(Struct, frozen=True):
    """Rows of a table that are due too late.

    happened: the column of what was done last, which cannot be to come
    """

    table: Table
    where: tuple[ColumnElement[bool], ...]
    happened: str | None = None

    def is_any(self, connection: Connection) -> bool:
        wanted = select(literal(1)).select_from(self.table).where(*self.where).limit(1)
        return connection.execute(wanted).first() is not None

    def have_due(self, connection: Connection, now: datetime) -> None:
        values: dict[str, object] = {"due_at": now}
        if self.happened is not None:
            column, moment = self.table.c[self.happened], literal(now, Moment())
            values[self.happened] = case((column > now, moment), else_=column)
        connection.execute(update_rows(self.table).where(*self.where).values(values))


def have_due_what_is_ahead(database: Database, now: datetime) -> None:
    """Make due now what a clock that was ahead has put off: repositories, shared jobs
    and pushes. Nothing is written where there is nothing. Raises StoreError."""
    with database.read() as connection:
        found = find_ahead(connection, now)
    if found:
        with database.write() as connection:
            for rows in found:
                rows.have_due(connection, now)


def find_ahead(connection: Connection, now: datetime) -> list[Ahead]:
    """What there is of that."""
    return [rows for rows in _put_off(connection, now) if rows.is_any(connection)]


def _put_off(connection: Connection, now: datetime) -> Iterator[Ahead]:
    soon = now + SLACK
    longest = LONGEST_PAUSE
    for row in connection.execute(select(registries.c.id, registries.c.interval_s)):
        interval = timedelta(seconds=row.interval_s)
        longest = max(longest, interval)
        yield Ahead(
            repositories,
            (
                # By the index of what is due late, where hardly anything is.
                _repository.registry_id == row.id,
                _repository.deleted_at.is_(None),
                _repository.due_at > soon + interval,
                or_(
                    _repository.last_crawl_at > soon,
                    _repository.due_at > soon + max(interval, LONGEST_PAUSE),
                ),
            ),
        )
    yield Ahead(
        jobs,
        (_job.due_at > soon, or_(_job.done_at > soon, _job.due_at > soon + longest)),
        happened="done_at",
    )
    yield Ahead(
        pushes,
        (
            _push.done_at.is_(None),
            # One that nobody has crawled yet is held back for seconds.
            or_(
                (_push.attempts == 0) & (_push.due_at > soon),
                _push.due_at > soon + LONGEST_PAUSE,
            ),
        ),
    )


_TRIPS: Final = 3
_HOLDS_FOR_S: Final = 60.0


def _our_time() -> datetime:
    return datetime.now(UTC)


class DatabaseClock:
    """Called, it tells the time of the database, as far as that was measured last.

    ours:      this machine's time, where the database has no clock of its own
    monotonic: seconds that a clock which is put right does not change
    """

    def __init__(
        self,
        database: Database,
        *,
        ours: Callable[[], datetime] = _our_time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._ours = ours
        self._monotonic = monotonic
        self._measured: tuple[datetime, float] | None = None

    def __call__(self) -> datetime:
        if self._measured is None:
            return self._ours()
        then, at = self._measured
        return then + timedelta(seconds=self._monotonic() - at)

    def measure(self) -> None:
        """Ask the database what time it is. Raises StoreError.

        The shortest of a few trips counts: half of it is the most by which the answer
        can be wrong (Cristian, Probabilistic clock synchronization, 1989).
        """
        with self._database.read() as connection:
            trips = [self._trip(connection) for _ in range(_TRIPS)]
        shortest = min(trips, key=lambda trip: trip.took_s)
        if shortest.stated is not None:
            self._measured = (shortest.stated.astimezone(UTC), shortest.middle)

    def refresh(self) -> None:
        """`measure`, unless that was within the last minute: the server's clock may be
        put right meanwhile. Raises StoreError."""
        if (
            self._measured is None
            or self._monotonic() - self._measured[1] >= _HOLDS_FOR_S
        ):
            self.measure()

    def now(self) -> datetime:
        """The time, measured again where that was long ago. Raises StoreError."""
        self.refresh()
        return self()

    def _trip(self, connection: Connection) -> "_Trip":
        before = self._monotonic()
        stated = time_of_server(connection)
        took_s = self._monotonic() - before
        return _Trip(stated, before + took_s / 2, took_s)


class _Trip(NamedTuple):
    """What the database said, and when that was by our own seconds."""

    stated: datetime | None
    middle: float
    took_s: float


_PROC: Final = Path("/proc")
_START: Final = 19
"""Place of the start time among the fields after the name, see proc_pid_stat(5)."""


def this_process() -> str:
    """`boot.namespace.pid.start`; empty where /proc does not tell."""
    start = _started(os.getpid())
    where = _where()
    return f"{where}.{os.getpid()}.{start}" if where and start else ""


def one_claim(process: str) -> str:
    """A process's mark with what tells one claim of it from every other, so that
    whoever does not know whether a claim was kept may make it again."""
    return f"{process}/{secrets.token_hex(4)}"


def has_ended(mark: str | None) -> bool:
    """Whether the process of a mark is known to have ended. False where that cannot
    be known: it ran on another machine, in another container, or before a restart."""
    process = (mark or "").partition("/")[0]
    where, _, rest = process.partition(".")
    pid, _, start = rest.partition(".")
    if not where or where != _where() or not pid.isdecimal():
        return False
    return _started(int(pid)) != start


def pid_of(mark: str) -> tuple[str, bool]:
    """The process's number of a mark, "" for none, and whether it counts here: on this
    machine, since its last boot, and in this container."""
    process = mark.partition("/")[0]
    where, _, rest = process.partition(".")
    return rest.partition(".")[0], bool(where) and where == _where()


def _where() -> str:
    """This boot of this machine, and the namespace in which its pids count."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        namespace = os.readlink(_PROC / "self/ns/pid")
    except OSError:
        return ""
    return f"{boot}:{namespace.removeprefix('pid:').strip('[]')}"


def _started(pid: int) -> str:
    """When a process began, in clock ticks since boot; empty if it has ended."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return ""
    # The name in brackets may hold anything, brackets too.
    fields = stat.rpartition(")")[2].split()
    is_zombie = fields[0] == "Z"
    return "" if is_zombie else fields[_START]
