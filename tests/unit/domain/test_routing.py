"""Which channels are told of a violation, and what makes a group."""

import pytest

from weighbridge.domain.message.grouping import (
    Route,
    Routed,
    RouteMatch,
    group_values,
    is_routed,
    routes_for,
)

API = Routed("warning", "shop", "harbor", "shop/api", "services")


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        (RouteMatch(), True),
        (RouteMatch(severities=("critical",)), False),
        (RouteMatch(severities=("critical", "warning")), True),
        (RouteMatch(team="shop"), True),
        (RouteMatch(team="sh*"), True),
        (RouteMatch(team="Shop"), False),
        (RouteMatch(registry="hub"), False),
        (RouteMatch(repository="shop/*"), True),
        (RouteMatch(repository="*api"), True),
        (RouteMatch(repository="shop"), False),
        (RouteMatch(policy="services", team="other"), False),
    ],
)
def test_everything_that_a_route_says_must_fit(
    match: RouteMatch, expected: bool
) -> None:
    assert is_routed(match, API) is expected


@pytest.mark.parametrize(("pattern", "expected"), [("*", True), ("**", False)])
def test_a_violation_without_a_team_fits_the_star_alone(
    pattern: str, expected: bool
) -> None:
    nobodys = Routed("warning", None, "harbor", "shop/api", "services")

    assert is_routed(RouteMatch(team=pattern), nobodys) is expected


def test_every_route_that_matches_is_taken() -> None:
    routes = [Route("ops"), Route("hub", RouteMatch(registry="hub")), Route("mail")]

    assert [route.channel for route in routes_for(routes, API)] == ["ops", "mail"]


def test_a_channel_is_told_by_its_first_route_alone() -> None:
    first = Route("ops", RouteMatch(team="shop"), group_by=("team",))

    taken = routes_for([first, Route("ops")], API)

    assert taken == (first,)


def test_a_route_that_does_not_match_leaves_the_channel_to_the_next() -> None:
    last = Route("ops")

    taken = routes_for([Route("ops", RouteMatch(team="other")), last], API)

    assert taken == (last,)


def test_without_routes_nobody_is_told() -> None:
    assert routes_for([], API) == ()


def test_a_group_has_the_values_of_its_keys_in_their_order() -> None:
    route = Route("ops", group_by=("team", "severity", "repository"))

    assert group_values(route, API) == ("shop", "warning", "shop/api")


def test_without_keys_everything_is_one_group() -> None:
    assert group_values(Route("ops", group_by=()), API) == ()
