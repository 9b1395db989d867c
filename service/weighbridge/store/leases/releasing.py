"""Gives claims back that have come to no result, and takes back what they did in case
that their work ends the process."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from sqlalchemy import (
    Connection,
    bindparam,
    case,
    func,
    literal,
    literal_column,
    null,
    update,
)

from weighbridge.store.dialect import BulkUpdate, among_ids, listed
from weighbridge.store.leases.claiming import IS_HELD, Claim, lock_ours
from weighbridge.store.locks import lock_repositories
from weighbridge.store.models import repositories
from weighbridge.store.models.types import Moment

_table = repositories.c
_RELEASE: Final = BulkUpdate(
    repositories,
    key=("id", "fence"),
    values=(),
    also={
        "lease_until": null(),
        "lease_owner": null(),
        "attempts": _table.attempts - literal_column("1"),
    },
    only=IS_HELD,
)
_COUNT_ANEW: Final = BulkUpdate(
    repositories,
    key=("id", "fence"),
    values=(),
    also={"attempts": literal_column("1")},
    only=IS_HELD,
)
# Not where somebody has wished for one more meanwhile.
_AS_BEFORE: Final = (
    update(repositories)
    .where(
        _table.id == bindparam("repository"),
        _table.fence == bindparam("held_fence"),
        _table.due_at == bindparam("put_off"),
        IS_HELD,
    )
    .values(due_at=bindparam("before"))
)


def release(connection: Connection, held: Claim) -> None:
    """`release_many` of one."""
    release_many(connection, [held])


def release_many(connection: Connection, claims: Collection[Claim]) -> None:
    """Give claims back without a result, so that others need not wait for the leases
    to end. Nothing happens to one that is not ours any more."""
    lock_repositories(connection, {held.repository_id for held in claims})
    _be_due_as_before(connection, claims)
    _RELEASE.set(connection, [(held.repository_id, held.fence) for held in claims])


def count_anew(connection: Connection, claims: Collection[Claim]) -> None:
    """Count the starts of claims' work from this one on: it has stored something, so
    that whoever begins it again gets further. Nothing happens to a claim that is not
    ours any more."""
    again = [held for held in claims if held.starts > 1]
    _be_due_as_before(connection, again)
    _COUNT_ANEW.set(connection, [(held.repository_id, held.fence) for held in again])


def _be_due_as_before(connection: Connection, claims: Collection[Claim]) -> None:
    """They were put off in case that they end us, and they have not."""
    for held in claims:
        if held.due_at != held.due_before:
            connection.execute(
                _AS_BEFORE,
                {
                    "repository": held.repository_id,
                    "held_fence": held.fence,
                    "put_off": held.due_at,
                    "before": held.due_before,
                },
            )


def give_up(connection: Connection, held: Claim, retry_at: datetime) -> None:
    """`give_up_many` of one."""
    give_up_many(connection, [held], retry_at)


def give_up_many(
    connection: Connection, claims: Collection[Claim], retry_at: datetime
) -> None:
    """Give claims back whose crawls have failed for a reason of our own: they count as
    begun, and are tried again no sooner than that."""
    later = case((_table.due_at < retry_at, literal(retry_at, Moment())))
    connection.execute(
        update(repositories)
        .where(among_ids(_table.id))
        .values(
            lease_until=None,
            lease_owner=None,
            due_at=func.coalesce(later, _table.due_at),
        ),
        {"ids": listed(sorted(lock_ours(connection, claims)))},
    )
