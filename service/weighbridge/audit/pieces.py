"""Cuts something long into lists of a length."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")


def pieces(items: Iterable[Item], length: int) -> Iterator[list[Item]]:
    """Of this length, but for the last."""
    iterator = iter(items)
    while piece := list(islice(iterator, length)):
        yield piece
