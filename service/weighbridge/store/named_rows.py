"""Rows with the names of their registry and repository, and values whose fields are
named as a row's columns."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from sqlalchemy import ColumnElement, Connection, FromClause, Join, Label, Row, select

from weighbridge.store.models import registries, repositories

Form = TypeVar("Form")
NAMES: Final = (
    registries.c.name.label("registry"),
    repositories.c.name.label("repository"),
)


def named(table: FromClause) -> Join:
    """The rows of a table with the repository of each, and its registry."""
    return table.join(repositories, repositories.c.id == table.c.repository_id).join(
        registries, registries.c.id == repositories.c.registry_id
    )


def find_place(
    connection: Connection, registry: str, repository: str
) -> Row[int, int] | None:
    """The id and the storage scope of a repository, also of one that is gone."""
    return connection.execute(
        select(repositories.c.id, repositories.c.scope_id)
        .join(registries, registries.c.id == repositories.c.registry_id)
        .where(registries.c.name == registry, repositories.c.name == repository)
    ).one_or_none()


def columns_of(
    form: Callable[..., object], *tables: FromClause, **given: ColumnElement[Any]
) -> list[Label[Any]]:
    """A column for each field of a value, in their order: what is given for it, else
    the one of its name in the first table that has one."""
    known = {column.name: column for table in reversed(tables) for column in table.c}
    return [(known | given)[name].label(name) for name in form.__annotations__]


def from_row(
    form: Callable[..., Form], row: Mapping[Any, object], **given: object
) -> Form:
    """The value; given: fields that are no column, or other than the column says.
    Columns that are no field are left out."""
    fields = form.__annotations__
    return form(**{k: v for k, v in row.items() if k in fields} | given)
