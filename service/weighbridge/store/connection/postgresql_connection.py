"""A connection to PostgreSQL on which no call waits for ever, and which writes lists as
arrays, in text.

The driver writes a list one element after the other, in Python: a list of hashes takes
it thirty times as long as it takes here. Statements say what the elements are
(`%s::bigint[]`): so that the driver need not look, and the server plans each statement
once, and not once for each length of numbers.
"""

import math
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Self, TypeVar

from psycopg import Connection, DataError, OperationalError
from psycopg.abc import AdaptContext, Buffer, DumperKey, PQGen, PyFormat
from psycopg.rows import TupleRow
from psycopg.types.array import ListDumper

from weighbridge.store.connection.deadlines import USUAL_S, EndOfCalls, call_s, ends_at


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


T = TypeVar("T")


class Overdue(OperationalError):
    """Nothing was answered in time."""

    def __init__(self) -> None:
        super().__init__("no answer in time")


class ProcessEnding(Overdue):
    """The process is to end, and waits no longer."""


class BoundedConnection(Connection[TupleRow]):
    """Ends each call when its thread says, see `deadlines`, and is closed then: what
    was sent may still be answered, and nobody could tell what to.

    Every call of the driver that waits for the server waits in `wait`.
    """

    _ending = EndOfCalls()
    _statement_s = USUAL_S

    @classmethod
    def opened(cls, ending: EndOfCalls, *args: Any, **options: Any) -> Self:
        """A connection that also ends with `ending`; the driver knows the others."""
        latest = ends_at()
        _refuse_late(latest, ending)
        left_s = min(latest, ending.ends_at) - time.monotonic()
        given_s = float(options.pop("connect_timeout", 0)) or left_s
        # The driver takes whole seconds, and makes two of one.
        timeout_s = math.ceil(min(given_s, left_s))
        made = cls.connect(*args, connect_timeout=timeout_s, **options)
        made._ending = ending
        return made

    def wait(self, gen: PQGen[T], *args: Any, **options: Any) -> T:
        """What the driver has sent, answered; `gen` reads it. Raises Overdue."""
        try:
            return super().wait(self._bounded(gen, ends_at()), *args, **options)
        except Overdue:
            self.pgconn.finish()
            raise

    def allow_statements(self) -> None:
        """Tell the server how long statements of this thread may take, where it has
        been told otherwise."""
        seconds = call_s()
        if seconds != self._statement_s:
            was, self.autocommit = self.autocommit, True
            self.execute(f"SET statement_timeout = '{seconds:.0f}s'")
            self.autocommit = was
            self._statement_s = seconds

    def _bounded(self, gen: PQGen[T], latest: float) -> PQGen[T]:
        """The driver goes on with it whenever something has come, and ten times a
        second where nothing has."""
        try:
            state = next(gen)
            while True:
                ready = yield state
                if not ready:
                    _refuse_late(latest, self._ending)
                state = gen.send(ready)
        except StopIteration as ended:
            value: T = ended.value
            return value


def _refuse_late(latest: float, ending: EndOfCalls) -> None:
    now = time.monotonic()
    if now > ending.ends_at:
        raise ProcessEnding
    if now > latest:
        raise Overdue
