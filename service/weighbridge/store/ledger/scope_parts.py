"""The parts of a storage scope: one for each entry that names its address.

An address is one registry, so what its entries hold is kept once, whoever of them
crawls it. Each entry has a row of `storage_scopes` of its own, with its own totals;
rows of one address and name are one scope, and settled together.
"""

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection, and_, bindparam, select

from weighbridge.store.dialect import Purpose, among_ids, listed, lock
from weighbridge.store.models import registries, storage_scopes

_scope = storage_scopes.alias("scope")
_entry = registries.alias("entry")
_PARTS: Final = (
    select(_scope.c.id.label("scope_id"), storage_scopes.c.id)
    .select_from(_scope)
    .join(_entry, _entry.c.id == _scope.c.registry_id)
    .join(registries, registries.c.address == _entry.c.address)
    .join(
        storage_scopes,
        and_(
            storage_scopes.c.registry_id == registries.c.id,
            storage_scopes.c.name == _scope.c.name,
        ),
    )
    .where(among_ids(_scope.c.id))
    .order_by(_scope.c.id, storage_scopes.c.id)
)
_OWN: Final = select(storage_scopes.c.id).where(
    storage_scopes.c.registry_id == bindparam("registry")
)


def parts_of(connection: Connection, scope_ids: Collection[int]) -> Sequence[int]:
    """These rows of `storage_scopes`, and those that are one scope with them; by id."""
    return sorted(set().union(*parts_by_scope(connection, scope_ids).values()))


def parts_by_scope(
    connection: Connection, scope_ids: Collection[int]
) -> dict[int, list[int]]:
    """The same by each of the rows."""
    parts: dict[int, list[int]] = {}
    parameters = {"ids": listed(sorted(scope_ids))}
    for scope, part in connection.execute(_PARTS, parameters):
        parts.setdefault(scope, []).append(part)
    return parts


def lock_settling(connection: Connection, scope_ids: Collection[int]) -> None:
    """Nobody else settles these scopes, in any of their parts, until we commit."""
    for part in parts_of(connection, scope_ids):
        lock(connection, Purpose.SETTLE, part)


def scopes_beside(connection: Connection, registry_id: int) -> Sequence[int]:
    """The scopes of a registry that other entries of its address have a part in, with
    these parts."""
    own = list(connection.execute(_OWN, {"registry": registry_id}).scalars())
    parts = parts_of(connection, own)
    return parts if len(parts) > len(own) else []


class LedgerPlace(NamedTuple):
    """A repository and the storage scope that it belongs to."""

    repository_id: int
    scope_id: int
