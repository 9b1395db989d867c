"""A registry's catalog as it was read to its end."""

from collections.abc import Container
from datetime import datetime
from typing import Final

from msgspec import Struct

PAGE: Final = 1_000
"""Repositories that are read of the database at once."""


class Catalog(Struct, frozen=True):
    """A catalog that was read to its end without a doubt.

    names:    every name
    is_empty: there is none: a registry that is asked too much says that, too
    read_at:  when its end was reached
    before:   when the end of the one before it was; None: it is the first
    """

    names: Container[str]
    is_empty: bool
    read_at: datetime
    before: datetime | None
