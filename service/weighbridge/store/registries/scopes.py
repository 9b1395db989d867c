"""Rows of `storage_scopes`: the sets inside which a registry keeps a blob once."""

from collections.abc import Collection, Mapping
from typing import Final

from sqlalchemy import Connection, bindparam, select

from weighbridge.store.dialect import BulkInsert, among_texts, listed
from weighbridge.store.models import registries, storage_scopes

_FIND: Final = select(storage_scopes.c.name, storage_scopes.c.id).where(
    storage_scopes.c.registry_id == bindparam("registry"),
    among_texts(storage_scopes.c.name),
)
_NEW: Final = BulkInsert(
    storage_scopes,
    "registry_id",
    "name",
    "image_count",
    "weighed_bytes",
    "deduplicated_bytes",
    "shared_bytes",
    "revision",
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
        _NEW.add(connection, new)
        known = _find(connection, registry_id, wanted)
    return {repository: known[name] for repository, name in names.items()}


def _find(
    connection: Connection, registry_id: int, names: Collection[str]
) -> dict[str, int]:
    parameters = {"registry": registry_id, "names": listed(names)}
    return {row.name: row.id for row in connection.execute(_FIND, parameters)}
