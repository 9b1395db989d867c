"""The database: reached, of this version, written to, with room, and of one time."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Final

from weighbridge.bootstrap.databases import checked_database
from weighbridge.bootstrap.doctor.check import DATABASE, CheckResult, Installation
from weighbridge.domain.text.units import format_bytes, format_duration
from weighbridge.errors import StoreError
from weighbridge.store.connection.deadlines import within
from weighbridge.store.leases.validity import SLACK, find_ahead
from weighbridge.store.maintenance.place import (
    DatabasePlace,
    clock_ahead_s,
    place_of,
    try_to_make_a_table,
)
from weighbridge.store.schema import REVISION, check_schema, check_writable
from weighbridge.store.session import open_database

RIGHTS: Final = f"{DATABASE} rights"
ROOM: Final = f"{DATABASE} room"
CLOCK: Final = f"{DATABASE} clock"

_LEAST_FREE_BYTES: Final = 64_000_000
"""SQLite's log is 16 MB before it is copied into the file, and a crawl writes on."""
_ENOUGH_FREE_BYTES: Final = 1_000_000_000
_APART_S: Final = 5.0
"""Machines that keep their time by NTP are not as far apart."""


def look_at_database(installation: Installation, _: str) -> Iterator[CheckResult]:
    """Whether it answers, and is of this version."""
    url = installation.settings.database_url.reveal()
    with within(installation.timeout_s):
        try:
            opened = open_database(url, must_exist=True)
        except StoreError as exc:
            if exc.code != "no_database":
                raise
            yield CheckResult(
                DATABASE,
                "warning",
                exc.message,
                "weighbridge up makes it; if there should be one, correct database_url",
                exc.code,
            )
            return
        with closing(opened):
            check_schema(opened)
            yield CheckResult(DATABASE, "ok", f"it answers and has schema {REVISION}")


def look_at_rights(installation: Installation, _: str) -> Iterator[CheckResult]:
    """Whether we may write, and make tables as an upgrade does."""
    settings = installation.settings
    with within(installation.timeout_s), checked_database(settings) as database:
        check_writable(database)
        try:
            try_to_make_a_table(database)
        except StoreError as exc:
            if exc.code == "database_busy":
                yield CheckResult(
                    RIGHTS,
                    "warning",
                    "another process writes at this moment, so that this was not tried",
                    "run it again",
                    exc.code,
                )
                return
            if exc.code != "database_auth":
                raise
            yield CheckResult(
                RIGHTS,
                "fault",
                "our user of the database may not make tables, which upgrades do",
                "make it the owner: ALTER DATABASE name OWNER TO user; or GRANT CREATE"
                " ON SCHEMA public TO user",
                exc.code,
            )
            return
    yield CheckResult(RIGHTS, "ok", "we may write, and make tables")


def look_at_room(installation: Installation, _: str) -> Iterator[CheckResult]:
    """Whether the disk has room, and is one of this machine."""
    settings = installation.settings
    with (
        within(installation.timeout_s),
        checked_database(settings) as database,
        database.read() as connection,
    ):
        place = place_of(connection)
    yield room_of(place)
    if place.network is not None:
        yield CheckResult(
            ROOM,
            "warning",
            f"{place.file} is on a network file system ({place.network}), where the"
            " locks and the log of SQLite are not safe",
            "put it on a disk of this machine, or use PostgreSQL",
        )


def room_of(place: DatabasePlace) -> CheckResult:
    """Whether what is free is enough: for the next crawl, and for an upgrade or a
    backup, which may need as much again."""
    stored, free = format_bytes(place.stored_bytes), place.free_bytes
    if free is None:
        text = f"it has {stored}; its disk is its server's and is not seen from here"
        return CheckResult(ROOM, "ok", text)
    text = f"it has {stored}, and {format_bytes(free)} are free beside it"
    if free < _LEAST_FREE_BYTES:
        action = "free some space now: crawls and pushes cannot be stored soon"
        return CheckResult(
            ROOM, "fault", f"the disk is full: {text}", action, "disk_full"
        )
    if free < max(_ENOUGH_FREE_BYTES, place.stored_bytes):
        action = "free some space: an upgrade may need as much as the database has"
        return CheckResult(ROOM, "warning", f"the disk is nearly full: {text}", action)
    return CheckResult(ROOM, "ok", text)


def look_at_clock(installation: Installation, _: str) -> Iterator[CheckResult]:
    """Whether this machine's clock and the server's go together, and whether anything
    was stored by a clock that was ahead."""
    settings = installation.settings
    with (
        within(installation.timeout_s),
        checked_database(settings) as database,
        database.read() as connection,
    ):
        ahead_s = clock_ahead_s(connection)
        now = datetime.now(UTC)
        is_any_late = ahead_s is None and bool(find_ahead(connection, now))
    if is_any_late:
        yield CheckResult(
            CLOCK,
            "warning",
            f"it is {now:%Y-%m-%d %H:%M} UTC here, and what is stored was put off to"
            " later than it ever is: this clock was ahead, or is behind now",
            "set this machine's clock, best by NTP",
        )
    elif ahead_s is None:
        text = f"it is {now:%Y-%m-%d %H:%M} UTC here, and the database has no other"
        yield CheckResult(CLOCK, "ok", text)
    else:
        yield clock_of(ahead_s)


def clock_of(ahead_s: float) -> CheckResult:
    """ahead_s: how far this machine's clock is ahead of the server's"""
    side = "ahead of" if ahead_s > 0 else "behind"
    apart = f"{format_duration(abs(ahead_s))} {side} the database's"
    action = "set both clocks, best by NTP"
    if abs(ahead_s) > SLACK.total_seconds():
        text = f"this machine's clock is {apart}"
        return CheckResult(CLOCK, "fault", text, action)
    if abs(ahead_s) > _APART_S:
        return CheckResult(CLOCK, "warning", f"this machine's clock is {apart}", action)
    return CheckResult(
        CLOCK, "ok", "this machine's clock and the database's go together"
    )
