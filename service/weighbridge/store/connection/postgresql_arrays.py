"""Lists as parameters of PostgreSQL: its arrays, written as text.

The driver writes a list one element after the other, in Python: a list of hashes takes
it thirty times as long as it takes here. Statements say what the elements are
(`%s::bigint[]`): so that the driver need not look, and the server plans each statement
once, and not once for each length of numbers.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from psycopg import DataError
from psycopg.abc import AdaptContext, Buffer, DumperKey, PyFormat
from psycopg.types.array import ListDumper


def register(context: AdaptContext) -> None:
    """Have a connection write its lists so."""
    context.adapters.register_dumper(list, ArrayDumper)


class ArrayDumper(ListDumper):
    """Lists of numbers, texts, bytes or truth values, with None for NULL; all others
    are the driver's.

    https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO
    """

    def get_key(self, obj: list[Any], format: PyFormat) -> DumperKey:
        """The driver asks for another dumper where this is not its class."""
        if _writer(obj) is not None:
            return self.cls
        return super().get_key(obj, format)

    def dump(self, obj: list[Any]) -> Buffer | None:
        """The array as text. Raises UnicodeEncodeError for half a surrogate pair,
        psycopg.DataError for a NUL, which no text of PostgreSQL holds."""
        write = _writer(obj)
        if write is None:
            return super().dump(obj)
        written = f"{{{write(obj)}}}".encode()
        if b"\0" in written:
            raise DataError("a text with a NUL in it")
        return written


def _writer(values: list[Any]) -> Callable[[Sequence[Any]], str] | None:
    """What writes the elements; None where they are not of one kind that we know."""
    kinds = set(map(type, values))
    if len(kinds) == 1:
        return _WRITERS.get(*kinds)
    if len(kinds) == 2 and type(None) in kinds:
        (kind,) = kinds - {type(None)}
        one = _WRITERS.get(kind)
        return None if one is None else lambda some: _with_nulls(one, some)
    return None


def _with_nulls(one: Callable[[Sequence[Any]], str], values: Sequence[Any]) -> str:
    return ",".join(["NULL" if value is None else one((value,)) for value in values])


def _integers(values: Sequence[int]) -> str:
    return ",".join(map(str, values))


def _truths(values: Sequence[bool]) -> str:
    return ",".join(["t" if value else "f" for value in values])


def _bytes(values: Sequence[bytes]) -> str:
    hexes = '","\\\\x'.join([value.hex() for value in values])
    return f'"\\\\x{hexes}"'


def _texts(values: Sequence[str]) -> str:
    texts = [v.replace("\\", "\\\\").replace('"', '\\"') for v in values]
    return '"' + '","'.join(texts) + '"'


_WRITERS: Final[dict[type, Callable[[Sequence[Any]], str]]] = {
    int: _integers,
    bool: _truths,
    bytes: _bytes,
    str: _texts,
}
