"""Who is told: routes from violations to channels, and what makes a group of them."""

from collections.abc import Iterable
from typing import Final, Literal, TypeAlias, get_args

from msgspec import Struct, field

from weighbridge.domain.policy.policy import Severity
from weighbridge.domain.text.globs import fits

GroupBy: TypeAlias = Literal["severity", "team", "registry", "repository", "policy"]
"""What the violations of one message may have in common."""
GROUP_BY: Final[tuple[GroupBy, ...]] = get_args(GroupBy)

DEFAULT_GROUP_BY: Final[tuple[GroupBy, ...]] = ("registry", "repository")
DEFAULT_GROUP_WAIT_S: Final = 0
DEFAULT_GROUP_INTERVAL_S: Final = 5 * 60
DEFAULT_REPEAT_S: Final = 7 * 24 * 3600


class Routed(Struct, frozen=True):
    """What routes look at in a violation."""

    severity: Severity
    team: str | None
    registry: str
    repository: str
    policy: str


class RouteMatch(Struct, frozen=True):
    """Patterns, in which `*` stands for any text, slashes included.

    severities: any of them; () for all
    team:       a violation without a team is matched by `*` alone
    """

    severities: tuple[Severity, ...] = ()
    team: str = "*"
    registry: str = "*"
    repository: str = "*"
    policy: str = "*"


class Route(Struct, frozen=True):
    """Where violations go, and how they are gathered.

    group_by:         those that have these in common are told in one message
    group_wait_s:     before the first message of a group
    group_interval_s: between two messages of a group
    repeat_s:         for as long a group that goes on is not told again
    """

    channel: str
    match: RouteMatch = field(default_factory=RouteMatch)
    group_by: tuple[GroupBy, ...] = DEFAULT_GROUP_BY
    group_wait_s: int = DEFAULT_GROUP_WAIT_S
    group_interval_s: int = DEFAULT_GROUP_INTERVAL_S
    repeat_s: int = DEFAULT_REPEAT_S


def routes_for(routes: Iterable[Route], routed: Routed) -> tuple[Route, ...]:
    """The routes that a violation takes: at most one a channel, the first that
    matches, so that nobody is told twice."""
    taken: dict[str, Route] = {}
    for route in routes:
        if route.channel not in taken and is_routed(route.match, routed):
            taken[route.channel] = route
    return tuple(taken.values())


def is_routed(match: RouteMatch, routed: Routed) -> bool:
    """Whether everything fits."""
    return (
        (not match.severities or routed.severity in match.severities)
        and (match.team == "*" or _fits_team(match.team, routed.team))
        and fits(match.registry, routed.registry)
        and fits(match.repository, routed.repository)
        and fits(match.policy, routed.policy)
    )


def group_values(route: Route, routed: Routed) -> tuple[str, ...]:
    """What the violations of one group have in common, in the order of `group_by`; ""
    for no team."""
    values: dict[GroupBy, str] = {
        "severity": routed.severity,
        "team": routed.team or "",
        "registry": routed.registry,
        "repository": routed.repository,
        "policy": routed.policy,
    }
    return tuple(values[key] for key in route.group_by)


def _fits_team(pattern: str, team: str | None) -> bool:
    return team is not None and fits(pattern, team)
