"""Text from strangers, made safe for one line of a terminal, a log or a label; and a
text that must not be printed: passwords and tokens."""

import hmac
import re
from typing import Final

REDACTED: Final = "<redacted>"


class Secret:
    """A text that prints as `<redacted>` wherever it is formatted.

    `reveal()` is the only way to the text, so that each use can be found by its
    name. Compared in constant time; may be a key of a dictionary.
    """

    __slots__ = ("__text",)

    def __init__(self, text: str) -> None:
        self.__text = text

    def reveal(self) -> str:
        return self.__text

    def __str__(self) -> str:
        return REDACTED

    def __repr__(self) -> str:
        return REDACTED

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.__text.encode(), other.__text.encode())

    def __hash__(self) -> int:
        return hash(self.__text)

    def __reduce__(self) -> tuple[type["Secret"], tuple[str]]:
        # What is pickled ends up in queues, caches and core files.
        raise TypeError("a secret is not pickled")

    def __copy__(self) -> "Secret":
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> "Secret":
        return self


# What moves a cursor, ends a line, turns the writing direction (Unicode TR 36,
# 2.10) or shows nothing at all; and surrogates, which no UTF-8 writer takes.
_UNPRINTABLE: Final = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # C0, DEL, C1
    "\xad\u061c\u180e"  # soft hyphen, Arabic letter mark, Mongolian separator
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f"  # invisible, line ends, bidi
    "\ufeff\ufff9-\ufffb\ufffe\uffff"
    "\ud800-\udfff"
    "\U000e0000-\U000e0fff"  # tags and variation selectors
    "]"
)
_NAMED: Final = {"\t": r"\t", "\n": r"\n", "\r": r"\r"}
ELLIPSIS: Final = "…"


def printable(text: str, characters: int | None = None) -> str:
    """The text with every control, bidi and surrogate character written out.

    `ESC` becomes `\\x1b`, a right-to-left override `\\u202e`. The result is one line
    that UTF-8 can hold; where `characters` is given it has at most that many, the
    last one an ellipsis if something was cut.
    """
    if characters is not None and len(text) > characters:
        # Escaping only makes a text longer, so nothing behind this can be shown.
        text = text[: characters + 1]
    if not text.isprintable():
        text = _UNPRINTABLE.sub(_written_out, text)
    return text if characters is None else shortened(text, characters)


def shortened(text: str, characters: int) -> str:
    """At most this many characters, with an ellipsis where something was cut."""
    if len(text) <= characters:
        return text
    return text[: max(characters - 1, 0)] + ELLIPSIS[:characters]


def _written_out(found: re.Match[str]) -> str:
    character = found[0]
    if character in _NAMED:
        return _NAMED[character]
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
