"""What is read while repositories are judged: they themselves, and the rows of their
violations."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, TypeAlias

from msgspec import Struct
from sqlalchemy import Connection, Row, and_, bindparam, func, or_, select

from weighbridge.domain.growth.cause import Cause
from weighbridge.domain.message.message import NotificationEvent
from weighbridge.domain.policy.policy import LimitKey, Severity
from weighbridge.domain.size.confidence import Confidence
from weighbridge.store.dialect import Rows, among_ids, listed, settles_at_once
from weighbridge.store.models import (
    REVOCABLE,
    notifications,
    registries,
    repositories,
    repository_summaries,
    tags,
    violations,
)
from weighbridge.store.named_rows import columns_of, from_row
from weighbridge.store.violations.violation_rows import ViolationKey, read_cause

PAGE: Final = 1_000
"""Repositories that are read at once."""
FLAPPING: Final = timedelta(hours=24)
"""An episode that begins so soon after the last one ended goes on with it, and no
notification is sent, unless it is heavier than what was notified of."""
RECENT: Final = timedelta(days=30)
"""A cause that two repositories had within so long is one that they share."""


class JudgedRepository(NamedTuple):
    """A repository.

    is_silent:       its registry is being crawled for the first time, and this is part
                     of that
    complete_crawls: 0: its first crawl is not over
    limits_mark:     of the limits that its tags were marked by
    over_tags:       how many of its tags are marked as over a limit
    """

    id: int
    scope_id: int
    registry: str
    name: str
    is_silent: bool
    complete_crawls: int
    deduplicated_bytes: int
    newest_tag: str | None
    newest_image_id: int | None
    newest_compressed_bytes: int | None
    newest_uncompressed_bytes: int | None
    newest_uncompressed_confidence: Confidence | None
    newest_layers: int | None
    limits_mark: str
    tag_count: int
    over_tags: int


_row = repositories.c
_READ: Final = (
    select(
        *columns_of(
            JudgedRepository,
            repositories,
            repository_summaries,
            registry=registries.c.name,
        )
    )
    .join_from(repositories, registries, registries.c.id == _row.registry_id)
    .join(repository_summaries, repository_summaries.c.repository_id == _row.id)
    .order_by(_row.id)
)
_OF_THESE: Final = _READ.where(among_ids(_row.id))
_OF_REGISTRY: Final = Rows(
    _READ.where(
        _row.registry_id == bindparam("registry"),
        _row.id > bindparam("after"),
        # Of others it is not known what is new and what was always there.
        _row.complete_crawls > 0,
    ).limit(PAGE)
)


def find_judged(
    connection: Connection, repository_ids: Collection[int]
) -> list[JudgedRepository]:
    """Without those that were forgotten meanwhile; in the order of their ids."""
    rows = connection.execute(_OF_THESE, {"ids": listed(sorted(repository_ids))})
    return [JudgedRepository._make(row) for row in rows]


def judged_page(
    connection: Connection, registry_id: int, after: int
) -> list[JudgedRepository]:
    """The next repositories of a registry behind one of them, at most `PAGE`."""
    parameters = {"registry": registry_id, "after": after}
    rows = _OF_REGISTRY.read(connection, parameters)
    return [JudgedRepository._make(row) for row in rows]


_table = violations.c
_KEY: Final = (
    _table.stream,
    _table.platform,
    _table.policy,
    _table.limit_key,
)
_OPEN: Final = (
    select(
        _table.repository_id,
        _table.id,
        *_KEY,
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
_ENDED: Final = (
    select(_table.id, _table.notified_amount)
    .where(
        _table.repository_id == bindparam("repository"),
        *(column == bindparam(f"the_{column.name}") for column in _KEY),
        _table.closed_at > bindparam("since", type_=_table.closed_at.type),
    )
    .order_by(_table.closed_at.desc())
    .limit(1)
)
_BEGINNING: Final = select(
    _table.cause,
    _table.cause_key,
    _table.before_image_id,
    _table.before_compressed_bytes,
).where(_table.id == bindparam("violation"))
_OWN: Final = (
    select(_table.id)
    .where(
        among_ids(_table.repository_id),
        or_(
            _table.closed_at.is_(None),
            _table.closed_at > bindparam("since", type_=_table.closed_at.type),
        ),
    )
    .order_by(_table.id)
    .with_for_update()
)
_SHARING: Final = (
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
        _table.cause_key == bindparam("key"),
        _table.platform == bindparam("the_platform"),
        _table.repository_id != bindparam("repository"),
        _table.changed_at > bindparam("since", type_=_table.changed_at.type),
    )
    .order_by(_table.id.desc())
    .limit(1)
    .with_for_update(skip_locked=True)
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

_SENT: Final = (
    select(notifications.c.id)
    .where(
        notifications.c.violation_id == bindparam("violation"),
        notifications.c.event == "resolved",
        notifications.c.message_key.is_not(None),
    )
    .limit(1)
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
"""Another repository's violation of the same cause: as `_SHARING` selects it."""


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
    named = {f"the_{name}": value for name, value in key._asdict().items()}
    parameters = {"repository": repository_id, "since": now - FLAPPING, **named}
    return connection.execute(_ENDED, parameters).one_or_none()


def read_beginning(connection: Connection, violation_id: int) -> EpisodeStart:
    """The cause of an episode that is not over, and what was before it."""
    row = connection.execute(_BEGINNING, {"violation": violation_id}).one()
    return EpisodeStart(read_cause(row.cause, row.cause_key), *row[2:])


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
    return connection.execute(_SENT, {"violation": violation_id}).first() is not None


def lock_own(
    connection: Connection, repository_ids: Collection[int], now: datetime
) -> None:
    """Take the episodes of our repositories that may go on, before one of another
    repository is taken: who has ours and goes on with its own is waited for here, and
    does not wait for us."""
    if not settles_at_once(connection.dialect):
        parameters = {
            "ids": listed(sorted(repository_ids)),
            "since": now - FLAPPING,
        }
        connection.execute(_OWN, parameters)


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
    parameters = {
        "repository": repository_id,
        "the_platform": platform,
        "key": cause_key,
        "since": now - RECENT,
    }
    return connection.execute(_SHARING, parameters).one_or_none()
