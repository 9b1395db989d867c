"""What is told of violations, read for a message as `ViolationNotice`."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, bindparam, func, select

from weighbridge.domain.message.message import NotificationEvent, ViolationNotice
from weighbridge.store.dialect import among_ids, listed
from weighbridge.store.models import (
    images,
    manifest_sizes,
    repositories,
    violations,
)
from weighbridge.store.models.types import Moment
from weighbridge.store.named_rows import NAMES, from_row, named
from weighbridge.store.sizes.manifest_sizes import (
    COMPRESSED_BYTES,
    COMPRESSED_CONFIDENCE,
    in_scope,
)
from weighbridge.store.violations.violation_rows import read_cause
from weighbridge.store.violations.waivers import active_waivers, waiver_of

CLOSED_FOR: Final = timedelta(minutes=5)
"""An Alertmanager is notified so long of what was closed, as its documentation wants
it."""

_table = violations.c


def _notices(*where: Any) -> Select[*tuple[Any, ...]]:  # conditions are of any kind
    return (
        select(
            violations,
            *NAMES,
            COMPRESSED_BYTES,
            COMPRESSED_CONFIDENCE,
            manifest_sizes.c.uncompressed_bytes,
        )
        .select_from(
            in_scope(
                named(violations).outerjoin(
                    images,
                    images.c.id
                    == func.coalesce(_table.within_image_id, _table.image_id),
                ),
                repositories.c.scope_id,
            )
        )
        .where(*where)
    )


_OF_THESE: Final = _notices(among_ids(_table.id))
_EXCESSES: Final = select(_table.id, _table.limit_amount, _table.amount).where(
    among_ids(_table.id)
)
# Each in the order of its index: of years of violations only what is open is read, and
# some minutes.
_OPEN: Final = (
    _notices(_table.closed_at.is_(None), _table.is_silent.is_(False))
    .order_by(_table.id.desc())
    .limit(bindparam("most"))
)
_CLOSED: Final = (
    _notices(
        _table.closed_at > bindparam("closed_after", type_=Moment()),
        _table.is_silent.is_(False),
    )
    .order_by(_table.closed_at.desc())
    .limit(bindparam("most"))
)


def read_notices(
    connection: Connection,
    wanted: Collection[tuple[int, NotificationEvent]],
    most: int,
) -> list[ViolationNotice]:
    """What is told of these violations, the heaviest first; of the heaviest `most`
    where there are more. Without addresses of pages."""
    events = dict(wanted)
    chosen = _heaviest(connection, events, most)
    rows = {
        row.id: row
        for row in connection.execute(_OF_THESE, {"ids": listed(chosen)}).all()
    }
    return [_read(rows[one], events[one]) for one in chosen if one in rows]


def read_firing(
    connection: Connection, now: datetime, most: int
) -> list[ViolationNotice]:
    """What an Alertmanager is to know: what is open, and what was closed within some
    minutes; of each the latest `most`. What is waived is left out, and what was there
    before us."""
    parameters = {"closed_after": now - CLOSED_FOR, "most": most}
    found = [
        row
        for statement in (_OPEN, _CLOSED)
        for row in connection.execute(statement, parameters)
    ]
    waivers = active_waivers(connection, now)
    return [
        _read(row, "opened" if row.closed_at is None else "resolved")
        for row in sorted(found, key=lambda row: (row.opened_at, row.id))
        if waiver_of(waivers, row, now) is None
    ]


def _heaviest(
    connection: Connection, events: dict[int, NotificationEvent], most: int
) -> list[int]:
    """By how far each is over its limit, as a share of it: bytes and layers can be
    compared so. What is open comes before what is over."""
    rows = connection.execute(_EXCESSES, {"ids": listed(sorted(events))}).all()

    def weight(row: Row[*tuple[Any, ...]]) -> tuple[bool, float, int]:
        is_over = events[row.id] == "resolved"
        return (is_over, -row.amount / max(row.limit_amount, 1), row.id)

    return [row.id for row in sorted(rows, key=weight)[:most]]


def _read(row: Row[*tuple[Any, ...]], event: NotificationEvent) -> ViolationNotice:
    """An end is told of the image that is within, never of the one that was over."""
    is_within = event == "resolved" and row.within_amount is not None
    return from_row(
        ViolationNotice,
        row._mapping,
        violation_id=row.id,
        event=event,
        tag=(row.within_tag if is_within else row.tag) or "",
        digest=row.within_digest if is_within else row.digest,
        amount=row.within_amount if is_within else row.amount,
        compressed_confidence=(
            None if row.image_id is None else row.compressed_confidence
        ),
        cause=read_cause(row.cause, row.cause_key),
        url=None,
    )
