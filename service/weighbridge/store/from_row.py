"""Values whose fields are named as the columns of a row."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

Form = TypeVar("Form")


def from_row(
    form: Callable[..., Form], row: Mapping[Any, object], **given: object
) -> Form:
    """The value; given: fields that are no column, or other than the column says.
    Columns that are no field are left out."""
    fields = form.__annotations__
    return form(**{k: v for k, v in row.items() if k in fields} | given)
