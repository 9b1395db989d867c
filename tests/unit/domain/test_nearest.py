"""Names that somebody may have meant."""

import time
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.text.nearest import nearest

TAGS: Final = ["3.7", "3.7-slim", "3.7-alpine", "3.8", "latest", "slim"]
MANY: Final = [
    f"{major}.{minor}.{fix}"
    for major in range(9)
    for minor in range(20)
    for fix in range(9)
]


@pytest.mark.parametrize(
    ("wanted", "first"),
    [("lates", "latest"), ("3.7slim", "3.7-slim"), ("v3.8", "3.8"), ("slin", "slim")],
)
def test_a_slip_leads_to_what_was_meant(wanted: str, first: str) -> None:
    assert nearest(wanted, TAGS)[0] == first
    assert nearest(wanted, [*MANY, *TAGS])[0] == first


def test_what_is_like_none_of_them_has_none() -> None:
    assert nearest("x", TAGS) == []
    assert nearest("3.7", []) == []


def test_no_more_are_named_than_are_wanted() -> None:
    assert len(nearest("3.7", TAGS)) == 3
    assert nearest("3.77", TAGS, 1) == ["3.7"]


def test_tags_that_a_pusher_made_to_be_compared_for_long_take_no_longer() -> None:
    names = ["a" * 124 + f"{number:04d}" for number in range(2_000)]
    began = time.process_time()

    found = nearest("a" * 128, names)

    assert len(found) == 3
    assert time.process_time() - began < 0.5


@given(st.text(max_size=30), st.lists(st.text(max_size=30), max_size=80))
def test_what_is_named_is_among_the_names_and_once(
    wanted: str, known: list[str]
) -> None:
    found = nearest(wanted, known)

    assert set(found) <= set(known)
    assert len(found) == len(set(found)) <= 3
    if wanted in known:
        assert wanted in found
