"""Limits on what an image stands on."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.policy.base_limits import (
    BaseTag,
    CertainBase,
    allows,
    certain_base,
    parse_base_pattern,
)
from weighbridge.domain.policy.policy import LimitedNumbers, Limits, verdict

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
SLIM = CertainBase(("library/python:3.12-slim", "library/python:slim"), 0)
OWN = CertainBase(("harbor.example:5000/shop/base:1",), 100 * 86_400)


@pytest.mark.parametrize(
    ("written", "base", "is_allowed"),
    [
        ("library/python:*-slim*", SLIM, True),
        ("python:*-slim", SLIM, True),
        ("docker.io/python:slim", SLIM, True),
        ("docker.io/library/python", SLIM, True),
        ("python", SLIM, True),
        ("*", SLIM, True),
        ("*:*-slim", SLIM, True),
        ("python:3.11*", SLIM, False),
        ("slim", SLIM, False),
        ("python:*-alpine*", SLIM, False),
        ("quay.io/python:*", SLIM, False),
        ("harbor.example:5000/shop/base", OWN, True),
        ("harbor.example:5000/shop/*", OWN, True),
        ("shop/base", OWN, False),
    ],
)
def test_a_pattern_is_written_as_in_a_dockerfile(
    written: str, base: CertainBase, is_allowed: bool
) -> None:
    pattern = parse_base_pattern(written)

    assert pattern is not None
    assert allows([pattern], base) == is_allowed


@pytest.mark.parametrize("text", ["", "py thon", "[a-z]?", "a" * 401, "python\n"])
def test_what_is_no_pattern_is_none(text: str) -> None:
    assert parse_base_pattern(text) is None


@given(st.text(max_size=40))
def test_any_text_is_a_pattern_that_fits_its_own_or_none(text: str) -> None:
    pattern = parse_base_pattern(text)

    assert pattern is None or parse_base_pattern(pattern) == pattern


def test_a_base_is_replaced_when_the_tag_that_is_shown_leads_elsewhere() -> None:
    full = BaseTag("library/python:3.12.1-slim", None)
    tag = BaseTag("library/python:3.12-slim", NOW - 90 * DAY)

    found = certain_base(tag.reference, [full, tag], NOW)

    assert found is not None
    assert found.references == (tag.reference, full.reference)
    assert found.replaced_for_s == 90 * 86_400


def test_a_base_that_is_current_is_not_old_however_long_it_is_there() -> None:
    old = BaseTag("library/alpine:3.18", NOW - 300 * DAY)
    now = BaseTag("library/alpine:3.18", None)

    # The tag has come back to a build that it had before.
    assert certain_base(old.reference, [old, now], NOW) == CertainBase(
        ("library/alpine:3.18",), 0
    )
    assert certain_base("x", [], NOW) is None


def held(limits: Limits, base: CertainBase | None) -> list[tuple[str, str, int | None]]:
    found = verdict(limits, LimitedNumbers(base=base))
    return [(each.key, each.keeping, each.amount) for each in found]


def test_limits_on_bases_are_held_against_a_base_that_is_certain() -> None:
    limits = Limits(
        allowed_bases=("library/python:*-slim",), max_base_age_s=90 * 86_400
    )

    assert held(limits, SLIM) == [
        ("allowed_bases", "kept", 0),
        ("max_base_age", "kept", 0),
    ]
    assert held(limits, OWN) == [
        ("allowed_bases", "over", 1),
        ("max_base_age", "over", 100 * 86_400),
    ]
    assert held(limits, None) == [
        ("allowed_bases", "unknown", None),
        ("max_base_age", "unknown", None),
    ]


def test_no_limit_on_bases_says_nothing_of_them() -> None:
    assert held(Limits(), SLIM) == []
