"""The series budget of `/metrics/repositories`: how many series fit, and for whom.

Levels, from the top of the ladder: 3 every family that is wanted for every repository,
2 the core families of every repository, 1 the core families of some repositories,
0 registries only. Limits are core.
"""

from typing import Final, Literal, TypeAlias

from msgspec import Struct

Family: TypeAlias = Literal["largest", "tags", "pushed", "audited"]
"""A series that each repository may have besides the core ones."""
Level: TypeAlias = Literal[0, 1, 2, 3]

CORE_SERIES: Final = 6
"""Of one repository: its info, three sizes of images and two of storage. Each kind of
limit that any policy sets is one more."""
REGISTRY_SERIES: Final = 15
"""Of one registry: eight numbers, how many repositories are in each of the five states
that are not well, and what could be reclaimed and saved, once that is counted."""
BASE_SERIES: Final = 5
"""Of one base that is shown."""
EXPORTER_SERIES: Final = 8
DEFAULT_MAX_SERIES: Final = 20_000
DEFAULT_MAX_BASES: Final = 50
# Below level 2 a repository comes in at rank N and leaves at rank 1.2 N: neighbours
# of like weight would otherwise take turns, and churn costs Prometheus more than
# count does. For the same reason families that left come back only where they would
# fit 1.2 times.
_LEAVE: Final = 1.2


class Budget(Struct, frozen=True):
    """What the configuration says about series.

    pin:      patterns of repositories that stay when not all of them fit
    families: those that are wanted besides the core
    max_base_images: bases with series of their own; those that most stands on
    """

    max_series: int = DEFAULT_MAX_SERIES
    pin: tuple[str, ...] = ()
    families: tuple[Family, ...] = ()
    max_base_images: int = DEFAULT_MAX_BASES


class Violations(Struct, frozen=True):
    """How many series tell of violations; where there is none, there is no series.

    of_repositories: of all repositories, one for each severity that one has
    kinds:           severities that there are: the most that one repository has
    of_policies:     one for each policy and severity; these are totals, always shown
    """

    of_repositories: int = 0
    kinds: int = 0
    of_policies: int = 0


NO_VIOLATIONS: Final = Violations()


class Ladder(Struct, frozen=True):
    """Where the ladder stands for a number of repositories.

    most:  repositories that have series at level 1, at most
    enter: the rank up to which a repository comes in
    """

    level: Level
    most: int
    enter: int


def ladder(
    budget: Budget,
    registries: int,
    repositories: int,
    *,
    limits: int = 0,
    violations: Violations = NO_VIOLATIONS,
    bases: int = 0,
    was_below: bool = False,
) -> Ladder:
    """The highest level at which all of them keep within the budget.

    limits:     how many kinds of limits any policy sets, a series each
    violations: the series of what exceeds its limit now
    bases:      how many bases are shown
    was_below:  it stood below level 3 a short while ago
    """
    others = violations.of_policies + BASE_SERIES * bases
    room = max(0, room_of(budget.max_series, registries) - others)
    core = CORE_SERIES + limits
    most = room // (core + violations.kinds)
    enter = int(most / _LEAVE)
    wanted = repositories * (core + len(budget.families)) + violations.of_repositories
    needs_margin = was_below and budget.families
    if wanted * (_LEAVE if needs_margin else 1) <= room:
        return Ladder(3, most, enter)
    if repositories * core + violations.of_repositories <= room:
        return Ladder(2, most, enter)
    return Ladder(1 if enter else 0, most, enter)


def room_of(max_series: int, registries: int) -> int:
    """Series that are left for repositories."""
    return max(0, max_series - EXPORTER_SERIES - REGISTRY_SERIES * registries)


def bases_shown(budget: Budget, registries: int) -> int:
    """How many bases may have series: a tenth of what registries leave at most."""
    room = room_of(budget.max_series, registries)
    return min(budget.max_base_images, room // 10 // BASE_SERIES)
