"""Which statements a block makes: a count that is the same each time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine.interfaces import DBAPICursor


@contextmanager
def counted() -> Iterator[list[str]]:
    """Their texts, in the order in which they are made."""
    made: list[str] = []

    def note(
        connection: Connection, cursor: DBAPICursor, statement: str, *_: object
    ) -> None:
        made.append(statement)

    event.listen(Engine, "after_cursor_execute", note)
    try:
        yield made
    finally:
        event.remove(Engine, "after_cursor_execute", note)


class Made(NamedTuple):
    """A statement with its values, as the driver got them."""

    text: str
    values: dict[str, object]


def statements_of(connection: Connection, call: Callable[[], object]) -> list[Made]:
    """What `call` asks of the database."""
    made: list[Made] = []

    def note(
        _: object, __: object, statement: str, values: dict[str, object], *___: object
    ) -> None:
        made.append(Made(statement, values))

    event.listen(connection, "before_cursor_execute", note)
    try:
        call()
    finally:
        event.remove(connection, "before_cursor_execute", note)
    return made
