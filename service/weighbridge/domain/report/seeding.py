"""How far it is known what images may stand on: the repositories that are named as
bases, and how much of each was read."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, Literal, TypeAlias, get_args

from msgspec import Struct

SeedingState: TypeAlias = Literal["read", "waiting", "failing"]
SEEDING_STATES: Final[tuple[SeedingState, ...]] = get_args(SeedingState)


class SeededRepository(Struct, frozen=True):
    """A repository that is named as a base.

    registry:      the entry that is asked
    reference:     as people write it in FROM, without a tag and without Docker Hub's
                   host: `library/debian`
    is_crawled:    it is crawled as every other, and known from that; else a few tags of
                   it are read
    tags_wanted:   how many of its tags are to be known; None: they could not be listed
                   yet
    tags_read:     of these, how many are
    code, reason:  what keeps it from its end, "" for nothing
    failing_since: since when
    read_at:       when it was last read to its end; None: never
    """

    registry: str
    reference: str
    is_crawled: bool
    tags_wanted: int | None
    tags_read: int
    code: str
    reason: str
    failing_since: datetime | None
    read_at: datetime | None

    @property
    def state(self) -> SeedingState:
        """What is in its way comes before what is known."""
        if self.code:
            return "failing"
        return "read" if self.is_read else "waiting"

    @property
    def is_read(self) -> bool:
        """Whether it was read to its end at any time."""
        return self.read_at is not None


class Seeding(Struct, frozen=True):
    """All of them, by reference."""

    repositories: Sequence[SeededRepository]

    @property
    def read(self) -> int:
        """How many repositories were read to their end."""
        return sum(each.is_read for each in self.repositories)

    @property
    def tags_wanted(self) -> int | None:
        """None: of one it is not known yet."""
        counts = [each.tags_wanted for each in self.repositories]
        known = [count for count in counts if count is not None]
        return sum(known) if len(known) == len(counts) else None

    @property
    def tags_read(self) -> int:
        return sum(each.tags_read for each in self.repositories)

    @property
    def by_state(self) -> Mapping[SeedingState, int]:
        """How many repositories, by how far they are."""
        found = dict.fromkeys(SEEDING_STATES, 0)
        for each in self.repositories:
            found[each.state] += 1
        return found

    @property
    def failing(self) -> Sequence[SeededRepository]:
        """Those that something keeps from their end."""
        return [each for each in self.repositories if each.code]
