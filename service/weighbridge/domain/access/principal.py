"""Who asks, and what of all repositories is theirs to see."""

from collections.abc import Collection, Mapping
from typing import Final

from msgspec import Struct

from weighbridge.domain.access.roles import AccessToken, grants


class Principal(Struct, frozen=True):
    """Who a request is from, as far as a token or the sign-in proxy says so.

    name:  of the token, or `user:NAME` of a person; "" where it is not known who asks
    role:  `read`, `admin`, `metrics`, a webhook's, or "" for none
    teams: whose repositories are seen; None: all, empty: none
    """

    name: str = ""
    role: str = ""
    teams: frozenset[str] | None = None

    @property
    def is_known(self) -> bool:
        """Whether it is said who it is."""
        return bool(self.name)

    @property
    def is_admin(self) -> bool:
        """Whether this one may also write."""
        return self.role == "admin"

    def grants(self, needed: str) -> bool:
        """Whether the role is enough."""
        return grants(self.role, needed)


ANYBODY: Final = Principal()
"""Whoever asks where nobody need say who it is."""


def holder_of(token: AccessToken) -> Principal:
    """Who shows this token."""
    return Principal(token.name, token.role, token.teams)


class Sight(Struct, frozen=True):
    """The repositories of some teams, also those that are gone.

    ids:        of the repositories
    registries: the names of the registries that hold any of them
    """

    ids: frozenset[int] = frozenset()
    registries: frozenset[str] = frozenset()

    def among(self, ids: Collection[int]) -> frozenset[int]:
        """Those of the repositories that are seen."""
        return self.ids.intersection(ids)


NOTHING: Final = Sight()
"""What members of no team see."""


def sights_by_team(
    teams: Mapping[int, str | None], registries: Mapping[int, str]
) -> Mapping[str | None, Sight]:
    """What each team sees; under None what is nobody's.

    teams:      of each repository, None where it is nobody's
    registries: the names of their registries; both by the repository's id
    """
    ids: dict[str | None, set[int]] = {}
    for number, team in teams.items():
        ids.setdefault(team, set()).add(number)
    return {
        team: Sight(frozenset(its), frozenset(registries[number] for number in its))
        for team, its in ids.items()
    }


def seen_together(sights: Collection[Sight]) -> Sight:
    """What members of several teams see."""
    return Sight(
        frozenset().union(*(sight.ids for sight in sights)),
        frozenset().union(*(sight.registries for sight in sights)),
    )
