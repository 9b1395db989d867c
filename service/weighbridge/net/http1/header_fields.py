"""Header fields of an answer, by name."""

from collections.abc import Iterable


class Fields:
    """Fields by their names, whose case does not matter (RFC 9110 5.1).

    Made of bytes as they came. Text is UTF-8 where it can be, else Latin-1: what it
    holds is a stranger's, and whoever prints it escapes it.
    """

    __slots__ = ("_values",)

    def __init__(self, fields: Iterable[tuple[bytes, bytes]] = ()) -> None:
        self._values: dict[bytes, list[bytes]] = {}
        for name, value in fields:
            key = name.lower()
            if key in self._values:
                self._values[key].append(value)
            else:
                self._values[key] = [value]

    def __contains__(self, name: str) -> bool:
        return _key(name) in self._values

    def get(self, name: str) -> str:
        """The value, "" where there is none; several are joined by commas, which
        means the same (RFC 9110 5.3)."""
        return ", ".join(self.get_list(name))

    def get_list(self, name: str) -> list[str]:
        """Every value in its order."""
        values = self._values.get(_key(name))
        return [] if values is None else [_text(value) for value in values]


def _key(name: str) -> bytes:
    return name.lower().encode("latin-1", "replace")


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
