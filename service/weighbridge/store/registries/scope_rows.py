"""Rows of `storage_scopes`: which of them each repository of a registry belongs to."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, case, select, update

from weighbridge.store.dialect import (
    BulkInsert,
    BulkUpdate,
    among_ids,
    among_texts,
    listed,
)
from weighbridge.store.dialect.many_rows import Rows
from weighbridge.store.ledger.counts import mark_uncounted, mark_unmeasured
from weighbridge.store.ledger.holdings import move_holdings
from weighbridge.store.ledger.scopes import LedgerPlace
from weighbridge.store.models import registries, repositories, storage_scopes
from weighbridge.store.models.types import Moment
from weighbridge.store.session import lock_repositories

_scope = storage_scopes.c
_table = repositories.c
_IDS: Final = Rows(
    select(_scope.name, _scope.id).where(
        _scope.registry_id == bindparam("registry"), among_texts(_scope.name)
    )
)
_NEW_SCOPES: Final = BulkInsert(
    storage_scopes,
    "registry_id",
    "name",
    "image_count",
    "weighed_bytes",
    "deduplicated_bytes",
    "shared_bytes",
    "revision",
)

_MOVE: Final = BulkUpdate(repositories, key=["id"], values=["scope_id"])
_NOW: Final = bindparam("now", type_=Moment())
_LET_GO: Final = (
    update(repositories)
    .where(among_ids(_table.id))
    .values(
        due_at=case((_table.lease_owner.is_not(None), _NOW), else_=_table.due_at),
        lease_until=None,
        lease_owner=None,
        fence=_table.fence + 1,
        revision=_table.revision + 1,
    )
)


def scope_name(kind: str, repository: str) -> str:
    """The scope that a repository belongs to.

    kind: `registry`, where a blob is kept once for all; `project`, for the first
        component of the name; `repository`, for itself
    """
    if kind == "registry":
        return ""
    return repository.partition("/")[0] if kind == "project" else repository


def put_scopes(
    connection: Connection, registry_id: int, repositories: Collection[str]
) -> Mapping[str, int]:
    """The scope id of each repository; scopes that are new are stored."""
    kind: str = connection.execute(
        select(registries.c.storage_scope).where(registries.c.id == registry_id)
    ).scalar_one()
    names = {repository: scope_name(kind, repository) for repository in repositories}
    wanted = sorted(set(names.values()))
    known = _find(connection, registry_id, wanted)
    new = [(registry_id, name, 0, 0, 0, 0, 0) for name in wanted if name not in known]
    if new:
        _NEW_SCOPES.add(connection, new)
        known = _find(connection, registry_id, wanted)
    return {repository: known[name] for repository, name in names.items()}


def _find(
    connection: Connection, registry_id: int, names: Collection[str]
) -> dict[str, int]:
    parameters = {"registry": registry_id, "names": listed(names)}
    return dict(_IDS.read(connection, parameters))


def change_scopes(connection: Connection, registry_id: int, now: datetime) -> None:
    """Let every repository of a registry, whose row says already inside what it keeps
    a blob once, count there. What was crawled stays; a crawl that goes on finds its
    fence stale, and its repository is due at once."""
    statement = (
        select(_table.id, _table.name, _table.scope_id)
        .where(_table.registry_id == registry_id)
        .order_by(_table.id)
    )
    ids = [row.id for row in connection.execute(statement)]
    lock_repositories(connection, ids)
    rows = connection.execute(statement).all()
    scopes = put_scopes(connection, registry_id, [row.name for row in rows])
    moves = [
        (LedgerPlace(row.id, row.scope_id), scopes[row.name])
        for row in rows
        if scopes[row.name] != row.scope_id
    ]
    move_holdings(connection, moves)
    moved = [place.repository_id for place, _ in moves]
    mark_uncounted(connection, moved)
    mark_unmeasured(connection, moved)
    connection.execute(_LET_GO, {"ids": listed(moved), "now": now})
    _MOVE.set(connection, [(place.repository_id, scope) for place, scope in moves])
