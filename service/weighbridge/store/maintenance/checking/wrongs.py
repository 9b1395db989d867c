"""Rows of the ledger that are not what they should be, and their repair."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal, TypeAlias

from msgspec import Struct
from sqlalchemy import Connection, Table

from weighbridge.store.dialect import BulkDelete, BulkUpdate, BulkUpsert
from weighbridge.store.models import (
    blobs,
    manifest_sizes,
    repository_blobs,
    repository_manifests,
    repository_summaries,
    scope_blobs,
    storage_scopes,
)

Values: TypeAlias = tuple[int | None, ...]
Name: TypeAlias = Literal["blob", "repository", "scope"]
_PIECE: Final = 2_000


class Kept:
    """A table whose rows are counted from others.

    key:    its key columns, with what each is an id of
    values: the columns that are counted
    always: whether each key has a row, even if it counts nothing
    """

    def __init__(
        self,
        table: Table,
        key: Mapping[str, Name],
        values: Sequence[str],
        *,
        always: bool = False,
    ) -> None:
        self.table = table
        self.key = dict(key)
        self.values = tuple(values)
        columns = tuple(key)
        if always:
            also = {"revision": table.c.revision + 1} if "revision" in table.c else {}
            self._set = BulkUpdate(table, key=columns, values=values, also=also)
        self._always = always
        self._put = BulkUpsert(table, key=columns, values=values)
        self._unneeded = BulkDelete(table, key=columns)

    def repair(self, connection: Connection, wrongs: Sequence["Wrong"]) -> None:
        """Write what was counted in the place of what was stored."""
        rows = [w.key + w.counted for w in wrongs if w.counted is not None]
        if self._always:
            self._set.set(connection, rows)
            return
        self._put.put(connection, rows)
        self._unneeded.remove(connection, [w.key for w in wrongs if w.counted is None])


COUNTED: Final = Kept(blobs, {"id": "blob"}, ["counted_bytes"], always=True)
WEIGHTS: Final = Kept(
    manifest_sizes,
    {"scope_id": "scope", "manifest_id": "blob"},
    ["stored_bytes", "compressed_bytes", "uncompressed_bytes"],
    always=True,
)
MANIFESTS: Final = Kept(
    repository_manifests,
    {"repository_id": "repository", "manifest_id": "blob"},
    ["tag_count", "index_count"],
)
BLOBS: Final = Kept(
    repository_blobs,
    {"scope_id": "scope", "blob_id": "blob", "repository_id": "repository"},
    ["manifest_count"],
)
SHARED: Final = Kept(
    scope_blobs, {"scope_id": "scope", "blob_id": "blob"}, ["sole_repository_id"]
)
SCOPES: Final = Kept(
    storage_scopes,
    {"id": "scope"},
    ["image_count", "weighed_bytes", "deduplicated_bytes", "shared_bytes"],
    always=True,
)
SUMMARIES: Final = Kept(
    repository_summaries,
    {"repository_id": "repository"},
    ["tag_count", "image_count", "deduplicated_bytes"],
    always=True,
)
EXCLUSIVE: Final = Kept(
    repository_summaries,
    {"repository_id": "repository"},
    ["exclusive_bytes"],
    always=True,
)


class Wrong(Struct, frozen=True):
    """A row as it is stored and as it was counted; None: no row."""

    kept: Kept
    key: tuple[int, ...]
    stored: Values | None
    counted: Values | None


def compare(
    kept: Kept,
    prefix: tuple[int, ...],
    stored: Mapping[tuple[int, ...], Values],
    counted: Mapping[tuple[int, ...], Values],
) -> Iterator[Wrong]:
    """Keys, without their common prefix, whose rows differ."""
    for key in sorted(stored.keys() | counted.keys()):
        before, now = stored.get(key), counted.get(key)
        if before != now:
            yield Wrong(kept, prefix + key, before, now)


def repaired(connection: Connection, wrongs: Iterable[Wrong]) -> Iterator[Wrong]:
    """Repair wrong rows, some at a time, and hand them on."""
    waiting: dict[Kept, list[Wrong]] = {}
    for wrong in wrongs:
        waiting.setdefault(wrong.kept, []).append(wrong)
        if len(waiting[wrong.kept]) >= _PIECE:
            wrong.kept.repair(connection, waiting.pop(wrong.kept))
        yield wrong
    for kept, rest in waiting.items():
        kept.repair(connection, rest)
