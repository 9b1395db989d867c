"""One table in four forms: what stays where it is narrow, and what no text can do."""

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from weighbridge.presentation.forms.screen import Output, Screen
from weighbridge.presentation.forms.table import Column, Table

HOSTILE = "[bold red]x[/] :smile: \x1b[31m\u202e`|\n=1+1"
Row = tuple[str, str, str, str]
TABLE: Table[Row] = Table(
    columns=(
        Column("Size", lambda row: row[0], "number", rank=3, unit="MB"),
        Column("State", lambda row: row[1], "words", rank=1),
        Column("Image", lambda row: row[2], "name"),
        Column("By", lambda row: row[1], rank=1),
        Column("", lambda row: "#" * 8, rank=-1),
        Column("Line", lambda row: row[3], "line"),
    ),
    keys=("size", "image"),
    as_object=lambda row: {"size": int(row[0]), "image": row[2]},
    role=lambda row: "over" if row[1] == "open" else None,
    below=lambda row: f"waived: {row[3]}" if row[1] == "waived" else None,
    empty="nothing weighs anything",
)
ROWS: list[Row] = [
    ("9", "open", "hub/shop/api:1.5", "RUN pip install torch"),
    ("1200", "waived", "hub/shop/a-long-name-of-a-repository:1.5", "COPY . /"),
]


def text(width: int | None, rows: list[Row] = ROWS) -> list[str]:
    return TABLE.printed(rows, "table", Screen(width), foot=["2 rows"]).splitlines()


def test_a_pipe_gets_every_column_whole() -> None:
    assert text(None) == [
        "SIZE",
        "  MB  STATE   IMAGE                                     BY"
        "                LINE",
        "   9  open    hub/shop/api:1.5                          open    "
        "########  RUN pip install torch",
        "1200  waived  hub/shop/a-long-name-of-a-repository:1.5  waived  "
        "########  COPY . /",
        "  waived: COPY . /",
        "",
        "2 rows",
    ]


def test_a_pipe_gets_signs_whole_that_some_take_for_wide() -> None:
    line = "RUN echo \u2630\u2631\u4dc0 torch==1.13.1"

    _, _, row, *_ = text(None, [("9", "open", "hub/shop/api:1.5", line)])

    assert row.endswith(f"  {line}")


def test_a_terminal_of_unknown_kind_has_the_width_that_it_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = TABLE.lines(ROWS, Screen(200, colour=True))
    monkeypatch.setenv("TERM", "unknown")

    assert TABLE.lines(ROWS, Screen(200, colour=True)) == known


@pytest.mark.parametrize(
    ("width", "heads", "left_out"),
    [
        (95, "MB STATE IMAGE BY LINE", ""),
        (84, "MB STATE IMAGE LINE", "by"),
        (75, "MB IMAGE LINE", "by, state"),
        (60, "IMAGE LINE", "by, state, size"),
    ],
)
def test_columns_give_way_by_their_rank_and_it_is_said_which(
    width: int, heads: str, left_out: str
) -> None:
    lines = text(width)

    head = next(line for line in lines if "IMAGE" in line)
    assert head.split() == heads.split()
    note = f"no room for {left_out}: -o json has all"
    assert (lines[-1] == note) if left_out else (lines[-1] == "2 rows")


def test_of_a_name_without_room_the_end_stays() -> None:
    lines = text(40)

    assert lines[1].startswith("hub/shop/api:1.5  ")
    assert lines[2].endswith("-repository:1.5  COPY . /")
    assert lines[2].startswith("…")


@given(st.integers(16, 120), st.text(max_size=60), st.text(max_size=60))
def test_no_text_makes_a_row_wider_than_its_terminal_or_two_lines(
    width: int, name: str, line: str
) -> None:
    lines = TABLE.lines([("7", "open", name, line)], Screen(width))

    assert len(lines.rows) == 1
    assert all(cell_len(each) <= width for each in (*lines.head, *lines.rows))


@pytest.mark.parametrize("output", ["table", "markdown"])
def test_a_hostile_text_is_shown_as_it_is_written(output: Output) -> None:
    rows: list[Row] = [("1", "ok", HOSTILE, "")]

    shown = TABLE.printed(rows, output, Screen(colour=True))

    assert "[bold red]x[/] :smile: \\x1b[31m\\u202e`" in shown
    assert shown.count("\\n=1+1") == 1
    assert "\x1b" not in shown


def test_programs_get_the_text_itself_but_no_formula() -> None:
    rows: list[Row] = [("1", "ok", "=1\x1b", "")]

    found = json.loads(TABLE.printed(rows, "json", Screen(), beside={"more": 1}))
    (row,) = csv.DictReader(io.StringIO(TABLE.printed(rows, "csv", Screen())))

    assert found == {"items": [{"size": 1, "image": "=1\x1b"}], "more": 1}
    assert row == {"size": "1", "image": "'=1\x1b"}


def test_markdown_has_numbers_to_the_right_and_no_column_without_a_title() -> None:
    head, rule, first, _ = TABLE.printed(ROWS, "markdown", Screen()).splitlines()

    assert head == "| Size, MB | State | Image | By | Line |"
    assert rule == "| ---: | --- | --- | --- | --- |"
    assert first == (
        "| 9 | open | `hub/shop/api:1.5` | `open` | `RUN pip install torch` |"
    )


def test_a_row_has_its_colour_and_no_blanks_do() -> None:
    row, *_ = TABLE.lines(ROWS, Screen(colour=True)).rows

    assert row.startswith("   \x1b[31m9\x1b[0m  \x1b[31mopen\x1b[0m    \x1b[31mhub/")


def test_without_rows_words_stand_for_the_table() -> None:
    assert text(80, []) == ["nothing weighs anything", "2 rows"]
    assert TABLE.printed([], "csv", Screen()) == "size,image"
