"""Text fits its terminal word by word, and is never cut in a pipe."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.size.confidence import Uncompressed
from weighbridge.presentation.forms.phrases import column_unit
from weighbridge.presentation.forms.screen import Screen, bar, columns, screen_of
from weighbridge.presentation.image.line_table import short_instruction


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


class Latin1(io.StringIO):
    encoding = "iso-8859-1"


words = st.lists(st.text("ab日é", min_size=1, max_size=9), min_size=1, max_size=9)


@given(words, st.integers(4, 60), st.integers(0, 20))
def test_a_cut_line_fits_and_ends_after_a_whole_word(
    some: list[str], width: int, used: int
) -> None:
    text = " ".join(some)

    cut = Screen(width=width).cut(text, used)

    if cut != text:
        *kept, last = cut.split(" ")
        assert last == "…"
        assert kept == some[: len(kept)]
        assert columns(cut) <= max(width - used, 1)


@given(words)
def test_a_piped_line_is_never_cut(some: list[str]) -> None:
    text = " ".join(some)

    assert Screen(width=None).cut(text, 1000) == text
    assert Screen(width=None).wrapped(text) == text


def test_wide_characters_need_two_columns() -> None:
    assert columns("日本") == 4
    assert columns("e\u0301") == 1


def test_headline_parts_move_to_the_next_line_whole() -> None:
    screen = Screen(width=20)

    assert screen.joined(["348 MB", "9 layers", "", "19 lines"]) == (
        "348 MB   9 layers\n19 lines"
    )


def test_a_terminal_has_a_width_and_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "91")

    screen = screen_of(Terminal(), {"TERM": "xterm"})

    assert screen == Screen(width=91, ascii=False, colour=True)


@pytest.mark.parametrize(
    "environ", [{"TERM": "xterm", "NO_COLOR": "1"}, {"TERM": "dumb"}, {}]
)
def test_colours_are_left_out_where_they_are_not_wanted(
    environ: dict[str, str],
) -> None:
    assert not screen_of(Terminal(), environ).colour


def test_a_pipe_has_neither_width_nor_colours() -> None:
    screen = screen_of(io.TextIOWrapper(io.BytesIO(), "utf-8"), {"TERM": "xterm"})

    assert screen == Screen(width=None, ascii=False, colour=False)


def test_an_encoding_without_blocks_gets_letters() -> None:
    screen = screen_of(Latin1(), {})

    assert screen.ascii
    assert screen.heaviest + screen.no_layer + screen.rule == "*.-"


def test_a_role_is_painted_only_where_there_are_colours() -> None:
    assert Screen(colour=True).painted("o", "own") == "\x1b[34mo\x1b[0m"
    assert Screen().painted("o", "own") == "o"


@pytest.mark.parametrize(
    ("part", "whole", "drawn"),
    [
        (0, 100, ""),
        (1, 10**12, "▏"),
        (50, 100, "████████"),
        (100, 100, "█" * 16),
        (550, 1969, "████▌"),
        (7, 0, ""),
    ],
)
def test_a_bar_is_measured_in_eighths_and_something_is_never_nothing(
    part: int, whole: int, drawn: str
) -> None:
    assert bar(part, whole, 16) == drawn


def test_a_bar_in_letters_has_whole_cells() -> None:
    assert bar(1, 1000, 16, ascii=True) == "#"
    assert bar(50, 100, 16, ascii=True) == "########"


@given(st.integers(0, 10**15), st.integers(1, 10**15), st.booleans())
def test_a_bar_never_leaves_its_scale(part: int, whole: int, ascii: bool) -> None:
    assert len(bar(part, whole, 16, ascii=ascii)) <= 16


@pytest.mark.parametrize(
    ("n", "cell"),
    [
        (0, "0.0"),
        (1, "<0.1"),
        (49_999, "<0.1"),
        (50_000, "0.1"),
        (55_025_206, "55.0"),
        (4_872_100_000, "4872.1"),
        (None, "unknown"),
    ],
)
def test_a_cell_has_one_decimal_and_zero_is_only_nothing(
    n: int | None, cell: str
) -> None:
    assert column_unit(4_872_100_000).cell(n) == cell


@pytest.mark.parametrize(
    ("largest", "iec", "name"),
    [
        (5_000_000, False, "MB"),
        (5_000_000, True, "MiB"),
        (999_999, False, "kB"),
        (1_000_000, True, "KiB"),
        (999, False, "B"),
        (0, True, "B"),
    ],
)
def test_a_column_has_the_unit_of_its_largest_number(
    largest: int, iec: bool, name: str
) -> None:
    assert column_unit(largest, iec=iec).name == name


def test_an_estimate_is_marked_and_the_unknown_is_a_word() -> None:
    unit = column_unit(10**9)

    estimate = Uncompressed("estimate", 1_868_000_000, 10**9, 2 * 10**9)
    assert unit.uncompressed_cell(estimate) == "~1868.0"
    assert unit.uncompressed_cell(None) == "unknown"


@pytest.mark.parametrize(
    ("text", "short"),
    [
        (
            "RUN set -eux; apt-get update; apt-get install -y --no-install-recommends "
            "git procps; rm -rf /var/lib/apt/lists/*",
            "RUN apt-get install … git procps",
        ),
        (
            "RUN if ! command -v gpg > /dev/null; then apt-get update; "
            "apt-get install -y gnupg; fi",
            "RUN apt-get install … gnupg",
        ),
        ("RUN rm -rf /tmp/x", "RUN rm -rf /tmp/x"),
        ("ADD file:917750a82b29f8f7cd37 in /", "ADD file:917750a82b29… in /"),
        ("COPY . /app", "COPY . /app"),
    ],
)
def test_the_gist_of_a_line_leaves_out_its_housekeeping(text: str, short: str) -> None:
    assert short_instruction(text) == short


@given(st.text(max_size=200))
def test_any_line_has_a_gist(text: str) -> None:
    assert isinstance(short_instruction(f"RUN {text}"), str)
