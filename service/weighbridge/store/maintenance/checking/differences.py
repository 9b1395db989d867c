"""What `db verify` tells: a value as it is stored and as it was counted anew."""

from collections.abc import Iterator
from typing import Final, Literal, TypeAlias

from msgspec import Struct, field
from sqlalchemy import Connection, bindparam, select

from weighbridge.store.maintenance.checking.wrongs import SHARED, Name, Values, Wrong
from weighbridge.store.models import (
    blobs,
    crawls,
    registries,
    repositories,
    storage_scopes,
    tags,
)

_REPOSITORY: Final = (
    select(registries.c.name, repositories.c.name)
    .join_from(repositories, registries, registries.c.id == repositories.c.registry_id)
    .where(repositories.c.id == bindparam("number"))
)
_SCOPE: Final = (
    select(registries.c.name, storage_scopes.c.name)
    .join_from(
        storage_scopes, registries, registries.c.id == storage_scopes.c.registry_id
    )
    .where(storage_scopes.c.id == bindparam("number"))
)
_BLOB: Final = select(blobs.c.digest).where(blobs.c.id == bindparam("number"))
_TAG: Final = select(tags.c.repository_id, tags.c.name).where(
    tags.c.id == bindparam("number")
)
_CRAWL: Final = select(crawls.c.repository_id).where(crawls.c.id == bindparam("number"))
_REMEMBERED: Final = 50_000

Kind: TypeAlias = Name | Literal["tag", "crawl"]


class Difference(Struct, frozen=True):
    """One value. None: no row, or no value."""

    table: str
    where: str
    what: str
    stored: int | str | None
    recounted: int | str | None


class NamesOfIds(Struct):
    """What ids are called, for people."""

    _known: dict[tuple[Kind, int], str] = field(default_factory=dict)

    def of(self, connection: Connection, kind: Kind, number: int) -> str:
        """A repository's or scope's name, a blob's digest; `kind 7` of what is not
        there."""
        key = (kind, number)
        if key not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = self._find(connection, kind, number)
        return self._known[key]

    def _find(self, connection: Connection, kind: Kind, number: int) -> str:
        parameters = {"number": number}
        if kind == "tag":
            row = connection.execute(_TAG, parameters).one_or_none()
            if row is not None:
                return f"{self.of(connection, 'repository', row[0])}:{row[1]}"
        if kind == "crawl":
            row = connection.execute(_CRAWL, parameters).one_or_none()
            if row is not None:
                where = self.of(connection, "repository", row[0])
                return f"{where} crawl {number}"
        statements = {"repository": _REPOSITORY, "scope": _SCOPE, "blob": _BLOB}
        if kind in statements:
            row = connection.execute(statements[kind], parameters).one_or_none()
            if row is not None:
                return "/".join(part for part in row if part)
        return f"{kind} {number}"


def differences(
    connection: Connection, wrong: Wrong, names: NamesOfIds
) -> Iterator[Difference]:
    """The values in which a wrong row differs."""
    parts = zip(wrong.kept.key.values(), wrong.key, strict=True)
    named = {kind: names.of(connection, kind, number) for kind, number in parts}
    if "repository" in named:
        named.pop("scope", None)
    for place, column in enumerate(wrong.kept.values):
        stored = None if wrong.stored is None else wrong.stored[place]
        counted = None if wrong.counted is None else wrong.counted[place]
        if stored == counted and None not in (wrong.stored, wrong.counted):
            continue
        where = " ".join(named.values())
        if wrong.kept is SHARED:
            before = _holder(connection, names, wrong.stored)
            now = _holder(connection, names, wrong.counted)
            yield Difference("scope_blobs", where, "held by", before, now)
        else:
            table = wrong.kept.table.name
            yield Difference(table, where, column, stored, counted)


def _holder(
    connection: Connection, names: NamesOfIds, row: Values | None
) -> str | None:
    if row is None:
        return None
    return names.of(connection, "repository", row[0]) if row[0] else "several"
