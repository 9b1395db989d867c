"""Who waits before a gate, in the order in which they are let in."""

import asyncio
from collections import OrderedDict, deque
from enum import IntEnum
from typing import Final, TypeAlias

Place: TypeAlias = asyncio.Future[None]


class Rank(IntEnum):
    """Who goes first.

    URGENT:   somebody waits for the answer: a push
    AHEAD:    it has waited once and holds what does not keep (a token), or finishes
              what is half read
    ORDINARY: all others
    """

    URGENT = 0
    AHEAD = 1
    ORDINARY = 2


_RANKS: Final = tuple(Rank)


class WaitOrder:
    """By rank, and inside a rank in turn by whose they are: a repository with two
    hundred questions does not hold up one with two."""

    def __init__(self) -> None:
        self._ranks: tuple[OrderedDict[object, deque[Place]], ...] = tuple(
            OrderedDict() for _ in Rank
        )
        self._counts = [0 for _ in Rank]
        self._total = 0

    def __len__(self) -> int:
        return self._total

    @property
    def urgent(self) -> int:
        """How many of them are urgent."""
        return self._counts[Rank.URGENT]

    @property
    def first(self) -> Rank | None:
        """The rank of the one who is next. Who waits no more is left out."""
        for rank in _RANKS:
            while self._counts[rank]:
                if not next(iter(self._ranks[rank].values()))[0].cancelled():
                    return rank
                self.pop(rank)
        return None

    def add(self, rank: Rank, owner: object, place: Place) -> None:
        """Let somebody wait."""
        self._ranks[rank].setdefault(owner, deque()).append(place)
        self._counts[rank] += 1
        self._total += 1

    def pop(self, rank: Rank) -> Place:
        """The next of this rank. The next after it is another owner's."""
        owners = self._ranks[rank]
        owner, places = next(iter(owners.items()))
        place = places.popleft()
        self._counts[rank] -= 1
        self._total -= 1
        if places:
            owners.move_to_end(owner)
        else:
            del owners[owner]
        return place

    def discard(self, rank: Rank, owner: object, place: Place) -> None:
        """Who may have been waiting does so no longer."""
        places = self._ranks[rank].get(owner, deque())
        if place not in places:
            return
        places.remove(place)
        self._counts[rank] -= 1
        self._total -= 1
        if not places:
            del self._ranks[rank][owner]
