"""Texts that many rows share, stored once each: media types, platforms, lines."""

import hashlib
from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection, bindparam, select

from weighbridge.domain.platform import Platform
from weighbridge.store.dialect import among_texts, insert_new, listed, padded
from weighbridge.store.models import instructions, media_types, platforms

_MEDIA_TYPES: Final = select(media_types.c.text, media_types.c.id).where(
    among_texts(media_types.c.text)
)
_PLATFORMS: Final = select(platforms.c.text, platforms.c.id).where(
    among_texts(platforms.c.text)
)
_INSTRUCTIONS: Final = select(instructions.c.text_digest, instructions.c.id).where(
    instructions.c.text_digest.in_(bindparam("digests", expanding=True))
)
_ADD_MEDIA_TYPE: Final = insert_new(media_types)
_ADD_PLATFORM: Final = insert_new(platforms)
_ADD_INSTRUCTION: Final = insert_new(instructions)


def media_type_ids(connection: Connection, texts: Iterable[str]) -> dict[str, int]:
    """The id of each media type; new ones are stored."""
    wanted = sorted(set(texts))
    known = _media_types(connection, wanted)
    new = [{"text": text} for text in wanted if text not in known]
    if new:
        connection.execute(_ADD_MEDIA_TYPE, new)
        known = _media_types(connection, wanted)
    return known


def _media_types(connection: Connection, wanted: list[str]) -> dict[str, int]:
    rows = connection.execute(_MEDIA_TYPES, {"names": listed(wanted)})
    return {row.text: row.id for row in rows}


def platform_ids(
    connection: Connection, wanted: Iterable[Platform]
) -> dict[Platform, int]:
    """The id of each platform; new ones are stored.

    Two platforms that read the same share a row: to people they are one.
    """
    texts = {platform: str(platform) for platform in sorted(set(wanted))}
    known = _platforms(connection, texts.values())
    new = [
        {
            "text": text,
            "os": platform.os,
            "architecture": platform.architecture,
            "variant": platform.variant,
            "os_version": platform.os_version,
        }
        for platform, text in texts.items()
        if text not in known
    ]
    if new:
        connection.execute(_ADD_PLATFORM, new)
        known = _platforms(connection, texts.values())
    return {platform: known[text] for platform, text in texts.items()}


def _platforms(connection: Connection, texts: Iterable[str]) -> dict[str, int]:
    rows = connection.execute(_PLATFORMS, {"names": listed(texts)})
    return {row.text: row.id for row in rows}


def instruction_ids(connection: Connection, texts: Iterable[str]) -> dict[str, int]:
    """The id of each instruction; new ones are stored."""
    digests = {text: text_digest(text) for text in set(texts)}
    known = _instructions(connection, digests.values())
    new = [
        {"text_digest": digest, "text": text}
        for text, digest in sorted(digests.items(), key=lambda item: item[1])
        if digest not in known
    ]
    if new:
        connection.execute(_ADD_INSTRUCTION, new)
        known |= _instructions(connection, set(digests.values()) - known.keys())
    return {text: known[digest] for text, digest in digests.items()}


def find_instruction(connection: Connection, text: str) -> int | None:
    """The id of an instruction that is stored already."""
    return _instructions(connection, [text_digest(text)]).get(text_digest(text))


def _instructions(connection: Connection, digests: Iterable[bytes]) -> dict[bytes, int]:
    return {
        row.text_digest: row.id
        for piece in padded(list(digests))
        for row in connection.execute(_INSTRUCTIONS, {"digests": piece})
    }


def text_digest(text: str) -> bytes:
    """sha256 of the text: an index over it stays small where the text is long."""
    return hashlib.sha256(text.encode(errors="replace")).digest()
