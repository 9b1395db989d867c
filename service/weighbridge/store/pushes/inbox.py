"""The inbox of webhooks: rows of `pushes`, written before the sender is answered;
which of them wait to be handled, what came of them, and how the handling of pushed tags
begins and ends: the row of their repository.
"""

import hashlib
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from msgspec import Struct
from sqlalchemy import Connection, bindparam, case, func, literal, or_, select, update

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.webhook.webhook_source import PushSeen
from weighbridge.store.dialect import (
    NumberedRows,
    among_bytes,
    among_ids,
    among_texts,
    listed,
)
from weighbridge.store.dialect.server import time_of_server
from weighbridge.store.leases.claiming import (
    STARTS,
    Claim,
    claim,
    is_ours,
    stale,
)
from weighbridge.store.models import (
    blobs,
    pushes,
    registries,
    repositories,
    tags,
    violations,
)
from weighbridge.store.models.types import DigestBytes, Moment
from weighbridge.store.registries.repository_rows import put_repositories

_NEW: Final = NumberedRows(
    pushes,
    "registry",
    "source",
    "event_key",
    "repository",
    "tag",
    "digest",
    "is_delete",
    "pushed_at",
    "received_at",
    "due_at",
    "attempts",
    "outcome",
    key="event_key",
)
_TAKEN: Final = select(pushes.c.event_key).where(among_bytes(pushes.c.event_key))


class ReceivedPush(Struct, frozen=True):
    """A push, who told it, and of which configured registry."""

    registry: str
    source: str
    push: PushSeen

    @property
    def event_key(self) -> bytes:
        """The same for the same event, told again. Another one each time where its
        sender has no name for it."""
        event = self.push.event or os.urandom(16).hex()
        text = "\0".join((self.source, self.registry, event))
        return hashlib.sha256(text.encode(errors="replace")).digest()


def keep_pushes(
    connection: Connection, received: Sequence[ReceivedPush], now: datetime
) -> list[bool]:
    """Keep each push that was not told before, to be handled from now on.

    Returns, push by push, whether it is new; of two that are the same the first.
    """
    keys = [each.event_key for each in received]
    found = set(connection.execute(_TAKEN, {"hashes": listed(keys)}).scalars())
    new: dict[bytes, ReceivedPush] = {}
    is_first = []
    for key, each in zip(keys, received, strict=True):
        is_first.append(key not in found and key not in new)
        if is_first[-1]:
            new[key] = each
    # What is due is judged by the database's clock.
    due_at = (time_of_server(connection) or now).astimezone(UTC)
    # Where several processes are told the same at once, one of them was first. Sorted,
    # so that two of them do not wait for each other.
    rows = [_row(new[key], key, now, due_at) for key in sorted(new)]
    added = _NEW.add(connection, rows)
    return [is_new and k in added for k, is_new in zip(keys, is_first, strict=True)]


def _row(
    received: ReceivedPush, key: bytes, now: datetime, due_at: datetime
) -> tuple[object, ...]:
    push = received.push
    return (
        received.registry,
        received.source,
        key,
        push.repository,
        push.tag,
        push.digest,
        push.is_delete,
        # A sender's clock may be ahead; what is newer than now would stay the newest.
        None if push.pushed_at is None else min(push.pushed_at, now),
        now,
        due_at,
        0,
        "",
    )


MOST: Final = 10_000
"""Rows that are taken at once. Nearly all of so many tell of the same few tags."""
BURST: Final = timedelta(seconds=10)
CHECKS_IN_A_BURST: Final = 2
"""A tag is handled so often within that time, however many events tell of it."""
TOO_EARLY: Final = "too_early"
"""What is said of events that are handled again, as they have not come true yet."""
EARLY: Final = timedelta(seconds=3)
"""Such an attempt comes sooner than that."""

_table = pushes.c
_WAITS: Final = (
    _table.registry == bindparam("registry"),
    _table.repository == bindparam("repository"),
    _table.done_at.is_(None),
)


class WaitingPush(Struct, frozen=True):
    """One event that nobody has handled yet, as its sender told it.

    tag:      None where the sender did not say it
    attempts: how many brought no answer
    """

    id: int
    tag: str | None
    digest: Digest | None
    is_delete: bool
    pushed_at: datetime | None
    received_at: datetime
    attempts: int


