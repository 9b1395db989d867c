"""Numbers of pulls become months and bytes: none is counted twice, none made up."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.traffic.months import (
    month_begins,
    month_name,
    month_of,
    parse_month,
)
from weighbridge.domain.traffic.pulls import (
    COUNTED,
    MOST_PULLS,
    Counted,
    KeptCount,
    PullCount,
    increases,
    moved_bytes,
    read_pulls,
)
from weighbridge.domain.traffic.shares import divided
from weighbridge.errors import UsageError

NOON = datetime(2026, 3, 31, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
WEEK_S = 7 * 24 * 3600
TIMES = st.integers(0, 10 * 365 * 24 * 3600).map(
    lambda seconds: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)
NUMBERS = st.integers(0, MOST_PULLS)


def kept(number: int, at: datetime = NOON, until: datetime | None = None) -> KeptCount:
    return KeptCount(PullCount(number), at, until or at)


def test_the_first_number_of_a_counter_adds_nothing() -> None:
    assert increases(None, PullCount(1_000), NOON) == ()


def test_a_counter_adds_what_it_has_grown_by() -> None:
    (found,) = increases(kept(1_000), PullCount(1_012), NOON + HOUR)

    assert (month_name(found.month), found.number, found.is_estimate) == (
        *("2026-03", 12),
        False,
    )


def test_a_counter_that_has_fallen_is_unknown_and_never_negative() -> None:
    found = increases(kept(1_000), PullCount(3), NOON + timedelta(days=2))

    assert [(month_name(i.month), i.number) for i in found] == [
        ("2026-03", None),
        ("2026-04", None),
    ]


def test_what_came_over_the_end_of_a_month_is_of_both_by_their_time() -> None:
    before = kept(0, NOON - timedelta(days=1))

    found = increases(before, PullCount(400), NOON + timedelta(days=3))

    assert [(month_name(i.month), i.number) for i in found] == [
        ("2026-03", 150),
        ("2026-04", 250),
    ]
    assert all(increase.is_estimate for increase in found)


def test_a_counter_read_on_both_sides_of_a_months_end_is_no_estimate() -> None:
    before = kept(0, NOON + 11 * HOUR)

    found = increases(before, PullCount(10), NOON + 13 * HOUR)

    assert [increase.is_estimate for increase in found] == [False, False]


def test_an_older_number_adds_nothing() -> None:
    assert increases(kept(10), PullCount(20), NOON - HOUR) == ()


def test_a_number_that_counts_something_else_begins_anew() -> None:
    assert increases(kept(10), PullCount(20, "manifests", WEEK_S), NOON) == ()
    other = KeptCount(PullCount(20, "actions", WEEK_S), NOON, NOON)
    assert increases(other, PullCount(90), NOON + HOUR) == ()


def test_a_window_is_counted_once_in_each_window() -> None:
    count = PullCount(70, "actions", WEEK_S)
    at = datetime(2026, 3, 20, tzinfo=UTC)

    (first,) = increases(None, count, at)
    before = KeptCount(count, at, at)

    assert (first.number, first.is_estimate) == (70, True)
    assert increases(before, count, at + timedelta(days=6)) == ()
    assert [i.number for i in increases(before, count, at + timedelta(days=7))] == [70]


@given(NUMBERS, NUMBERS, TIMES, TIMES)
def test_months_add_up_to_what_came_and_are_never_negative(
    before: int, after: int, one: datetime, other: datetime
) -> None:
    since, until = sorted((one, other))

    found = increases(kept(before, since), PullCount(after), until)

    numbers = [increase.number for increase in found]
    if since == until:
        assert numbers == []
    elif after < before:
        assert set(numbers) == {None}
    else:
        assert sum(n for n in numbers if n is not None) == after - before
    assert all(n is None or n >= 0 for n in numbers)
    months = [increase.month for increase in found]
    assert months == sorted(set(months))
    assert all(month_of(i.since) == i.month for i in found)


@given(NUMBERS, TIMES)
def test_the_months_of_a_window_add_up_to_its_number(number: int, at: datetime) -> None:
    found = increases(None, PullCount(number, "actions", WEEK_S), at)

    assert sum(increase.number or 0 for increase in found) == number


@given(NUMBERS, st.sampled_from(COUNTED), st.data())
def test_the_range_of_bytes_is_one(
    number: int, counts: Counted, data: st.DataObject
) -> None:
    lightest = data.draw(st.integers(0, 2**40))
    heaviest = data.draw(st.integers(lightest, 2**41))

    found = moved_bytes(number, counts, lightest, heaviest)

    assert found is not None
    assert 0 <= found.low <= found.high == number * heaviest


def test_a_pull_of_an_index_is_two_manifests_and_one_image() -> None:
    found = moved_bytes(3, "manifests", 10, 100)

    assert found is not None
    assert (found.low, found.high) == (20, 300)


def test_actions_may_all_be_something_else_than_pulls() -> None:
    found = moved_bytes(3, "actions", 10, 100)

    assert found is not None
    assert (found.low, found.high) == (0, 300)


def test_what_images_weigh_that_are_not_known_is_not_known() -> None:
    assert moved_bytes(3, "manifests", None, None) is None
    nothing = moved_bytes(0, "manifests", None, None)
    assert nothing is not None
    assert nothing.high == 0


@pytest.mark.parametrize(
    ("told", "read"),
    [
        *((0, 0), (7, 7), (12.0, 12), (MOST_PULLS, MOST_PULLS)),
        *((-1, None), (True, None), ("7", None), (None, None), (12.5, None)),
        *((MOST_PULLS + 1, None), (float("inf"), None), (float("nan"), None)),
    ],
)
def test_numbers_that_cannot_be_meant_are_not_read(
    told: object, read: int | None
) -> None:
    assert read_pulls(told) == read


@given(NUMBERS, st.lists(st.integers(0, 2**60), max_size=20))
def test_parts_add_up_to_the_whole(whole: int, weights: list[int]) -> None:
    parts = divided(whole, weights)

    assert sum(parts) == (whole if sum(weights) else 0)
    assert all(part >= 0 for part in parts)
    assert all(p == 0 for p, weight in zip(parts, weights, strict=True) if not weight)


@given(TIMES)
def test_a_month_is_written_as_it_is_read(at: datetime) -> None:
    month = month_of(at)

    assert parse_month(month_name(month)) == month
    assert month_begins(month) <= at < month_begins(month + 1)


@pytest.mark.parametrize("text", ["", "2026", "2026-13", "2026-00", "26-01", "2026-1"])
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_month(text)

    assert caught.value.code == "invalid_month"
