"""Rows of `violations`: episodes of a limit that a stream of tags exceeds.

They are written by whoever holds the repository; the one exception is the cause of
another repository's violation, whose row is taken only where nobody else has it
(`judged.find_sharing`).
"""

import json
from collections.abc import Collection
from datetime import datetime
from typing import Final, Literal, NamedTuple, TypeAlias

from msgspec import Struct, to_builtins
from msgspec.structs import asdict, replace
from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from weighbridge.domain.growth.cause import Cause, LineChange
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.policy.policy import LimitKey, Severity
from weighbridge.store.dialect import among_ids, listed
from weighbridge.store.models import (
    notification_groups,
    notifications,
    violations,
)
from weighbridge.store.models.types import bounded

INSTRUCTION_CHARACTERS: Final = 1_000
"""The rest of a longer instruction is left out: it is a line of a message."""


def cause_text(cause: Cause) -> str:
    """What the column holds; the key has a column of its own."""
    changes = [_short(change) for change in cause.changes]
    kept = to_builtins(replace(cause, key=None, changes=tuple(changes)))
    del kept["key"]
    return json.dumps(kept, separators=(",", ":"))


def read_cause(text: str | None, key: bytes | None) -> Cause | None:
    """The cause of a row; None where none is known."""
    if text is None:
        return None
    kept = json.loads(text)
    changes = tuple(LineChange(**change) for change in kept.pop("changes"))
    return Cause(key=key, changes=changes, **kept)


def kept_instruction(instruction: str) -> str:
    """As much of it as is kept."""
    if len(instruction) <= INSTRUCTION_CHARACTERS:
        return instruction
    return instruction[: INSTRUCTION_CHARACTERS - 1] + "…"


def _short(change: LineChange) -> LineChange:
    return replace(change, instruction=kept_instruction(change.instruction))


ClosedBy: TypeAlias = Literal["pushed", "deleted", "policy"]
"""A later image keeps the limit; its tag is deleted; the limit has changed, or nothing
sets it any more."""

_table = violations.c
_OPEN: Final = dict.fromkeys(
    (
        "closed_at",
        "closed_by",
        "within_tag",
        "within_image_id",
        "within_digest",
        "within_amount",
    )
)


class ViolationKey(NamedTuple):
    """What an episode is of. `stream` and `platform` are "" for a limit of the whole
    repository."""

    stream: str
    platform: str
    policy: str
    limit_key: LimitKey


class Offence(Struct, frozen=True):
    """What exceeds a limit, or holds it exceeded: the image, and the numbers.

    tag, image_id, digest, pushed_at: None for a limit of the whole repository
    before_image_id, before_compressed_bytes: the image before it in its stream
    cause: None where it is not known, or there is nothing to compare with
    """

    team: str | None
    severity: Severity
    limit_amount: int
    amount: int
    tag: str | None = None
    image_id: int | None = None
    digest: Digest | None = None
    pushed_at: datetime | None = None
    baseline_compressed_bytes: int | None = None
    before_image_id: int | None = None
    before_compressed_bytes: int | None = None
    cause: Cause | None = None


class Within(Struct, frozen=True):
    """The image that is within a limit which was exceeded before.

    amount: what it has of what is limited
    tag, image_id, digest: None for a limit of the whole repository
    """

    amount: int
    tag: str | None = None
    image_id: int | None = None
    digest: Digest | None = None


def open_violation(
    connection: Connection,
    repository_id: int,
    key: ViolationKey,
    offence: Offence,
    now: datetime,
    *,
    is_silent: bool,
) -> int:
    """Begin an episode; returns its id."""
    opened: int = connection.execute(
        insert(violations)
        .values(
            repository_id=repository_id,
            **key._asdict(),
            **_values(offence),
            is_silent=is_silent,
            opened_at=now,
            changed_at=now,
        )
        .returning(_table.id)
    ).scalar_one()
    return opened


def go_on(
    connection: Connection,
    violation_id: int,
    offence: Offence,
    now: datetime,
    *,
    is_silent: bool,
) -> None:
    """Note the latest image of an episode; one that had ended begins again. Without
    a cause the one that is known stays, and what was before it."""
    values = _values(offence)
    if offence.cause is None:
        values = {k: v for k, v in values.items() if not k.startswith("before_")}
    connection.execute(
        update(violations)
        .where(_table.id == violation_id)
        .values(**values, **_OPEN, is_silent=is_silent, changed_at=now)
    )


def close_violations(
    connection: Connection,
    ids: Collection[int],
    by: ClosedBy,
    now: datetime,
    within: Within | None = None,
) -> None:
    """End episodes; within: the image that is within the limit, where there is one."""
    values: dict[str, object] = {"closed_at": now, "closed_by": by, "changed_at": now}
    if within is not None:
        values |= {f"within_{name}": value for name, value in asdict(within).items()}
        values["within_amount"] = bounded(within.amount)
    _set(connection, ids, _table.closed_at.is_(None), **values)


def note_notified(connection: Connection, ids: Collection[int]) -> None:
    """Remember by which amount each of these is notified of."""
    _set(connection, ids, notified_amount=_table.amount)


def forget_notified(connection: Connection, ids: Collection[int]) -> None:
    """No notification of these was sent after all: they were over before."""
    _set(connection, ids, notified_amount=None)


def _set(
    connection: Connection,
    ids: Collection[int],
    *where: ColumnElement[bool],
    **values: object,
) -> None:
    if ids:
        connection.execute(
            update(violations).where(among_ids(_table.id), *where).values(**values),
            {"ids": listed(sorted(ids))},
        )


def set_cause(connection: Connection, violation_id: int, cause: Cause) -> None:
    """What is known of a cause by now."""
    connection.execute(
        update(violations)
        .where(_table.id == violation_id)
        .values(cause=cause_text(cause))
    )


def forget_violations(connection: Connection, repository_id: int) -> None:
    """Remove all episodes of a repository, and what was told of them."""
    ids = select(_table.id).where(_table.repository_id == repository_id)
    # First the episodes: who has one of them in hand, because another repository
    # shares its cause, is about to ask for groups. Then these by their ids.
    connection.execute(ids.order_by(_table.id).with_for_update())
    connection.execute(
        select(notification_groups.c.id)
        .where(
            notification_groups.c.id.in_(
                select(notifications.c.group_id).where(
                    notifications.c.violation_id.in_(ids)
                )
            )
        )
        .order_by(notification_groups.c.id)
        .with_for_update()
    )
    connection.execute(
        delete(notifications).where(notifications.c.violation_id.in_(ids))
    )
    connection.execute(delete(violations).where(_table.repository_id == repository_id))


def _values(offence: Offence) -> dict[str, object]:
    cause = offence.cause
    values = asdict(offence) | {
        "limit_amount": bounded(offence.limit_amount),
        "amount": bounded(offence.amount),
    }
    del values["cause"]
    if cause is not None:
        values |= {"cause_key": cause.key, "cause": cause_text(cause)}
    return values
