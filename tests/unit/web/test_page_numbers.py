"""Numbers, times and lines as they are written on pages."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.read_model import NOW
from weighbridge.web.views.words import ago, percent, pull_time, shortened, summary


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (566, 1000, "56.6"),
        (0, 1000, "0"),
        (1, 1_000_000, "< 0.1"),
        (999_999, 1_000_000, "99.9"),
        (7, 7, "100"),
        (0, 0, "0"),
    ],
)
def test_a_share_is_never_rounded_to_nothing_or_to_all(
    part: int, whole: int, text: str
) -> None:
    assert percent(part, whole) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "just now"),
        (59, "just now"),
        (240, "4 min ago"),
        (9_600, "2 h 40 min ago"),
        (7_200, "2 h ago"),
        (21 * 86_400, "21 d ago"),
        (3 * 365 * 86_400, "2023-09-23"),
    ],
)
def test_an_age_has_the_parts_that_matter(seconds: int, text: str) -> None:
    assert ago(NOW - timedelta(seconds=seconds), NOW) == text


def test_a_pull_takes_eight_bits_a_byte() -> None:
    assert pull_time(1_082_700_595, 1_000_000_000) == "8.7 s"
    assert pull_time(1_082_700_595, 100_000_000) == "87 s"
    assert pull_time(157, 1_000_000_000) == "< 0.01 s"
    assert pull_time(0, 1_000_000_000) == "0 s"


def test_a_summary_leaves_out_what_every_line_begins_with() -> None:
    line = (
        "RUN set -ex; apt-get update && apt-get install -y --no-install-recommends "
        "autoconf g++ gcc imagemagick zlib1g-dev; rm -rf /var/lib/apt/lists/*"
    )

    assert summary(line, 60) == "RUN apt-get install … autoconf g++ gcc imagemagick …"


def test_a_line_that_fits_is_left_alone() -> None:
    assert summary("RUN set -e; make", 60) == "RUN set -e; make"


@given(st.text(max_size=300), st.integers(10, 200))
def test_a_shortened_text_fits(text: str, characters: int) -> None:
    cut = shortened(text, characters)

    assert len(cut) <= characters
    assert cut == text or cut.endswith("…")
