"""Which statements a transaction makes."""

from collections.abc import Callable
from typing import NamedTuple

from sqlalchemy import Connection, event


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
