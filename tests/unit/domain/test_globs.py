"""Patterns let in what they name, and no pattern makes them spin."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.text.globs import Patterns, fits, matches


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("acme/*", "acme/shop/cart"),
        ("*", ""),
        ("*", "a/b/c"),
        ("**", "a/b"),
        ("v*", "v1"),
        ("*-dev", "1.0-dev"),
        ("a*b*c", "a-b-b-c"),
        ("a*a", "aa"),
        ("library/python", "library/python"),
    ],
)
def test_a_star_stands_for_any_text_slashes_included(pattern: str, name: str) -> None:
    assert fits(pattern, name)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("acme/*", "acme"),
        ("acme", "acme/shop"),
        ("a*a", "a"),
        ("*-dev", "1.0-dev2"),
        ("a*b*c", "a-c-b"),
        ("v.", "v1"),
        ("", "a"),
    ],
)
def test_everything_but_the_star_is_taken_literally(pattern: str, name: str) -> None:
    assert not fits(pattern, name)


def test_what_is_excluded_is_out_even_where_it_is_included() -> None:
    patterns = Patterns(include=("acme/*", "library/python"), exclude=("acme/tmp-*",))

    let_in = [
        name
        for name in ("acme/shop", "acme/tmp-1", "library/python", "library/node")
        if matches(patterns, name)
    ]

    assert let_in == ["acme/shop", "library/python"]


def test_no_patterns_said_means_everything() -> None:
    assert matches(Patterns(), "any/thing")


@given(st.text("ab*", max_size=12), st.text("ab", max_size=16))
def test_the_answer_is_that_of_an_equivalent_expression(
    pattern: str, name: str
) -> None:
    expression = ".*".join(map(re.escape, pattern.split("*")))

    assert fits(pattern, name) == bool(re.fullmatch(expression, name))


def test_a_pattern_made_to_backtrack_is_answered_at_once() -> None:
    # Whoever tries every way to split the text does not live to see the end.
    assert not fits("*a" * 120 + "b", "a" * 255)
