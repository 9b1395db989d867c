"""The heaviest repositories, on one scale."""

import json
import re
from dataclasses import replace

import pytest

from support.read_model import a_repository_report
from weighbridge.cli.screen import Screen, columns
from weighbridge.cli.top_output import render_top, top_csv, top_json, top_markdown

PIPE = Screen()
API = a_repository_report("shop/api", "harbor")
TRAINER = replace(
    a_repository_report("ml/trainer", "harbor"),
    newest_tag="2026.9",
    newest_compressed_bytes=4_872_100_000,
    newest_uncompressed_bytes=None,
    newest_uncompressed_confidence="unknown",
)
AIRFLOW = replace(
    a_repository_report("data/airflow", "harbor"),
    newest_compressed_bytes=781_300_000,
    newest_uncompressed_bytes=1_868_000_000,
    newest_uncompressed_confidence="estimate",
)
ROWS = [TRAINER, API, AIRFLOW]


def test_all_bars_are_on_one_scale_from_zero() -> None:
    assert render_top(ROWS, PIPE).splitlines() == [
        "    COMPRESSED",
        "            MB                    ON DISK, MB   REPOSITORY            TAG",
        "        4872.1  ████████████████      unknown   harbor/ml/trainer     2026.9",
        "        1082.7  ███▌                   2581.7   harbor/shop/api       1.5.0",
        "         781.3  ██▋                   ~1868.0   harbor/data/airflow   1.5.0",
        "",
        "  3 repositories, linux/amd64   ~ estimate",
    ]


def test_what_was_never_weighed_is_unknown_and_has_no_bar() -> None:
    fresh = replace(
        API,
        state="new",
        newest_tag=None,
        newest_platform=None,
        newest_compressed_bytes=None,
        newest_uncompressed_bytes=None,
        newest_uncompressed_confidence=None,
    )

    line = render_top([fresh], PIPE).splitlines()[2]

    assert re.fullmatch(r" +unknown +unknown   harbor/shop/api   none   new", line)


def test_a_row_of_an_older_look_says_so() -> None:
    row = replace(API, state="partial", state_reason="too_many_tags")

    assert "1.5.0   partial: too_many_tags" in render_top([row], PIPE)


def test_nothing_yet_names_the_next_step() -> None:
    assert "weighbridge crawl" in render_top([], PIPE)


@pytest.mark.parametrize("width", [70, 90])
def test_a_row_fits_its_terminal(width: int) -> None:
    named = replace(API, repository="a/b " * 30)

    rows = render_top([named], Screen(width=width)).splitlines()[2:3]

    assert max(map(columns, rows)) <= width


def test_json_has_the_rows_of_the_api_under_items() -> None:
    found = json.loads(top_json(ROWS))

    assert list(found) == ["items"]
    assert found["items"][0]["repository"] == "ml/trainer"
    assert found["items"][0]["newest_compressed_bytes"] == 4_872_100_000
    assert found["items"][0]["newest_uncompressed_bytes"] is None


def test_csv_has_the_same_columns() -> None:
    head, first, *_ = top_csv(ROWS).splitlines()

    assert head.split(",") == list(json.loads(top_json(ROWS))["items"][0])
    assert first.startswith("harbor,ml/trainer,ok,")


def test_markdown_has_the_columns_of_the_table() -> None:
    assert top_markdown([API], PIPE).splitlines()[2] == (
        "| 1082.7 | 2581.7 | `harbor/shop/api` | `1.5.0` |"
    )


def test_letters_stand_in_for_blocks() -> None:
    assert render_top(ROWS, Screen(ascii=True)).isascii()
