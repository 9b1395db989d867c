"""Which repositories are due, and which are left alone for a while."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    case,
    exists,
    literal,
    literal_column,
    or_,
    select,
    type_coerce,
    update,
)

from weighbridge.store.dialect import (
    among_ids,
    among_texts,
    listed,
)
from weighbridge.store.leases.claiming import (
    STARTS,
    is_free,
)
from weighbridge.store.leases.process_mark import has_ended
from weighbridge.store.locks import lock_repositories
from weighbridge.store.models import (
    registries,
    repositories,
)
from weighbridge.store.models.types import Moment


def is_due(
    registry_id: ColumnElement[int] | int, now: datetime
) -> tuple[ColumnElement[bool], ...]:
    """Repositories of a registry whose time has come and that nobody works on. None
    of one that is unreachable: it is asked itself first."""
    return (
        repositories.c.registry_id == registry_id,
        repositories.c.due_at <= now,
        repositories.c.deleted_at.is_(None),
        is_free(now),
        exists().where(
            registries.c.id == registry_id, registries.c.state != "unreachable"
        ),
    )


def is_any_due(connection: Connection, registry: str, now: datetime) -> bool:
    """Whether a repository of a registry is due that nobody works on."""
    registry_id = (
        select(registries.c.id).where(registries.c.name == registry).scalar_subquery()
    )
    due = (
        select(repositories.c.id)
        .where(*is_due(registry_id, now))
        .order_by(repositories.c.due_at)
    )
    return connection.execute(due.limit(1)).first() is not None


def put_off(
    connection: Connection, repository_ids: Collection[int], due_at: datetime
) -> None:
    """Have repositories crawled no sooner than that, unless somebody does now."""
    lock_repositories(connection, sorted(repository_ids))
    connection.execute(
        update(repositories)
        .where(among_ids(repositories.c.id), repositories.c.due_at < due_at)
        .values(due_at=due_at),
        {"ids": listed(sorted(repository_ids))},
    )


def have_due(
    connection: Connection, repository_ids: Collection[int], now: datetime
) -> None:
    """Have repositories crawled as soon as may be, and one that is being crawled just
    now once more after that: its crawl may be beyond what it is asked for."""
    lock_repositories(connection, sorted(repository_ids))
    # Whoever has a claim tells by the time that there is such a wish: it is another
    # one than the claim has, however often and at whatever moment it is wished.
    sooner = type_coerce(repositories.c.due_at, BigInteger) - 1
    is_to_come = repositories.c.due_at > now
    connection.execute(
        update(repositories)
        .where(
            among_ids(repositories.c.id),
            or_(is_to_come, repositories.c.lease_until.is_not(None)),
        )
        .values(
            due_at=case(
                (is_to_come, literal(now, Moment())),
                else_=type_coerce(sooner, Moment()),
            )
        ),
        {"ids": listed(sorted(repository_ids))},
    )


def free_left_behind(connection: Connection, now: datetime) -> int:
    """Free the repositories of processes that are known to have ended, so that nobody
    waits for their leases; how many. Of another machine's processes we know nothing."""
    held = connection.execute(
        select(repositories.c.id, repositories.c.lease_owner).where(
            # By the index of what is in hand, which is little.
            repositories.c.lease_owner.is_not(None),
            repositories.c.lease_until > now,
        )
    ).all()
    ended = {mark for mark in {row.lease_owner for row in held} if has_ended(mark)}
    ids = sorted(row.id for row in held if row.lease_owner in ended)
    if not ids:
        return 0
    lock_repositories(connection, ids)
    freed = connection.execute(
        update(repositories)
        .where(
            among_ids(repositories.c.id),
            among_texts(repositories.c.lease_owner, "owners"),
        )
        .values(lease_until=None, lease_owner=None),
        {"ids": listed(ids), "owners": listed(sorted(ended))},
    )
    return freed.rowcount


def park_poison(connection: Connection, now: datetime) -> list[str]:
    """Mark the repositories whose crawls were begun `STARTS` times in vain, as whatever
    is in them ends the process; returns their names. When they are due again has been
    said by their last claim."""
    is_poison = (
        # As a constant: only so the planners know that the index has them all.
        repositories.c.attempts >= literal_column(str(STARTS)),
        repositories.c.deleted_at.is_(None),
        repositories.c.state_reason != "poison",
        is_free(now),
    )
    ids = list(
        connection.execute(select(repositories.c.id).where(*is_poison)).scalars()
    )
    if not ids:
        return []
    lock_repositories(connection, ids)
    parked = connection.execute(
        update(repositories)
        .where(among_ids(repositories.c.id), *is_poison)
        .values(
            state="error",
            state_reason="poison",
            state_since=now,
            lease_until=None,
            lease_owner=None,
            revision=repositories.c.revision + 1,
        )
        .returning(repositories.c.name),
        {"ids": listed(ids)},
    )
    return sorted(parked.scalars())