_TAKE: Final = (
    select(*(_table[name] for name in WaitingPush.__struct_fields__))
    .where(*_WAITS, _table.due_at <= bindparam("now", type_=Moment()))
    .order_by(_table.id)
    .limit(bindparam("most"))
)
_WHOLE: Final = select(_table.repository, _table.id).where(
    _table.registry == bindparam("registry"),
    among_texts(_table.repository),
    _table.done_at.is_(None),
    _table.tag.is_(None),
)
_PUSHED_TO: Final = (
    select(_table.repository)
    .distinct()
    .where(
        _table.registry == bindparam("registry"),
        among_texts(_table.repository),
        _table.done_at.is_(None),
        _table.due_at <= bindparam("now", type_=Moment()),
    )
)
_NEXT: Final = select(func.min(_table.due_at)).where(*_WAITS)
_LOOKS: Final = (
    select(_table.tag, _table.done_at)
    .where(
        _table.registry == bindparam("registry"),
        _table.repository == bindparam("repository"),
        _table.done_at > bindparam("since", type_=Moment()),
        _table.done_at <= bindparam("soon", type_=Moment()),
        _table.tag.is_not(None),
    )
    .group_by(_table.tag, _table.done_at)
)
_EARLY_LOOKS: Final = (
    select(_table.tag, _table.due_at)
    .where(
        *_WAITS,
        _table.due_at <= bindparam("soon", type_=Moment()),
        _table.outcome == TOO_EARLY,
        _table.tag.is_not(None),
    )
    .group_by(_table.tag, _table.due_at)
)
_TAGS_AT: Final = (
    select(tags.c.name)
    .join(blobs, blobs.c.id == tags.c.target_id)
    .where(
        tags.c.repository_id == bindparam("repository"),
        blobs.c.digest == bindparam("digest", type_=DigestBytes()),
        tags.c.deleted_at.is_(None),
    )
    .order_by(tags.c.name)
    .limit(bindparam("most"))
)


class PushedTo(NamedTuple):
    """A repository as events name it."""

    registry: str
    repository: str


class InboxState(Struct, frozen=True):
    """How much waits; `oldest_at`: since when, None where nothing does."""

    waiting: int
    oldest_at: datetime | None


def take(connection: Connection, to: PushedTo, now: datetime) -> list[WaitingPush]:
    """What is to be handled now, oldest first; the rest follows.

    Nothing is written: rows are done in the transaction that keeps what was found, and
    only those that were taken, so that a push which comes meanwhile is handled again.
    """
    parameters = {**to._asdict(), "now": now, "most": MOST}
    return [WaitingPush(*row) for row in connection.execute(_TAKE, parameters)]


def waiting_for_whole(
    connection: Connection, repositories: Sequence[PushedTo]
) -> list[list[int]]:
    """Of each, the pushes that a whole crawl answers which begins now, due or not."""
    found: dict[PushedTo, list[int]] = {to: [] for to in repositories}
    for registry, names in _by_registry(repositories):
        parameters = {"registry": registry, "names": listed(names)}
        for name, number in connection.execute(_WHOLE, parameters):
            found[PushedTo(registry, name)].append(number)
    return [found[to] for to in repositories]


def are_pushed_to(
    connection: Connection, repositories: Collection[PushedTo], now: datetime
) -> set[PushedTo]:
    """Those for which something waits that is due."""
    found: set[PushedTo] = set()
    for registry, names in _by_registry(repositories):
        parameters = {"registry": registry, "names": listed(names), "now": now}
        rows = connection.execute(_PUSHED_TO, parameters).scalars()
        found |= {PushedTo(registry, name) for name in rows}
    return found


def _by_registry(repositories: Iterable[PushedTo]) -> Iterable[tuple[str, list[str]]]:
    names: dict[str, set[str]] = {}
    for to in repositories:
        names.setdefault(to.registry, set()).add(to.repository)
    return [(registry, sorted(those)) for registry, those in names.items()]


def next_due(connection: Connection, to: PushedTo) -> datetime | None:
    """When the next of a repository's pushes is due; None: none waits."""
    found: datetime | None = connection.execute(_NEXT, to._asdict()).scalar()
    return found


def too_soon(
    connection: Connection, to: PushedTo, now: datetime
) -> Mapping[str, datetime]:
    """Tags that were handled often enough just now, and when they may be again.

    Looks that left an event waiting count as well: whoever tells again and again of
    what never comes true would have each event handled. They count as made when the
    next one is due, some moments later.
    """
    parameters = {**to._asdict(), "since": now - BURST, "soon": now + EARLY}
    looks: dict[str, list[datetime]] = {}
    for statement in (_LOOKS, _EARLY_LOOKS):
        for tag, at in connection.execute(statement, parameters):
            looks.setdefault(tag, []).append(at)
    return {
        tag: sorted(times)[-CHECKS_IN_A_BURST] + BURST
        for tag, times in looks.items()
        if len(times) >= CHECKS_IN_A_BURST
    }


def note_done(
    connection: Connection, ids: Collection[int], outcome: str, now: datetime
) -> None:
    """Keep what came of pushes."""
    _change(connection, ids, done_at=now, outcome=outcome)


def put_off(
    connection: Connection, ids: Collection[int], due_at: datetime, why: str
) -> None:
    """Look at pushes again later, as there was no answer this time."""
    attempts = _table.attempts + 1
    _change(connection, ids, due_at=due_at, outcome=why, attempts=attempts)


def hold_back(connection: Connection, ids: Collection[int], due_at: datetime) -> None:
    """Look at pushes later; nothing was wrong."""
    _change(connection, ids, due_at=due_at)


def _change(connection: Connection, ids: Collection[int], **values: object) -> None:
    """Those that are not done."""
    if ids:
        connection.execute(
            update(pushes)
            .where(among_ids(_table.id), _table.done_at.is_(None))
            .values(**values),
            {"ids": listed(sorted(ids))},
        )


