"""Rows of `violations`: episodes of a limit that a stream of tags exceeds.

They are written by whoever holds the repository; the one exception is the cause of
another repository's violation (`find_sharing`), whose row is taken only where nobody
else has it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple, TypeAlias

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from weighbridge.domain.cause import Cause
from weighbridge.domain.digest import Digest
from weighbridge.domain.message import NotificationEvent
from weighbridge.domain.policy import LimitKey, Severity
from weighbridge.store.cause_column import cause_text
from weighbridge.store.dialect import among_ids, listed
from weighbridge.store.outbox import REVOCABLE
from weighbridge.store.push_tables import (
    notification_groups,
    notifications,
    violations,
)
from weighbridge.store.types import bounded

ClosedBy: TypeAlias = Literal["pushed", "gone", "policy"]
"""A later image keeps the limit; its tag is gone; nothing sets the limit any more."""

FLAPPING: Final = timedelta(hours=24)
"""An episode that begins so soon after the last one ended goes on with it."""
RECENT: Final = timedelta(days=30)
"""A cause that two repositories had within so long is one that they share."""

_table = violations.c
_KEY: Final = (
    _table.stream,
    _table.platform,
    _table.policy,
    _table.limit_key,
)
_OPEN: Final = (
    select(_table.id, *_KEY, _table.tag, _table.image_id, _table.is_silent)
    .where(
        _table.repository_id == bindparam("repository"),
        _table.closed_at.is_(None),
    )
    .order_by(_table.id)
)
_ENDED: Final = (
    select(_table.id)
    .where(
        _table.repository_id == bindparam("repository"),
        *(column == bindparam(f"the_{column.name}") for column in _KEY),
        _table.closed_at > bindparam("since", type_=_table.closed_at.type),
    )
    .order_by(_table.closed_at.desc())
    .limit(1)
)
_SHARING: Final = (
    select(_table.id, _table.repository_id, _table.before_image_id, _table.image_id)
    .where(
        _table.cause_key == bindparam("key"),
        _table.platform == bindparam("the_platform"),
        _table.repository_id != bindparam("repository"),
        _table.changed_at > bindparam("since", type_=_table.changed_at.type),
    )
    .order_by(_table.id.desc())
    .limit(1)
    .with_for_update(skip_locked=True)
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


class ViolationKey(NamedTuple):
    """What an episode is of. `stream` and `platform` are "" for a limit of the whole
    repository."""

    stream: str
    platform: str
    policy: str
    limit_key: LimitKey


@dataclass(frozen=True, slots=True)
class OpenViolation:
    """An episode that is not over. `tag`, `image_id`: of its last image."""

    id: int
    key: ViolationKey
    tag: str | None
    image_id: int | None
    is_silent: bool


@dataclass(frozen=True, slots=True)
class Offence:
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


class Sharing(NamedTuple):
    """Another repository's violation of the same cause."""

    id: int
    repository_id: int
    before_image_id: int | None
    image_id: int | None


def find_open(connection: Connection, repository_id: int) -> list[OpenViolation]:
    """The episodes of a repository that are not over, the oldest first."""
    rows = connection.execute(_OPEN, {"repository": repository_id})
    return [
        OpenViolation(number, ViolationKey(*key), tag, image_id, is_silent)
        for number, *key, tag, image_id, is_silent in rows
    ]


def find_ended(
    connection: Connection, repository_id: int, key: ViolationKey, now: datetime
) -> int | None:
    """The episode that ended so short a time ago that the next one goes on with it."""
    named = {f"the_{name}": value for name, value in key._asdict().items()}
    parameters = {"repository": repository_id, "since": now - FLAPPING, **named}
    found: int | None = connection.execute(_ENDED, parameters).scalar()
    return found


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
    a cause the one that is known stays."""
    connection.execute(
        update(violations)
        .where(_table.id == violation_id)
        .values(
            **_values(offence),
            is_silent=is_silent,
            changed_at=now,
            closed_at=None,
            closed_by=None,
        )
    )


def close_violations(
    connection: Connection, ids: Collection[int], by: ClosedBy, now: datetime
) -> None:
    """End episodes."""
    if ids:
        connection.execute(
            update(violations)
            .where(among_ids(_table.id), _table.closed_at.is_(None))
            .values(closed_at=now, closed_by=by, changed_at=now),
            {"ids": listed(sorted(ids))},
        )


def find_told(
    connection: Connection, ids: Collection[int], event: NotificationEvent
) -> set[int]:
    """Those of the violations of whose beginning or end somebody was told, or is
    about to be."""
    if not ids:
        return set()
    parameters = {"ids": listed(sorted(ids)), "the_event": event}
    return set(connection.execute(_TOLD, parameters).scalars())


def find_sharing(
    connection: Connection,
    repository_id: int,
    platform: str,
    cause_key: bytes,
    now: datetime,
) -> Sharing | None:
    """The latest violation of another repository with this cause.

    Its row is ours until the commit. One that is in somebody else's hands just now is
    passed over: whoever waited for it could be waited for.
    """
    parameters = {
        "repository": repository_id,
        "the_platform": platform,
        "key": cause_key,
        "since": now - RECENT,
    }
    row = connection.execute(_SHARING, parameters).one_or_none()
    return None if row is None else Sharing(*row)


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
    # Groups first and by their ids, as whoever sends takes them.
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


def _values(offence: Offence) -> Mapping[str, object]:
    cause = offence.cause
    known = (
        {} if cause is None else {"cause_key": cause.key, "cause": cause_text(cause)}
    )
    return {
        "team": offence.team,
        "severity": offence.severity,
        "tag": offence.tag,
        "image_id": offence.image_id,
        "digest": offence.digest,
        "limit_amount": bounded(offence.limit_amount),
        "amount": bounded(offence.amount),
        "baseline_compressed_bytes": offence.baseline_compressed_bytes,
        "before_image_id": offence.before_image_id,
        "before_compressed_bytes": offence.before_compressed_bytes,
        "pushed_at": offence.pushed_at,
        **known,
    }
