"""A connection to PostgreSQL on which no call waits for ever."""

import math
import time
from typing import Any, Self, TypeVar

from psycopg import Connection, OperationalError
from psycopg.abc import PQGen
from psycopg.rows import TupleRow

from weighbridge.store.connection.deadlines import USUAL_S, EndOfCalls, call_s, ends_at

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
