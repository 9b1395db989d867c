"""Whose a whole repository is, and what members of teams see."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.access.principal import (
    NOTHING,
    Sight,
    seen_together,
    sights_by_team,
)
from weighbridge.domain.policy.policy import (
    KeyPlace,
    Limits,
    Match,
    Policy,
    PolicySet,
)


def a_policy(repository: str, team: str | None, tag: str = "*") -> Policy:
    return Policy(
        f"{repository}:{tag}",
        Match(repository=repository, tag=tag),
        Limits(team=team),
        {"team": KeyPlace()},
    )


def test_the_first_policy_that_names_a_team_says_whose_a_repository_is() -> None:
    silent = Policy(
        "all", limits=Limits(max_layers=3), places={"max_layers": KeyPlace()}
    )
    policies = PolicySet([silent, a_policy("acme/*", "shop"), a_policy("*", "web")])

    assert policies.team_of("hub", "acme/app") == "shop"
    assert policies.team_of("hub", "other/app") == "web"
    assert PolicySet([silent]).team_of("hub", "acme/app") is None


def test_a_policy_that_says_no_team_ends_the_search() -> None:
    policies = PolicySet([a_policy("acme/secret", None), a_policy("acme/*", "shop")])

    assert policies.team_of("hub", "acme/secret") is None
    assert policies.team_of("hub", "acme/app") == "shop"


def test_no_name_of_a_tag_hands_a_repository_to_a_team() -> None:
    by_tag = PolicySet([a_policy("acme/*", "web", tag="web-*"), a_policy("*", "shop")])

    assert by_tag.team_of("hub", "acme/app") == "shop"
    assert PolicySet([a_policy("*", "web", tag="v*")]).team_of("hub", "a/b") is None


@given(
    st.dictionaries(
        st.integers(1, 30), st.sampled_from(["shop", "web", "Shop", "", None])
    ),
    st.lists(st.sampled_from(["shop", "web", "none such"]), unique=True),
)
def test_a_team_sees_exactly_its_own(
    teams: dict[int, str | None], asked: Sequence[str]
) -> None:
    registries = {number: "hub" if number % 2 else "near" for number in teams}

    by_team = sights_by_team(teams, registries)
    seen = seen_together([by_team.get(team, NOTHING) for team in asked])

    expected = {number for number, team in teams.items() if team in asked}
    assert seen == Sight(
        frozenset(expected), frozenset(registries[number] for number in expected)
    )
