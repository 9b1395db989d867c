"""Cuts something long into lists of a length."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Final, TypeVar

Item = TypeVar("Item")

TOGETHER: Final = 100
"""So many repositories are judged in one transaction, at most."""


def pieces(items: Iterable[Item], length: int) -> Iterator[list[Item]]:
    """Of this length, but for the last."""
    iterator = iter(items)
    while piece := list(islice(iterator, length)):
        yield piece


def by_size(sizes: Mapping[Item, int], most: int) -> Iterator[list[Item]]:
    """Items in lists whose sizes add up to `most` at most, and of `TOGETHER` items at
    most; one that is larger is alone."""
    some: list[Item] = []
    size = 0
    for item, more in sizes.items():
        if some and (size + more > most or len(some) == TOGETHER):
            yield some
            some, size = [], 0
        some.append(item)
        size += more
    if some:
        yield some
