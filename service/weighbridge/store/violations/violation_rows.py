"""Rows of `violations`: episodes of a limit that a stream of tags exceeds.

They are written by whoever holds the repository; the one exception is the cause of
another repository's violation, whose row is taken only where nobody else has it
(`find_sharing`).
"""

import json
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from msgspec import Struct, to_builtins
from msgspec.structs import asdict, replace
from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from weighbridge.domain.growth.cause import Cause, LineChange
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.message.grouping import NotificationEvent
from weighbridge.domain.policy.policy import LimitKey, Severity
from weighbridge.store.dialect import among_ids, listed, settles_at_once
from weighbridge.store.models import (
    REVOCABLE,
    notification_groups,
    notifications,
    repositories,
    tags,
    violations,
)
from weighbridge.store.models.types import bounded
from weighbridge.store.named_rows import from_row

INSTRUCTION_CHARACTERS: Final = 1_000
"""The rest of a longer instruction is left out: it is a line of a message."""


def cause_text(cause: Cause) -> str:
    """What the column holds; the key has a column of its own."""
    changes = tuple(
        replace(change, instruction=kept_instruction(change.instruction))
        for change in cause.changes
    )
    kept = to_builtins(replace(cause, key=None, changes=changes))
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


ClosedBy: TypeAlias = Literal["pushed", "deleted", "policy"]
"""A later image keeps the limit; its tag is deleted; the limit has changed, or nothing
sets it any more."""

