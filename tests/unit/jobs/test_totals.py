"""What others may have put into Redis is a number of ours, or nothing."""

from math import isfinite

from hypothesis import given
from hypothesis import strategies as st

from weighbridge.jobs.redis.worker_register import (
    Series,
    field_of,
    number_of,
    series_of,
)

LABELS = st.lists(st.tuples(st.text(), st.text())).map(lambda found: tuple(found))


@given(st.builds(Series, st.text(), LABELS))
def test_a_name_is_read_back_as_it_was_written(series: Series) -> None:
    assert series_of(field_of(series)) == series


@given(st.text() | st.recursive(st.text(), st.lists).map(repr))
def test_broker_003_any_text_is_a_name_or_none(text: str) -> None:
    found = series_of(text)

    assert found is None or series_of(field_of(found)) == found


def test_broker_003_what_is_deep_or_of_another_form_is_no_name() -> None:
    strange = ("[" * 100_000, "{}", '["a", "b"]', '["a", ["b"]]', "[1]", "[]", "null")

    assert [series_of(text) for text in strange] == [None] * len(strange)


@given(st.text() | st.floats().map(str))
def test_broker_003_any_text_is_a_number_that_can_be_shown_or_none(text: str) -> None:
    number = number_of(text)

    assert number is None or (isfinite(number) and number >= 0)
