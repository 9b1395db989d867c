"""What a principal sees: the repositories of their teams, as policies say it now."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from weighbridge.domain.access.principal import (
    NOTHING,
    Principal,
    Sight,
    seen_together,
    sights_by_team,
)
from weighbridge.domain.policy.policy import PolicySet
from weighbridge.store.registries.places import newest_place, repository_places
from weighbridge.store.session import Connection

KEPT_S: Final = 5.0
"""So long the places of repositories are believed: a registry may have been forgotten,
or its repositories have gone over to another entry. One that is new is seen at once,
also where it has the id of one that is forgotten."""
_MOST: Final = 1_000
"""Sets of teams whose sight is remembered."""


class Sights:
    """Finds what teams see. Safe to share between threads.

    A repository is of the team that the policies in force say for the whole of it
    (`PolicySet.team_of`). That is never read from a stored column: other policies hold
    from the moment they are loaded.
    """

    def __init__(
        self,
        policies: Callable[[], PolicySet],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._policies = policies
        self._clock = clock
        self._lock = threading.Lock()
        self._by: PolicySet | None = None
        self._places: Sequence[tuple[int, str, str]] = ()
        self._newest: object = None
        self._read_at: float | None = None
        self._teams: dict[tuple[str, str], str | None] = {}
        self._of_team: Mapping[str | None, Sight] = {}
        self._found: dict[frozenset[str], Sight] = {}

    def seen_by(
        self, connection: Connection, principal: Principal, team: str | None = None
    ) -> Sight | None:
        """What they see; None: everything.

        team: of that only what is this team's, "" for what is nobody's; None: all of
              it. Of a team that is not theirs it is what it is of one that never was
        """
        if team is None:
            if principal.teams is None:
                return None
            return self.of_teams(connection, principal.teams)
        if principal.teams is not None:
            return self.of_teams(connection, principal.teams & {team})
        if team:
            return self.of_teams(connection, frozenset({team}))
        with self._lock:
            self._refresh(connection)
            return self._of_team.get(None, NOTHING)

    def of_teams(self, connection: Connection, teams: frozenset[str]) -> Sight:
        """What members of these teams see together."""
        if not teams:
            return NOTHING
        with self._lock:
            self._refresh(connection)
            found = self._found.get(teams)
            if found is None:
                if len(self._found) >= _MOST:
                    self._found.clear()
                of_team = self._of_team
                found = seen_together([of_team[t] for t in teams if t in of_team])
                self._found[teams] = found
            return found

    def _refresh(self, connection: Connection) -> None:
        policies = self._policies()
        newest = newest_place(connection)
        is_same = policies is self._by
        is_kept = (
            self._read_at is not None and self._clock() - self._read_at < KEPT_S
        ) and newest == self._newest
        if is_same and is_kept:
            return
        if not is_kept:
            begun = self._clock()
            places = repository_places(connection)
            is_same = is_same and places == self._places
            self._places, self._newest, self._read_at = places, newest, begun
        if is_same:
            return
        known = self._teams if policies is self._by else {}
        # Only names that were not asked about before: policies may be many.
        self._teams = {
            name: known[name] if name in known else policies.team_of(*name)
            for name in {(registry, name) for _, registry, name in self._places}
        }
        self._by = policies
        self._of_team = sights_by_team(
            {n: self._teams[registry, name] for n, registry, name in self._places},
            {n: registry for n, registry, _ in self._places},
        )
        self._found = {}