_table = violations.c
_GOING_ON: Final = dict.fromkeys(
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
        .values(**values, **_GOING_ON, is_silent=is_silent, changed_at=now)
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


FLAPPING: Final = timedelta(hours=24)
"""An episode that begins so soon after the last one ended goes on with it, and no
notification is sent, unless it is heavier than what was notified of."""
RECENT: Final = timedelta(days=30)
"""A cause that two repositories had within so long is one that they share."""


_OPEN: Final = (
    select(
        _table.repository_id,
        _table.id,
        *(_table[name] for name in ViolationKey._fields),
        _table.tag,
        _table.image_id,
        _table.limit_amount,
        _table.is_silent,
        _table.notified_amount,
        _table.team,
        _table.severity,
        func.coalesce(tags.c.deleted_at.is_(None), False).label("is_live"),
    )
    .outerjoin(
        tags,
        and_(
            tags.c.repository_id == _table.repository_id,
            tags.c.name == _table.tag,
            tags.c.target_id.is_not(None),
        ),
    )
    .where(among_ids(_table.repository_id), _table.closed_at.is_(None))
    .order_by(_table.id)
)
_CAUSED: Final = (
    select(
        _table.id,
        _table.platform,
        _table.cause_key,
        _table.before_image_id,
        _table.image_id,
        _table.limit_key,
    )
    .where(among_ids(_table.id), _table.cause_key.is_not(None))
    .order_by(_table.id)
)
_TOLD: Final = (
    select(notifications.c.violation_id)
    .distinct()
    .where(
        among_ids(notifications.c.violation_id),
        notifications.c.event == bindparam("the_event"),
        func.coalesce(notifications.c.dropped_for, "").not_in(REVOCABLE),
    )
)


class OpenViolation(Struct, frozen=True):
    """An episode that is not over. `tag`, `image_id`: of its last image;
    `notified_amount`: what it had when a notification was sent, None where none was;
    `whose`: team and severity, by which it finds its way to channels; `is_live`:
    whether its tag is still there, as a repository is."""

    id: int
    key: ViolationKey
    tag: str | None
    image_id: int | None
    limit_amount: int
    is_silent: bool
    notified_amount: int | None
    whose: tuple[str | None, Severity]
    is_live: bool = True


class EpisodeStart(NamedTuple):
    """What an episode began with: its cause, and the image before it."""

    cause: Cause | None
    before_image_id: int | None
    before_compressed_bytes: int | None


SharedCause: TypeAlias = Row[int, int, int, int | None, int | None, LimitKey]
"""Another repository's violation of the same cause: as `find_sharing` selects it."""


def find_open(
    connection: Connection, repository_ids: Collection[int]
) -> dict[int, list[OpenViolation]]:
    """The episodes of repositories that are not over, the oldest first; where there is
    none there is no entry."""
    found: dict[int, list[OpenViolation]] = {}
    rows = connection.execute(_OPEN, {"ids": listed(sorted(repository_ids))})
    for row in rows:
        violation = from_row(
            OpenViolation,
            row._mapping,
            key=from_row(ViolationKey, row._mapping),
            whose=(row.team, row.severity),
            is_live=row.tag is None or row.is_live,
        )
        found.setdefault(row.repository_id, []).append(violation)
    return found


def find_ended(
    connection: Connection, repository_id: int, key: ViolationKey, now: datetime
) -> Row[int, int | None] | None:
    """The episode that ended so short a time ago that the next one goes on with it: its
    id, and what it had when a notification was sent."""
    return connection.execute(
        select(_table.id, _table.notified_amount)
        .where(
            _table.repository_id == repository_id,
            *(_table[name] == value for name, value in key._asdict().items()),
            _table.closed_at > now - FLAPPING,
        )
        .order_by(_table.closed_at.desc())
        .limit(1)
    ).one_or_none()


def read_beginning(connection: Connection, violation_id: int) -> EpisodeStart:
    """The cause of an episode that is not over, and what was before it."""
    row = connection.execute(select(violations).where(_table.id == violation_id)).one()
    return from_row(
        EpisodeStart, row._mapping, cause=read_cause(row.cause, row.cause_key)
    )


def find_notified(
    connection: Connection, ids: Collection[int], event: NotificationEvent
) -> set[int]:
    """Those of the violations of whose beginning or end somebody was told, or is
    about to be."""
    if not ids:
        return set()
    parameters = {"ids": listed(sorted(ids)), "the_event": event}
    return set(connection.execute(_TOLD, parameters).scalars())


def is_end_sent(connection: Connection, violation_id: int) -> bool:
    """Whether a message that tells of its end is on its way, or was sent: one that
    still waits is dropped where the episode has begun again."""
    sent = select(notifications.c.id).where(
        notifications.c.violation_id == violation_id,
        notifications.c.event == "resolved",
        notifications.c.message_key.is_not(None),
    )
    return connection.execute(sent.limit(1)).first() is not None


def lock_own(
    connection: Connection, repository_ids: Collection[int], now: datetime
) -> None:
    """Take the episodes of our repositories that may go on, before one of another
    repository is taken: who has ours and goes on with its own is waited for here, and
    does not wait for us."""
    if not settles_at_once(connection.dialect):
        own = (
            select(_table.id)
            .where(
                among_ids(_table.repository_id),
                or_(_table.closed_at.is_(None), _table.closed_at > now - FLAPPING),
            )
            .order_by(_table.id)
            .with_for_update()
        )
        connection.execute(own, {"ids": listed(sorted(repository_ids))})


def find_caused(
    connection: Connection, ids: Collection[int]
) -> Sequence[Row[*tuple[Any, ...]]]:
    """Those of the violations whose cause has a key, and may be shared."""
    return connection.execute(_CAUSED, {"ids": listed(sorted(ids))}).all()


def find_sharing(
    connection: Connection,
    repository_id: int,
    platform: str,
    cause_key: bytes,
    now: datetime,
) -> SharedCause | None:
    """The latest violation of another repository with this cause.

    Its row is ours until the commit; our own were taken before (`lock_own`). One that
    is in somebody else's hands just now is passed over: whoever waited for it could be
    waited for.
    """
    return connection.execute(
        select(
            _table.id,
            _table.repository_id,
            select(repositories.c.scope_id)
            .where(repositories.c.id == _table.repository_id)
            .scalar_subquery()
            .label("scope_id"),
            _table.before_image_id,
            _table.image_id,
            _table.limit_key,
        )
        .where(
            _table.cause_key == cause_key,
            _table.platform == platform,
            _table.repository_id != repository_id,
            _table.changed_at > now - RECENT,
        )
        .order_by(_table.id.desc())
        .limit(1)
        .with_for_update(skip_locked=True)
    ).one_or_none()
