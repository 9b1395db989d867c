"""Manifests that were touched since a pruning began, for whoever prunes.

What is kept or named anew has a newer id and so tells itself. Two things do not: facts
that come to a row that was there, and a tag that comes to a manifest and leaves it
again, of which only the tag's history is left. Both are noted here.
"""

from collections.abc import Collection
from typing import Final

from sqlalchemy import Connection, bindparam, delete, insert, select

from weighbridge.store.dialect import BulkInsert
from weighbridge.store.models import touched_manifests

_table = touched_manifests.c
_TOUCH: Final = BulkInsert(touched_manifests, "manifest_id")
_MARK: Final = insert(touched_manifests).values(manifest_id=None)
_SINCE: Final = select(_table.id, _table.manifest_id).where(
    _table.id >= bindparam("mark")
)
_FORGET: Final = delete(touched_manifests).where(_table.id < bindparam("mark"))


def touch(connection: Connection, manifest_ids: Collection[int]) -> None:
    """Note manifests that no pruning which is under way may remove."""
    if manifest_ids:
        _TOUCH.add(connection, [(manifest,) for manifest in sorted(manifest_ids)])


def set_mark(connection: Connection) -> int:
    """A mark behind all that was touched before; nobody may write beside us."""
    (mark,) = connection.execute(_MARK).inserted_primary_key or (0,)
    return int(mark)


def touched_since(connection: Connection, mark: int) -> set[int] | None:
    """Manifests that were touched after a mark. None: nobody knows, as the pruning
    that set the mark was overtaken by another one, which took it away."""
    rows = connection.execute(_SINCE, {"mark": mark}).all()
    if mark not in {number for number, _ in rows}:
        return None
    return {manifest for _, manifest in rows if manifest is not None}


def forget_touched(connection: Connection, mark: int) -> None:
    """Remove what was noted before a mark: no pruning from before it is under way."""
    connection.execute(_FORGET, {"mark": mark})
