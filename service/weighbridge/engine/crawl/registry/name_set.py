"""Which names were seen, in a few bytes each: a catalog may list a million of them."""

import secrets
from array import array
from bisect import bisect_left
from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

_FRESH: Final = 50_000


class NameSet:
    """A set of names that keeps eight bytes of each.

    They come from a hash with a key of this process, so that nobody can make two names
    that look alike; of a million, two do by chance once in 30 million sets.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(16)
        self._sorted = array("Q")
        self._fresh: set[int] = set()

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, str):
            return False
        mark = self._mark(name)
        if mark in self._fresh:
            return True
        place = bisect_left(self._sorted, mark)
        return place < len(self._sorted) and self._sorted[place] == mark

    def __bool__(self) -> bool:
        return bool(self._fresh or self._sorted)

    def update(self, names: Iterable[str]) -> None:
        """Add them."""
        self._fresh.update(map(self._mark, names))
        if len(self._fresh) > _FRESH:
            # Two sorted runs, one after the other: that is merged in one go.
            self._sorted.extend(sorted(self._fresh))
            self._sorted = array("Q", sorted(self._sorted))
            self._fresh.clear()

    def _mark(self, name: str) -> int:
        # A name may hold a lone surrogate, if a stranger made it.
        raw = name.encode("utf-8", "surrogatepass")
        return int.from_bytes(blake2b(raw, digest_size=8, key=self._key).digest())
