"""Rows of `waivers`: what was accepted, by whom, and until when."""

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, insert, select, update

from weighbridge.domain.policy.waiver import ActiveWaivers, NewWaiver, Waiver
from weighbridge.domain.report.inventory import Page
from weighbridge.store.access.audit_log import Act, note_act
from weighbridge.store.models import waivers
from weighbridge.store.paging import (
    NUMBER,
    CursorForm,
    check_limit,
    one_of,
    read_cursor,
    write_cursor,
)

_COLUMNS = (
    waivers.c.id,
    waivers.c.registry,
    waivers.c.repository,
    waivers.c.tag,
    waivers.c.limit_key,
    waivers.c.reason,
    waivers.c.author,
    waivers.c.created_at,
    waivers.c.expires_at,
    waivers.c.revoked_at,
    waivers.c.revoked_by,
)
WAIVER_CURSOR: Final = CursorForm(one_of("waivers"), NUMBER)


def put_waiver(connection: Connection, new: NewWaiver, now: datetime) -> Waiver:
    """Keep it, and who did so."""
    added = connection.execute(
        insert(waivers)
        .values(
            registry=new.registry,
            repository=new.repository,
            tag=new.tag,
            limit_key=new.limit_key,
            reason=new.reason,
            author=new.author,
            created_at=now,
            expires_at=new.expires_at,
        )
        .returning(*_COLUMNS)
    ).one()
    what = new.limit_key or "every limit"
    detail = f"{what} until {new.expires_at:%Y-%m-%d %H:%M} UTC: {new.reason}"
    note_act(connection, Act(now, new.author, "waiver.create", str(new), detail))
    return Waiver(*added)


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
        .where(
            waivers.c.id == waiver_id,
            waivers.c.revoked_at.is_(None),
            waivers.c.expires_at > now,
        )
        .values(revoked_at=now, revoked_by=by)
    )
    if done.rowcount != 1:
        return found, False
    note_act(connection, Act(now, by, "waiver.revoke", str(found), f"id {waiver_id}"))
    return find_waiver(connection, waiver_id) or found, True


def find_waiver(connection: Connection, waiver_id: int) -> Waiver | None:
    row = connection.execute(
        select(*_COLUMNS).where(waivers.c.id == waiver_id)
    ).one_or_none()
    return None if row is None else Waiver(*row)


def active_waivers(connection: Connection, now: datetime) -> ActiveWaivers:
    """Those that are in force."""
    rows = connection.execute(
        select(*_COLUMNS)
        .where(waivers.c.revoked_at.is_(None), waivers.c.expires_at > now)
        .order_by(waivers.c.id)
    )
    return ActiveWaivers(Waiver(*row) for row in rows)


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
    statement = select(*_COLUMNS).order_by(waivers.c.id.desc())
    if not is_all:
        statement = statement.where(
            waivers.c.revoked_at.is_(None), waivers.c.expires_at > now
        )
    if cursor is not None:
        _, last = read_cursor(cursor, WAIVER_CURSOR)
        statement = statement.where(waivers.c.id < last)
    rows = connection.execute(statement.limit(check_limit(limit) + 1)).all()
    items = tuple(Waiver(*row) for row in rows[:limit])
    following = write_cursor("waivers", items[-1].id) if len(rows) > limit else None
    return Page(items, following)
