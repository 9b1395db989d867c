"""The statements that a block makes: a count that is the same each time."""

from collections.abc import Iterator
from contextlib import contextmanager

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