def drop_waiting(connection: Connection, to: PushedTo, why: str, now: datetime) -> None:
    """Have nobody handle what waits for a repository."""
    connection.execute(
        update(pushes)
        .where(
            _table.registry == to.registry,
            _table.repository == to.repository,
            _table.done_at.is_(None),
        )
        .values(done_at=now, outcome=why)
    )


def pushed_to(connection: Connection, now: datetime, most: int) -> list[PushedTo]:
    """The repositories for which pushes wait that are due, oldest push first."""
    rows = connection.execute(
        select(_table.registry, _table.repository)
        .where(_table.done_at.is_(None), _table.due_at <= now)
        .group_by(_table.registry, _table.repository)
        .order_by(func.min(_table.id))
        .limit(most)
    )
    return [PushedTo(*row) for row in rows]


def inbox(connection: Connection) -> InboxState:
    """What waits, of all repositories."""
    row = connection.execute(
        select(func.count(), func.min(_table.received_at)).where(
            _table.done_at.is_(None)
        )
    ).one()
    return InboxState(*row)


def tags_at(
    connection: Connection, repository_id: int, digest: Digest, most: int
) -> list[str]:
    """Live tags of a repository that have this digest, as far as we know."""
    parameters = {"repository": repository_id, "digest": digest, "most": most}
    return list(connection.execute(_TAGS_AT, parameters).scalars())


_repository = repositories.c
_AWAY: Final = ("missing", "deleted")


class KnownRepository(NamedTuple):
    """A repository as it is known.

    is_deleted:   the registry had it once
    parked_until: its crawls have ended their process again and again; None: not so
    """

    repository_id: int
    is_deleted: bool
    parked_until: datetime | None


def find_known(
    connection: Connection, to: PushedTo, now: datetime
) -> KnownRepository | None:
    """The repository, gone ones too; None: it was never seen."""
    row = connection.execute(
        select(
            _repository.id,
            _repository.deleted_at,
            _repository.attempts,
            _repository.due_at,
        )
        .join(registries, registries.c.id == _repository.registry_id)
        .where(registries.c.name == to.registry, _repository.name == to.repository)
    ).one_or_none()
    if row is None:
        return None
    is_parked = row.attempts >= STARTS and row.due_at > now
    parked_until = row.due_at if is_parked else None
    return KnownRepository(row.id, row.deleted_at is not None, parked_until)


def claim_new(
    connection: Connection,
    registry_id: int,
    repository: str,
    *,
    now: datetime,
    lease_s: float,
    owner: str,
) -> Claim | None:
    """Add a repository that the registry was found to have, and take it. None where
    somebody else has found it meanwhile: what was heard before that may be old."""
    ids = put_repositories(connection, registry_id, [repository], now)
    taken = claim(
        connection,
        ids[repository],
        now=now,
        lease_s=lease_s,
        owner=owner,
        is_push=True,
    )
    return taken if taken is not None and taken.fence == 1 else None


def end_check(
    connection: Connection,
    held: Claim,
    now: datetime,
    *,
    requests: int,
    bytes_read: int,
    is_there: bool,
    is_due: bool,
) -> None:
    """Give a claim back after some tags were handled, which says nothing of the others.
    Raises StaleFence.

    is_there: a tag was found: a repository that was missing or gone is new again, and
              all of it is to be handled
    is_due:   that is wanted anyway
    """
    is_back = _repository.state.in_(_AWAY) if is_there else literal(False)
    wanted = or_(is_back, literal(is_due))
    ended = connection.execute(
        update(repositories)
        .where(*is_ours(held))
        .values(
            state=case((is_back, "new"), else_=_repository.state),
            state_reason=case((is_back, ""), else_=_repository.state_reason),
            state_since=case(
                (is_back, literal(now, Moment())), else_=_repository.state_since
            ),
            deleted_at=None if is_there else _repository.deleted_at,
            missing_crawls=0 if is_there else _repository.missing_crawls,
            due_at=case(
                (wanted & (_repository.due_at > now), literal(now, Moment())),
                # It was put off in case that it ends us, and it has not.
                (
                    _repository.due_at == literal(held.due_at, Moment()),
                    literal(held.due_before, Moment()),
                ),
                else_=_repository.due_at,
            ),
            lease_until=None,
            lease_owner=None,
            attempts=_repository.attempts - 1,
            requests=_repository.requests + requests,
            bytes_read=_repository.bytes_read + bytes_read,
            revision=_repository.revision + 1,
        )
    )
    if ended.rowcount != 1:
        raise stale(held)


def worst_of(
    connection: Connection, repository_id: int, tags: Collection[str]
) -> Mapping[str, set[str]]:
    """The severities of the violations that these tags opened or kept open."""
    rows = connection.execute(
        select(violations.c.tag, violations.c.severity)
        .where(
            violations.c.repository_id == repository_id,
            violations.c.closed_at.is_(None),
            violations.c.tag.in_(sorted(tags)),
        )
        .distinct()
    )
    found: dict[str, set[str]] = {}
    for tag, severity in rows:
        found.setdefault(tag, set()).add(severity)
    return found
