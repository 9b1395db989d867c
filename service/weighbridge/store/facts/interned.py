"""Texts that many rows share, stored once each: media types, platforms, lines."""

import hashlib
from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection, select

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

_MEDIA_TYPES: Final = select(media_types.c.text, media_types.c.id).where(
    among_texts(media_types.c.text)
)
_MEDIA_TYPE_TEXTS: Final = select(media_types.c.id, media_types.c.text).where(
    among_ids(media_types.c.id)
)
_PLATFORMS: Final = select(platforms.c.text, platforms.c.id).where(
    among_texts(platforms.c.text)
)
_INSTRUCTIONS: Final = Rows(
    select(instructions.c.text_digest, instructions.c.id).where(
        among_bytes(instructions.c.text_digest)
    )
)
_NEW_MEDIA_TYPES: Final = BulkInsert(media_types, "text")
_NEW_PLATFORMS: Final = BulkInsert(
    platforms, "text", "os", "architecture", "variant", "os_version"
)
_NEW_INSTRUCTIONS: Final = BulkInsert(instructions, "text_digest", "text")


def media_type_ids(connection: Connection, texts: Iterable[str]) -> dict[str, int]:
    """The id of each media type; new ones are stored."""
    stored = {text: storable(text) for text in texts}
    wanted = sorted(set(stored.values()))
    known = _media_types(connection, wanted)
    new = [(text,) for text in wanted if text not in known]
    if new:
        _NEW_MEDIA_TYPES.add(connection, new)
        known = _media_types(connection, wanted)
    return {text: known[kept] for text, kept in stored.items()}


def media_types_of(
    connection: Connection, ids: Iterable[int | None]
) -> dict[int | None, str]:
    """The texts of these media types, by id."""
    wanted = listed(sorted({number for number in ids if number is not None}))
    rows = connection.execute(_MEDIA_TYPE_TEXTS, {"ids": wanted})
    return {row.id: row.text for row in rows}


def _media_types(connection: Connection, wanted: list[str]) -> dict[str, int]:
    rows = connection.execute(_MEDIA_TYPES, {"names": listed(wanted)})
    return {row.text: row.id for row in rows}


def platform_ids(
    connection: Connection, wanted: Iterable[Platform]
) -> dict[Platform, int]:
    """The id of each platform; new ones are stored.

    Two platforms that read the same share a row: to people they are one.
    """
    texts = {platform: storable(str(platform)) for platform in sorted(set(wanted))}
    known = _platforms(connection, texts.values())
    # Sorted, and each once: see `BulkInsert`.
    new = [
        (text, p.os, p.architecture, p.variant, p.os_version)
        for text, p in sorted({text: p for p, text in texts.items()}.items())
        if text not in known
    ]
    if new:
        _NEW_PLATFORMS.add(connection, new)
        known = _platforms(connection, texts.values())
    return {platform: known[text] for platform, text in texts.items()}


def _platforms(connection: Connection, texts: Iterable[str]) -> dict[str, int]:
    rows = connection.execute(_PLATFORMS, {"names": listed(texts)})
    return {row.text: row.id for row in rows}


def instruction_ids(connection: Connection, texts: Iterable[str]) -> dict[str, int]:
    """The id of each instruction; new ones are stored."""
    digests = {text: text_digest(text) for text in set(texts)}
    known = _instructions(connection, digests.values())
    new = sorted((d, text) for text, d in digests.items() if d not in known)
    if new:
        _NEW_INSTRUCTIONS.add(connection, new)
        known |= _instructions(connection, [digest for digest, _ in new])
    return {text: known[digest] for text, digest in digests.items()}


def _instructions(connection: Connection, digests: Iterable[bytes]) -> dict[bytes, int]:
    return dict(_INSTRUCTIONS.read(connection, {"hashes": listed(digests)}))


def text_digest(text: str) -> bytes:
    """sha256 of the text as it is stored: an index over it stays small where the text
    is long."""
    return hashlib.sha256(storable(text).encode()).digest()
