"""Pages of a list: limits, and cursors that say where the next page begins.

A cursor is the name of its list and the key of a row, `crawls:17`. It comes back from
a stranger, so nothing in it is believed: what has its form is a place in the list,
whether there is such a row or not, and everything else is refused.
"""

import re
from collections.abc import Callable
from functools import cached_property
from typing import Final, TypeAlias
from urllib.parse import quote, unquote

from msgspec import Struct

from weighbridge.errors import UsageError
from weighbridge.store.models.types import LARGEST, storable

Key: TypeAlias = str | int | float | None

LIMIT: Final = 1_000


def check_limit(limit: int) -> int:
    """The limit, from 1 to LIMIT. Raises UsageError(invalid_limit)."""
    if not 1 <= limit <= LIMIT:
        raise UsageError(
            f"the limit {limit} is not allowed",
            code="invalid_limit",
            hint=f"take one from 1 to {LIMIT}",
        )
    return limit


class CursorPart(Struct, frozen=True):
    """One part of a cursor: how it is written, as a regular expression that ECMA 262
    knows too, and what it means."""

    pattern: str
    read: Callable[[str], Key]


def one_of(*words: str) -> CursorPart:
    """A word of ours."""
    return CursorPart("|".join(words), str)


def _number(text: str) -> int:
    return max(-LARGEST, min(int(text), LARGEST))


def _ratio(text: str) -> float:
    return max(-_FARTHEST, min(float(text), _FARTHEST))


_FARTHEST: Final = 1.7e308
_DIGITS: Final = "-?[0-9]{1,19}"
NUMBER: Final = CursorPart(_DIGITS, _number)
NUMBER_OR_NONE: Final = CursorPart(
    f"(?:{_DIGITS})?", lambda text: _number(text) if text else None
)
RATIO_OR_NONE: Final = CursorPart(
    rf"(?:{_DIGITS}(?:\.[0-9]{{1,25}})?(?:e-?[0-9]{{1,3}})?)?",
    lambda text: _ratio(text) if text else None,
)
TEXT: Final = CursorPart(
    "[A-Za-z0-9_.~%/-]{0,1800}", lambda text: storable(unquote(text))
)


class CursorForm:
    """What the cursors of a list look like, or of one of its orders."""

    def __init__(self, *parts: CursorPart) -> None:
        self._parts = parts
        self.pattern = ":".join(f"({part.pattern})" for part in parts)

    def find(self, cursor: str) -> tuple[Key, ...] | None:
        """The parts; None for a cursor of another form."""
        found = self._compiled.fullmatch(cursor)
        if found is None:
            return None
        return tuple(
            part.read(text)
            for part, text in zip(self._parts, found.groups(), strict=True)
        )

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(self.pattern, re.ASCII)


def cursor_pattern(*forms: CursorForm) -> str:
    """The whole cursor of a list that has these forms, for its description."""
    return f"^(?:{'|'.join(form.pattern for form in forms)})$"


def write_cursor(*parts: Key) -> str:
    """A text for a URL: the place after the row with this key, behind the name of its
    list."""
    return ":".join(map(_written, parts))


def _written(part: Key) -> str:
    if isinstance(part, str):
        return quote(part, errors="replace")
    # A plus sign in a URL is a space to many.
    return "" if part is None else f"{part}".replace("+", "")


def read_cursor(cursor: str, *forms: CursorForm) -> tuple[Key, ...]:
    """The parts of `write_cursor`, by the first form that the cursor has.

    Raises UsageError(invalid_cursor).
    """
    for form in forms:
        found = form.find(cursor)
        if found is not None:
            return found
    raise foreign_cursor()


def foreign_cursor() -> UsageError:
    """What to raise for a cursor of another list."""
    return UsageError(
        "this cursor cannot be used: it is not one that we gave for this list",
        code="invalid_cursor",
        hint="start again without a cursor",
    )
