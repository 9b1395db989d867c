"""Pages of a list: limits, and cursors that say where the next page begins.

A cursor comes back from a stranger, so nothing in it is believed: it is read into
checked values or refused.
"""

import base64
import binascii
import json
import math
from collections.abc import Sequence
from typing import Final, TypeAlias

from weighbridge.errors import UsageError
from weighbridge.store.models.types import LARGEST, storable

Key: TypeAlias = str | int | float | None

LIMIT: Final = 1_000
_CURSOR_CHARACTERS: Final = 4_096


def check_limit(limit: int) -> int:
    """The limit, from 1 to LIMIT. Raises UsageError(invalid_limit)."""
    if not 1 <= limit <= LIMIT:
        raise UsageError(
            f"the limit {limit} is not allowed",
            code="invalid_limit",
            hint=f"take one from 1 to {LIMIT}",
        )
    return limit


def write_cursor(order: str, key: Sequence[Key]) -> str:
    """An opaque text for a URL: the place after the row with this key.

    order: names the list and its order; the next page must ask for the same
    """
    content = json.dumps([order, *key], separators=(",", ":"))
    return base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


def read_cursor(
    cursor: str, order: str, types: Sequence[tuple[type, ...]]
) -> tuple[Key, ...]:
    """The key of `write_cursor`. Raises UsageError(invalid_cursor).

    types: what each part of the key may be: str, int, float, NoneType
    """
    content = _decode(cursor)
    if not isinstance(content, list) or len(content) != len(types) + 1:
        raise _invalid()
    if content[0] != order:
        raise _invalid("it belongs to a list in another order")
    for part, allowed in zip(content[1:], types, strict=True):
        # type() and not isinstance(): True is an int, and no key.
        if type(part) not in allowed or not _is_storable(part):
            raise _invalid()
    return tuple(content[1:])


def _decode(cursor: str) -> object:
    if len(cursor) > _CURSOR_CHARACTERS or not cursor.isascii():
        raise _invalid()
    try:
        content = base64.b64decode(
            cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True
        )
        decoded: object = json.loads(content)
    except (binascii.Error, ValueError, RecursionError) as error:
        raise _invalid() from error
    return decoded


def _is_storable(part: object) -> bool:
    if isinstance(part, float):
        return math.isfinite(part)
    if isinstance(part, int):
        return -LARGEST <= part <= LARGEST
    if isinstance(part, str):
        # What no database takes was in no row.
        return part == storable(part)
    return True


def _invalid(why: str = "it is not one that we gave") -> UsageError:
    return UsageError(
        f"this cursor cannot be used: {why}",
        code="invalid_cursor",
        hint="start again without a cursor",
    )
