"""Texts that many rows share, stored once each: media types, platforms, lines."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import Connection, Table, select

from weighbridge.domain.image.platform import Platform
from weighbridge.store.dialect import (
    BulkInsert,
    Rows,
    among_bytes,
    among_ids,
    among_texts,
    listed,
)
from weighbridge.store.models import instructions, media_types, platforms
from weighbridge.store.models.types import storable

_MEDIA_TYPE_TEXTS: Final = select(media_types.c.id, media_types.c.text).where(
    among_ids(media_types.c.id)
)


class _Interned:
    """A table of texts, each once, and the columns that a new one has."""

    def __init__(self, table: Table, key: str, *rest: str) -> None:
        column = table.c[key]
        is_text = key == "text"
        among = among_texts(column) if is_text else among_bytes(column)
        self._parameter = "names" if is_text else "hashes"
        self._find = Rows(select(column, table.c.id).where(among))
        self._new = BulkInsert(table, key, *rest)

    def ids(
        self, connection: Connection, rows: Mapping[Any, tuple[object, ...]]
    ) -> dict[Any, int]:
        """The id of each; those that are new are stored. rows: as they are then, by
        what tells them apart."""
        known = self._known(connection, rows)
        # Sorted, and each once: see `BulkInsert`.
        new = [row for key, row in sorted(rows.items()) if key not in known]
        if new:
            self._new.add(connection, new)
            known |= self._known(connection, [row[0] for row in new])
        return known

    def _known(self, connection: Connection, keys: Iterable[Any]) -> dict[Any, int]:
        return dict(self._find.read(connection, {self._parameter: listed(keys)}))


_MEDIA_TYPES: Final = _Interned(media_types, "text")
_PLATFORMS: Final = _Interned(
    platforms, "text", "os", "architecture", "variant", "os_version"
)
_INSTRUCTIONS: Final = _Interned(instructions, "text_digest", "text")


def media_type_ids(connection: Connection, texts: Iterable[str]) -> dict[str, int]:
    """The id of each media type; new ones are stored."""
    stored = {text: storable(text) for text in texts}
    ids = _MEDIA_TYPES.ids(connection, {text: (text,) for text in stored.values()})
    return {text: ids[kept] for text, kept in stored.items()}


def media_types_of(
    connection: Connection, ids: Iterable[int | None]
) -> dict[int | None, str]:
    """The texts of these media types, by id."""
    wanted = listed(sorted({number for number in ids if number is not None}))
    rows = connection.execute(_MEDIA_TYPE_TEXTS, {"ids": wanted})
    return {row.id: row.text for row in rows}


def platform_ids(
    connection: Connection, wanted: Iterable[Platform]
) -> dict[Platform, int]:
    """The id of each platform; new ones are stored.

    Two platforms that read the same share a row: to people they are one.
    """
    texts = {platform: storable(str(platform)) for platform in sorted(set(wanted))}
    rows = {
        text: (text, p.os, p.architecture, p.variant, p.os_version)
        for p, text in texts.items()
    }
    ids = _PLATFORMS.ids(connection, rows)
    return {platform: ids[text] for platform, text in texts.items()}


def instruction_ids(connection: Connection, texts: Iterable[str]) -> dict[str, int]:
    """The id of each instruction; new ones are stored."""
    digests = {text: text_digest(text) for text in set(texts)}
    ids = _INSTRUCTIONS.ids(connection, {d: (d, text) for text, d in digests.items()})
    return {text: ids[digest] for text, digest in digests.items()}


def text_digest(text: str) -> bytes:
    """sha256 of the text as it is stored: an index over it stays small where the text
    is long."""
    return hashlib.sha256(storable(text).encode()).digest()
