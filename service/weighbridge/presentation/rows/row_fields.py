"""The keys of a row are the fields of the value that declares them."""

from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeVar

from msgspec import Struct

from weighbridge.domain.report.inventory import Page
from weighbridge.domain.size.weighing import rfc3339

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T")

REASONS: Final = ("state_reason", "reason")
"""Keys whose values are "" inside, and null in JSON, where there is no reason."""


def keys_of(kind: "type[DataclassInstance | Struct]") -> tuple[str, ...]:
    """In the order in which they are shown."""
    if issubclass(kind, Struct):
        return kind.__struct_fields__
    return tuple(field.name for field in fields(kind))


def row_of(keys: Sequence[str], value: object, **given: object) -> dict[str, object]:
    """A JSON object with these keys: what is given for them, else what the value has
    under the name. Times are RFC 3339; unknown is null."""
    return {
        key: given[key] if key in given else _plain(key, getattr(value, key))
        for key in keys
    }


def page_of_rows(
    page: Page[T], row: Callable[[T], dict[str, object]]
) -> dict[str, object]:
    """One page of a list, in the shape of every list."""
    return {"items": list(map(row, page.items)), "next_cursor": page.next_cursor}


def _plain(key: str, value: object) -> object:
    if key in REASONS:
        return value or None
    if isinstance(value, tuple):
        return list(value)
    return rfc3339(value) if isinstance(value, datetime) else value
