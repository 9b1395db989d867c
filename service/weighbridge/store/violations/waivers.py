"""Rows of `waivers`: what was accepted, by whom, and until when."""

from datetime import datetime
from typing import Any, Final

from msgspec.structs import asdict
from sqlalchemy import ColumnElement, Connection, Row, insert, select, update

from weighbridge.domain.policy.waiver import ActiveWaivers, NewWaiver, Waiver
from weighbridge.domain.report.inventory import Page
from weighbridge.store.access import Act, note_act
from weighbridge.store.models import waivers
from weighbridge.store.named_rows import from_row
from weighbridge.store.paging import (
    NUMBER,
    CursorForm,
    check_limit,
    one_of,
    read_cursor,
    write_cursor,
)

WAIVER_CURSOR: Final = CursorForm(one_of("waivers"), NUMBER)


def put_waiver(connection: Connection, new: NewWaiver, now: datetime) -> Waiver:
    """Keep it, and who did so."""
    added = connection.execute(
        insert(waivers).values(**asdict(new), created_at=now).returning(waivers)
    ).one()
    what = new.limit_key or "every limit"
    detail = f"{what} until {new.expires_at:%Y-%m-%d %H:%M} UTC: {new.reason}"
    note_act(connection, Act(now, new.author, "waiver.create", str(new), detail))
    return from_row(Waiver, added._mapping)


def revoke_waiver(
    connection: Connection, waiver_id: int, by: str, now: datetime
) -> tuple[Waiver, bool] | None:
    """The waiver, and whether it was in force until now; None: there is none with
    this id."""
    found = find_waiver(connection, waiver_id)
    if found is None:
        return None
    done = connection.execute(
        update(waivers)
        .where(waivers.c.id == waiver_id, *_in_force(now))
        .values(revoked_at=now, revoked_by=by)
    )
    if done.rowcount != 1:
        return found, False
    note_act(connection, Act(now, by, "waiver.revoke", str(found), f"id {waiver_id}"))
    return find_waiver(connection, waiver_id) or found, True


def find_waiver(connection: Connection, waiver_id: int) -> Waiver | None:
    row = connection.execute(
        select(waivers).where(waivers.c.id == waiver_id)
    ).one_or_none()
    return None if row is None else from_row(Waiver, row._mapping)


def active_waivers(connection: Connection, now: datetime) -> ActiveWaivers:
    """Those that are in force."""
    rows = connection.execute(
        select(waivers).where(*_in_force(now)).order_by(waivers.c.id)
    )
    return ActiveWaivers(from_row(Waiver, row._mapping) for row in rows)


def waiver_of(
    waivers: ActiveWaivers, row: Row[*tuple[Any, ...]], now: datetime
) -> Waiver | None:
    """What waives the violation of a row, which has the names of its repository."""
    tag = row.tag or ""
    return waivers.find(row.registry, row.repository, tag, row.limit_key, now)


def waiver_page(
    connection: Connection,
    now: datetime,
    *,
    is_all: bool = False,
    limit: int = 100,
    cursor: str | None = None,
) -> Page[Waiver]:
    """One page of waivers, the newest first.

    is_all: also those that are over. Raises UsageError(invalid_limit, invalid_cursor).
    """
    statement = select(waivers).order_by(waivers.c.id.desc())
    if not is_all:
        statement = statement.where(*_in_force(now))
    if cursor is not None:
        _, last = read_cursor(cursor, WAIVER_CURSOR)
        statement = statement.where(waivers.c.id < last)
    rows = connection.execute(statement.limit(check_limit(limit) + 1)).all()
    items = tuple(from_row(Waiver, row._mapping) for row in rows[:limit])
    following = write_cursor("waivers", items[-1].id) if len(rows) > limit else None
    return Page(items, following)


def _in_force(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return waivers.c.revoked_at.is_(None), waivers.c.expires_at > now
