"""Which policy decides what, for one image and for many."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.policies import a_policy
from weighbridge.domain.policy.policy import (
    KEYS,
    NO_POLICIES,
    Limits,
    Match,
    Policy,
    PolicyKey,
    PolicySet,
    decide,
    is_matched,
    limits_of,
    policy_set,
)


def test_the_first_policy_that_sets_a_key_wins_key_by_key() -> None:
    policies = PolicySet(
        [
            a_policy("first", team="shop", max_compressed=500),
            a_policy("second", team="ops", max_compressed=900, max_growth=0.25),
            a_policy("third", max_growth=0.5, severity="critical"),
        ]
    )

    assert policies.limits_of("hub", "a", "1") == Limits(
        team="shop", max_compressed_bytes=500, max_growth=0.25, severity="critical"
    )


def test_a_policy_that_does_not_match_decides_nothing() -> None:
    policies = PolicySet(
        [
            a_policy("shop", Match(repository="shop/*"), max_compressed=500),
            a_policy("all", max_compressed=900),
        ]
    )

    assert policies.limits_of("hub", "shop/a/b", "1").max_compressed_bytes == 500
    assert policies.limits_of("hub", "shopping", "1").max_compressed_bytes == 900


def test_a_key_that_is_set_to_nothing_hides_later_limits() -> None:
    policies = PolicySet(
        [
            a_policy("free", Match(repository="ml/*"), max_compressed=None),
            a_policy("all", max_compressed=900, max_growth=0.25),
        ]
    )

    limits = policies.limits_of("hub", "ml/notebook", "1")

    assert (limits.max_compressed_bytes, limits.max_growth) == (None, 0.25)


@pytest.mark.parametrize(
    ("match", "is_right"),
    [
        (Match(), True),
        (Match("hub", "acme/app", "1.0"), True),
        (Match("h*", "*/app", "1.*"), True),
        (Match(registry="harbor"), False),
        (Match(repository="acme"), False),
        (Match(tag="2.*"), False),
    ],
)
def test_registry_repository_and_tag_all_have_to_fit(
    match: Match, is_right: bool
) -> None:
    assert is_matched(match, "hub", "acme/app", "1.0") is is_right


def test_where_there_is_no_tag_only_a_star_fits() -> None:
    policies = PolicySet([a_policy("dev", Match(tag="*-dev"), team="a")])

    assert policies.limits_of("hub", "app", "1-dev").team == "a"
    assert policies.limits_of("hub", "app", "").team is None


def test_without_any_policy_the_default_minds_growth_only() -> None:
    limits = policy_set([]).limits_of("hub", "any/thing", "latest")

    assert limits == Limits(max_growth=0.25, min_growth_bytes=50_000_000)
    assert limits.severity == "warning"


def test_one_policy_of_ones_own_replaces_the_default() -> None:
    limits = policy_set([a_policy("mine", team="a")]).limits_of("hub", "a", "1")

    assert limits == Limits(team="a")


def test_every_key_is_explained_with_the_policy_that_decides() -> None:
    policies = PolicySet([a_policy("slim", max_compressed=500), a_policy("mine")])

    decided = policies.explain("hub", "app", "1")

    assert [each.key for each in decided] == list(KEYS)
    told = {each.key: each for each in decided if each.policy is not None}
    assert told.keys() == {"max_compressed"}
    assert told["max_compressed"].value == 500
    assert str(told["max_compressed"].place) == "slim.yaml:2"


def test_what_was_built_in_says_so() -> None:
    (growth,) = (
        each
        for each in policy_set([]).explain("hub", "app", "1")
        if each.key == "max_growth"
    )

    assert str(growth.place) == "built in"


def test_without_policies_nothing_has_a_limit() -> None:
    assert NO_POLICIES.limits_of("hub", "app", "1") == Limits()


NAMES = st.text("ab/", min_size=1, max_size=5)
PATTERNS = st.text("ab/*", min_size=1, max_size=5)
MATCHES = st.builds(Match, PATTERNS, PATTERNS, PATTERNS)
KEY_VALUES: Mapping[PolicyKey, st.SearchStrategy[object]] = {
    "team": st.none() | st.sampled_from(["x", "y"]),
    "max_compressed": st.none() | st.integers(1, 9),
    "severity": st.sampled_from(["critical", "info"]),
}


@st.composite
def policies_drawn(draw: st.DrawFn) -> Policy:
    keys = draw(st.sets(st.sampled_from(sorted(KEY_VALUES))))
    values = {key: draw(KEY_VALUES[key]) for key in sorted(keys)}
    return a_policy(draw(NAMES), draw(MATCHES | st.just(Match())), **values)


@given(st.lists(policies_drawn(), max_size=8), NAMES, NAMES, NAMES | st.just(""))
def test_the_index_finds_what_trying_every_policy_finds(
    policies: list[Policy], registry: str, repository: str, tag: str
) -> None:
    tried = [p for p in policies if is_matched(p.match, registry, repository, tag)]
    by_index = PolicySet(policies)

    assert by_index.limits_of(registry, repository, tag) == limits_of(tried)
    assert by_index.explain(registry, repository, tag) == decide(tried)


@given(st.lists(policies_drawn(), max_size=6))
def test_both_ways_to_ask_say_the_same(policies: list[Policy]) -> None:
    decided = decide(policies)

    assert {each.key: each.value for each in decided} == limits_of(policies).by_key
    for each in decided:
        if each.policy is not None:
            before = policies[: policies.index(each.policy)]
            assert not any(each.key in earlier.places for earlier in before)


class WatchedMatch(Match, frozen=True):
    """Notes whose patterns were tried."""

    def __getattribute__(self, name: str) -> object:
        found: object = super().__getattribute__(name)
        if name == "repository":
            TRIED.append(str(found))
        return found


TRIED: list[str] = []


def tried_on(patterns: Sequence[str], repository: str) -> list[str]:
    """Which of these patterns a set of policies tries."""
    policies = PolicySet(
        a_policy(pattern, WatchedMatch(repository=pattern)) for pattern in patterns
    )
    TRIED.clear()
    policies.limits_of("hub", repository, "1")
    return list(dict.fromkeys(TRIED))


def test_policies_of_three_hundred_teams_are_not_all_tried() -> None:
    patterns = [*(f"team-{number}/*" for number in range(300)), "*"]

    assert tried_on(patterns, "team-77/app") == ["team-77/*", "*"]


def test_of_policies_for_teams_and_for_all_each_key_has_the_first() -> None:
    teams = [
        a_policy(f"team-{n}", Match(repository=f"team-{n}/*"), team=f"team-{n}")
        for n in range(300)
    ]

    found = PolicySet([*teams, a_policy("all", max_growth=0.25)]).limits_of(
        "hub", "team-77/app", "1"
    )

    assert (found.team, found.max_growth) == ("team-77", 0.25)


def test_a_pattern_that_begins_with_a_star_is_tried_where_its_longest_text_is() -> None:
    patterns = ("*/web", "*-9*/web", "*", "**", "*a*longest*b")

    assert tried_on(patterns, "shop/a-longest-9") == ["*", "**", "*a*longest*b"]
