"""Bytes, durations and shares as people write them and read them."""

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.text.units import (
    LIMIT_PATTERN,
    format_bytes,
    format_duration,
    format_percent,
    parse_bytes,
    parse_duration,
    parse_limit_bytes,
    split_bytes,
    written_bytes,
    written_duration,
)
from weighbridge.errors import UsageError


@pytest.mark.parametrize(
    ("n", "shown"),
    [
        (0, "0 B"),
        (92, "92 B"),
        (999, "999 B"),
        (1_000, "1.00 kB"),
        (1_204, "1.20 kB"),
        (58_249_000, "58.2 MB"),
        (469_900_000, "470 MB"),
        (999_499_999, "999 MB"),
        (999_600_000, "1.00 GB"),
        (1_082_700_595, "1.08 GB"),
        (9_996_000_000, "10.0 GB"),
        (2**44, "17.6 TB"),
        (-61_200_000, "-61.2 MB"),
    ],
)
def test_bytes_have_three_significant_digits(n: int, shown: str) -> None:
    assert format_bytes(n) == shown


@pytest.mark.parametrize(
    ("n", "shown"),
    [
        (1_023, "1023 B"),
        (1_024, "1.00 KiB"),
        (58_249_000, "55.6 MiB"),
        (1_023 * 1024, "1023 KiB"),
        (1_048_064, "1.00 MiB"),
        (1_082_700_595, "1.01 GiB"),
    ],
)
def test_iec_units_run_to_1023(n: int, shown: str) -> None:
    assert format_bytes(n, iec=True) == shown


@given(st.integers(0, 2**60), st.booleans())
def test_what_is_shown_is_within_half_a_step_of_the_truth(n: int, iec: bool) -> None:
    number, unit = split_bytes(n, iec=iec)

    shown = parse_bytes(f"{number}{unit}")
    assert abs(shown - n) <= n / 199 + 1
    assert len(number.replace(".", "")) in (3, 4) or n < 1000


@pytest.mark.parametrize(
    ("text", "n"),
    [
        ("500MB", 500_000_000),
        ("500 MB", 500_000_000),
        ("500mb", 500_000_000),
        ("500MiB", 524_288_000),
        ("1.2GB", 1_200_000_000),
        ("0.1KiB", 102),
        ("92B", 92),
        ("2TB", 2_000_000_000_000),
    ],
)
def test_a_limit_means_what_it_says(text: str, n: int) -> None:
    assert parse_bytes(text) == n


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("500", "needs a unit: 500MB (500,000,000) or 500MiB (524,288,000)"),
        ("10Gi", "write 10GiB"),
        ("10M", "write 10MB"),
        ("1GB+1", "write 500MB"),
        ("-5MB", "write 500MB"),
        ("5Mb", "units are B, kB, MB"),
        ("1e9B", "write 500MB"),
        ("", "write 500MB"),
        ("٣MB", "write 500MB"),
        ("999999999PB", "8 EiB"),
    ],
)
def test_what_could_mean_two_things_is_refused_with_a_hint(
    text: str, hint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        parse_bytes(text)

    assert caught.value.code == "invalid_bytes"
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0s", 0),
        ("90s", 90),
        ("15m", 900),
        ("1h", 3_600),
        ("1d12h", 129_600),
        ("30d", 2_592_000),
        ("2w", 1_209_600),
    ],
)
def test_durations_are_sums_of_units(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        *(pytest.param(text, id=f"config_file-009-{text}") for text in ("-5m", "1ns")),
        pytest.param("10000y", id="config_file-009-10000y"),
        pytest.param("99999w", id="beyond-a-century"),
        pytest.param("12h1d", id="wrong-order"),
        pytest.param("1.5h", id="fraction"),
        pytest.param("15", id="no-unit"),
        pytest.param("", id="empty"),
        pytest.param("1h\n", id="line-end"),
    ],
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_duration(text)

    assert caught.value.code == "invalid_duration"


@given(st.text() | st.from_regex(r"[0-9.]{1,30}[a-zA-Z]{0,4}", fullmatch=True))
def test_any_text_is_an_amount_or_an_error_of_ours(text: str) -> None:
    for parse in (parse_bytes, parse_duration):
        with suppress(UsageError):
            assert parse(text) >= 0


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 s"),
        (0.414, "0.41 s"),
        (4, "4 s"),
        (8.72, "8.7 s"),
        (87.4, "87 s"),
        (206, "206 s"),
        (720, "12 min"),
        (3_599, "1 h"),
        (7_860, "2 h 11 min"),
        (86_390, "1 d"),
        (100 * 3_600, "4 d 4 h"),
    ],
)
def test_durations_are_shown_in_two_units_at_most(seconds: float, shown: str) -> None:
    assert format_duration(seconds) == shown


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [
        (566, 1_000, "56.6"),
        (1, 1_000, "0.1"),
        (1, 1_000_000, "<0.1"),
        (0, 1_000, "0.0"),
        (0, 0, "0.0"),
        (7, 7, "100.0"),
        (13, 10, "130.0"),
    ],
)
def test_a_share_is_zero_for_nothing_only(part: int, whole: int, shown: str) -> None:
    assert format_percent(part, whole) == shown


@given(st.integers(0, 100 * 366 * 86_400))
def test_a_written_duration_is_read_as_the_same(seconds: int) -> None:
    assert parse_duration(written_duration(seconds)) == seconds


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (90, "1m30s"), (3600, "1h"), (129_600, "1d12h"), (2_592_000, "30d")],
)
def test_a_duration_is_written_as_a_person_would(seconds: int, text: str) -> None:
    assert written_duration(seconds) == text


@given(
    st.integers(1, 10**15 - 1)
    | st.builds(
        lambda n, step, power: n * step**power,
        st.integers(1, 999),
        st.sampled_from([1000, 1024]),
        st.integers(0, 5),
    )
)
def test_a_written_limit_is_read_as_the_same(n: int) -> None:
    assert parse_limit_bytes(written_bytes(n)) == n


@pytest.mark.parametrize(
    ("n", "text"),
    [
        (400_000_000, "400MB"),
        (1_000_000_000, "1GB"),
        (1_500_000_000, "1500MB"),
        (524_288_000, "500MiB"),
        (7, "7B"),
    ],
)
def test_a_limit_is_written_in_the_largest_unit_that_fits(n: int, text: str) -> None:
    assert written_bytes(n) == text


def test_a_limit_of_nothing_is_none() -> None:
    with pytest.raises(UsageError, match="more than nothing") as caught:
        parse_limit_bytes("0MB")

    assert caught.value.code == "invalid_bytes"


def test_the_largest_number_of_bytes_is_read_as_it_is_written() -> None:
    assert parse_bytes(written_bytes(2**63 - 1)) == 2**63 - 1


@given(text=st.from_regex(LIMIT_PATTERN, fullmatch=True))
def test_what_is_described_as_a_limit_is_read_as_one(text: str) -> None:
    assert parse_limit_bytes(text) > 0


@pytest.mark.parametrize("text", ["400MB", "1.5GiB", "0.5 kB", "1B", "999PB", "7 tib"])
def test_usual_limits_are_described(text: str) -> None:
    assert re.search(LIMIT_PATTERN, text)


@pytest.mark.parametrize("text", ["0MB", "0.0GB", "0.5B", "1.5", "1Mb", "1000EB", ""])
def test_what_is_no_limit_is_not_described(text: str) -> None:
    assert not re.search(LIMIT_PATTERN, text)
    with pytest.raises(UsageError):
        parse_limit_bytes(text)
