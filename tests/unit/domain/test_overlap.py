"""Whether two sets of patterns have a name in common is decided as by trying all."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.text.globs import UNDECIDED, Patterns, common_name, matches

# distribution-spec, Pulling manifests.
NAME = re.compile(r"[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*")
LETTERS = "ab/-c"
"""`c` stands in no pattern: it is every other letter."""
NAMES = [
    name
    for length in range(1, 8)
    for name in map("".join, itertools.product(LETTERS, repeat=length))
    if NAME.fullmatch(name)
]

patterns_text = st.text(alphabet="ab/-*", min_size=1, max_size=4)
several = st.builds(
    Patterns,
    include=st.lists(patterns_text, min_size=1, max_size=2).map(tuple),
    exclude=st.lists(patterns_text, max_size=2).map(tuple),
)


@pytest.mark.slow  # takes seconds
@given(several, several)
def test_a_common_name_is_found_exactly_where_trying_all_finds_one(
    one: Patterns, other: Patterns
) -> None:
    tried = next((n for n in NAMES if matches(one, n) and matches(other, n)), None)

    found = common_name(one, other)

    if found is not None:
        assert matches(one, found)
        assert matches(other, found)
        is_whole = found in (*one.include, *other.include)
        assert is_whole or NAME.fullmatch(found)
    assert found is not None or tried is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Patterns(("shop/*",)), Patterns(("team/*",))),
        (Patterns(("*",), ("team/*",)), Patterns(("team/*",))),
        (Patterns(("*-dev",)), Patterns(("*-prod",))),
        (Patterns(("shop/*",), ("shop/tmp-*",)), Patterns(("shop/tmp-*",))),
        (Patterns(("library/python",)), Patterns(("library/*",), ("*/python",))),
        (Patterns(("a*/x",)), Patterns(("*/x",), ("a*",))),
        (Patterns(("shop/*",)), Patterns(("shop-*",))),
    ],
)
def test_sets_that_are_kept_apart_have_no_common_name(
    one: Patterns, other: Patterns
) -> None:
    assert common_name(one, other) is None
    assert common_name(other, one) is None


@pytest.mark.parametrize(
    ("one", "other", "name"),
    [
        (Patterns(), Patterns(), "0"),
        (Patterns(), Patterns(("team/*",)), "team/0"),
        (Patterns(("shop/*",)), Patterns(("*/cart",)), "shop/cart"),
        (Patterns(("library/python",)), Patterns(("library/*",)), "library/python"),
        (Patterns(("*",), ("team/a*",)), Patterns(("team/*",)), "team/0"),
        (Patterns(("a*b",)), Patterns(("*b*b",), ("ab*",)), "a0bb"),
    ],
)
def test_a_common_name_is_given_as_an_example(
    one: Patterns, other: Patterns, name: str
) -> None:
    found = common_name(one, other)

    assert found is not None
    assert matches(one, found)
    assert matches(other, found)
    assert len(found) <= len(name)


@pytest.mark.slow
def test_what_cannot_be_followed_to_the_end_is_left_undecided() -> None:
    """Three counters of 120 steps each, and no name at the end of them."""
    counters = ("a*" * 120 + "-", "b*" * 120 + "-", "*" + "a*b*" * 60 + "-")
    one = Patterns(("*z",), ("*z", *counters))

    assert common_name(one, Patterns(("*z",))) == UNDECIDED
