"""A text that must not be printed: passwords and tokens."""

import hmac
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
