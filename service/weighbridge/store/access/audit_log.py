"""What admins did, when, and who it was: rows are added and never changed."""

from datetime import datetime

from msgspec import Struct
from sqlalchemy import Connection, insert, select

from weighbridge.store.models import audit_log


class Act(Struct, frozen=True):
    """One act of an admin.

    actor:   `cli:USER`, or the name of a token
    act:     what was done, such as `token.create`
    subject: to what, by name
    detail:  what else is worth knowing; never a secret
    """

    at: datetime
    actor: str
    act: str
    subject: str
    detail: str = ""


def note_act(connection: Connection, act: Act) -> None:
    """Keep it, in the transaction of the act itself: both happen or neither does."""
    connection.execute(
        insert(audit_log).values(
            at=act.at,
            actor=act.actor,
            act=act.act,
            subject=act.subject,
            detail=act.detail,
        )
    )


def acts(connection: Connection) -> list[Act]:
    """All of them, the oldest first."""
    table = audit_log.c
    rows = connection.execute(
        select(table.at, table.actor, table.act, table.subject, table.detail).order_by(
            table.id
        )
    )
    return [Act(*row) for row in rows]
