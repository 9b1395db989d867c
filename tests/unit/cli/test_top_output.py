"""The heaviest repositories, on one scale."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace

import pytest

from support.read_model import NOW, a_registry_report, a_repository_report
from weighbridge.cli.actions import top
from weighbridge.domain.report.inventory import RegistryReport, RepositoryReport
from weighbridge.presentation.forms.screen import Output, Screen, columns

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


def printed(
    rows: Sequence[RepositoryReport],
    screen: Screen = PIPE,
    registries: Sequence[RegistryReport] = (),
    *,
    by: str = "compressed",
    output: Output = "table",
) -> str:
    return top.printed(rows, output, screen, NOW, registries, by=by)


def test_all_bars_are_on_one_scale_from_zero() -> None:
    assert printed(ROWS, PIPE).splitlines() == [
        "    COMPRESSED  ON DISK",
        "            MB       MB                    REPOSITORY           TAG",
        "        4872.1  unknown  ████████████████  harbor/ml/trainer    2026.9",
        "        1082.7   2581.7  ███▌              harbor/shop/api      1.5.0",
        "         781.3  ~1868.0  ██▋               harbor/data/airflow  1.5.0",
        "",
        "  3 repositories, linux/amd64   ~ estimate",
    ]


@pytest.mark.parametrize(
    ("by", "full", "counted"),
    [
        ("compressed", "ml/trainer", ""),
        ("name", "ml/trainer", ""),
        ("uncompressed", "shop/api", ""),
        ("tags", "data/airflow", "    99  "),
        ("images", "shop/api", "    34  "),
    ],
)
def test_bars_are_of_what_is_compared(by: str, full: str, counted: str) -> None:
    rows = [
        replace(TRAINER, tags=9, images=3),
        replace(API, tags=41, images=34),
        replace(AIRFLOW, tags=99, images=3),
    ]

    text = printed(rows, PIPE, by=by)

    (line,) = [line for line in text.splitlines() if "█" * 16 in line]
    assert full in line
    assert f"{counted}{'█' * 16}" in line
    assert (f" {by.upper()} " in text.splitlines()[1]) is bool(counted)


FRESH = replace(
    API,
    state="new",
    tags=0,
    images=0,
    newest_tag=None,
    newest_platform=None,
    newest_compressed_bytes=None,
    newest_uncompressed_bytes=None,
    newest_uncompressed_confidence=None,
)


def test_what_was_never_weighed_is_unknown_and_has_no_bar() -> None:
    lines = printed([FRESH], PIPE).splitlines()

    assert lines[1].split()[:2] == ["MB", "MB"]
    assert re.fullmatch(r" +unknown +unknown +harbor/shop/api +new", lines[2])


def test_a_repository_of_charts_has_no_image() -> None:
    charts = replace(FRESH, state="ok", tags=3)

    line = printed([charts, API], PIPE).splitlines()[2]

    assert re.fullmatch(r" +no image +harbor/shop/api", line)
    assert "| no image |  | `harbor/shop/api` |  |" in printed(
        [charts], output="markdown"
    )


def test_a_row_whose_last_look_failed_says_so_and_of_when_it_is() -> None:
    row = replace(API, state="unreachable", state_reason="connect_error")

    text = printed([row], PIPE)

    assert text.splitlines()[2].startswith(" !      1082.7 ")
    assert "1.5.0  unreachable (connect_error), complete 2026-09-22 09:28" in text
    assert "! the last crawl failed" in text


def test_a_registry_that_is_down_is_told_below_the_table() -> None:
    harbor = replace(
        a_registry_report("harbor"), state="unreachable", state_reason="dns_error"
    )

    foot = printed([API], PIPE, [harbor]).splitlines()[-1]

    assert foot == (
        "  harbor is unreachable (dns_error) since 2026-09-21 13:40: "
        "its numbers are the last ones"
    )


@pytest.mark.parametrize(
    ("width", "cells"), [(None, 16), (70, 16), (69, 8), (62, 8), (61, 0), (40, 0)]
)
def test_a_bar_gives_way_before_a_name_does(width: int | None, cells: int) -> None:
    text = printed(ROWS, Screen(width=width))

    assert max(map(len, re.findall("█+", text)), default=0) == cells
    for name in ("trainer", "api", "airflow"):
        assert name in text
    assert max(map(columns, text.splitlines()[:5])) <= (width or 99)


@pytest.mark.parametrize(
    ("by", "width"),
    [("growth", 60), ("growth", 59), ("growth", 64), ("exclusive", 50)],
)
def test_names_keep_their_heading_on_a_narrow_terminal(by: str, width: int) -> None:
    heads = printed(ROWS, Screen(width=width), by=by).splitlines()[:2]

    assert " REPOSITORY" in heads[1]
    assert max(map(columns, heads)) <= width


def test_csv_spells_truth_as_json_does() -> None:
    rows = [API, replace(API, state="unreachable")]

    header, *lines = printed(rows, output="csv").splitlines()

    place = header.split(",").index("is_stale")
    assert [line.split(",")[place] for line in lines] == ["false", "true"]


def test_nothing_yet_names_the_next_step() -> None:
    text = printed([], PIPE)

    assert text.startswith("nothing crawled yet: weighbridge crawl ")


def test_a_registry_that_was_crawled_and_is_empty_is_named() -> None:
    empty = replace(a_registry_report("harbor"), repositories=0)

    assert printed([], PIPE, [empty]) == "no repository was found in harbor"


@pytest.mark.parametrize(
    ("by", "left"),
    [
        ("compressed", "COMPRESSED"),
        ("uncompressed", "ON DISK"),
        ("growth", "%"),
        ("exclusive", "EXCLUSIVE"),
        ("shared", "SHARED"),
        ("tags", "TAGS"),
    ],
)
def test_figures_give_way_before_a_name_does(by: str, left: str) -> None:
    name = "platform/team-of-some-length/services/checkout-frontend"
    rows = [replace(API, repository=name), AIRFLOW]

    text = printed(rows, Screen(width=80), by=by)

    heads = " ".join(text.splitlines()[:2]).split()
    assert f"harbor/{name}" in text
    assert left.split()[0] in heads
    assert max(map(columns, text.splitlines()[:4])) <= 80


@pytest.mark.parametrize("width", [70, 90])
def test_a_row_fits_its_terminal(width: int) -> None:
    named = replace(API, repository="a/b " * 30)

    rows = printed([named], Screen(width=width)).splitlines()[2:3]

    assert max(map(columns, rows)) <= width


def test_json_has_the_rows_of_the_api_under_items() -> None:
    found = json.loads(printed(ROWS, output="json"))

    assert list(found) == ["items"]
    assert found["items"][0]["repository"] == "ml/trainer"
    assert found["items"][0]["newest_compressed_bytes"] == 4_872_100_000
    assert found["items"][0]["newest_uncompressed_bytes"] is None


def test_csv_has_the_same_columns() -> None:
    head, first, *_ = printed(ROWS, output="csv").splitlines()

    assert head.split(",") == list(json.loads(printed(ROWS, output="json"))["items"][0])
    assert first.startswith("harbor,ml/trainer,ok,")


def test_markdown_has_the_columns_of_the_table() -> None:
    assert printed([API], output="markdown").splitlines()[2] == (
        "| 1082.7 | 2581.7 | `harbor/shop/api` | `1.5.0` |"
    )


def test_letters_stand_in_for_blocks() -> None:
    assert printed(ROWS, Screen(ascii=True)).isascii()


GROWN = replace(
    API, newest_compressed_bytes=1_430_000_000, baseline_compressed_bytes=1_000_000_000
)
SHRUNK = replace(
    TRAINER,
    newest_compressed_bytes=900_000_000,
    baseline_compressed_bytes=1_000_000_000,
)
YOUNG = replace(AIRFLOW, baseline_compressed_bytes=None)


def test_growth_shows_both_images_the_difference_and_the_percent() -> None:
    lines = printed([GROWN, SHRUNK, YOUNG], PIPE, by="growth").splitlines()

    assert lines[0].split() == ["COMPRESSED", "BASELINE", "CHANGE"]
    assert lines[1].split()[:4] == ["MB", "MB", "MB", "%"]
    assert lines[2].split()[:5] == ["1430.0", "1000.0", "+430.0", "+43.0", "█" * 16]
    assert lines[3].split()[:5] == [
        "900.0",
        "1000.0",
        "-100.0",
        "-10.0",
        "harbor/ml/trainer",
    ]
    assert lines[4].split()[:4] == ["781.3", "unknown", "unknown", "unknown"]
    assert "baseline: median of the ten images before the newest" in lines[-1]


def test_growth_as_markdown_has_the_same_columns() -> None:
    head, _, row = printed([GROWN], by="growth", output="markdown").splitlines()

    assert head == (
        "| Compressed, MB | Baseline, MB | Change, MB | % | Repository | Tag |"
    )
    assert row == "| 1430.0 | 1000.0 | +430.0 | +43.0 | `harbor/shop/api` | `1.5.0` |"


@pytest.mark.parametrize("by", ["exclusive", "deduplicated", "shared"])
def test_storage_names_the_set_that_its_numbers_are_of(by: str) -> None:
    own = replace(
        AIRFLOW,
        storage_scope="harbor/data",
        deduplicated_bytes=1_000_000_000,
        exclusive_bytes=900_000_000,
        shared_bytes=100_000_000,
    )
    unread = replace(
        FRESH, deduplicated_bytes=None, exclusive_bytes=None, shared_bytes=None
    )

    lines = printed([API, own, unread], PIPE, by=by).splitlines()

    assert lines[0].split() == ["STORED", "EXCLUSIVE", "SHARED"]
    assert lines[2].split()[:4] == ["3419.5", "2377.5", "1042.0", "█" * 16]
    assert lines[3].split()[:3] == ["1000.0", "900.0", "100.0"]
    assert lines[4].split()[:3] == ["unknown"] * 3
    assert "nothing else in harbor, harbor/data refers to" in lines[-1]


def test_rows_of_a_program_say_how_old_they_are() -> None:
    row = json.loads(printed([API], output="json"))["items"][0]

    assert (row["is_stale"], row["age_seconds"]) == (False, 720)


def test_sizes_that_are_claimed_or_disputed_are_marked_and_explained() -> None:
    disputed = replace(TRAINER, newest_compressed_confidence="disputed")
    claimed = replace(AIRFLOW, newest_compressed_confidence="claimed")

    lines = printed([disputed, API, claimed], PIPE).splitlines()

    assert lines[2].startswith("       *4872.1 ")
    assert lines[3].startswith("        1082.7 ")
    assert lines[4].startswith("        ?781.3 ")
    assert lines[-2:] == [
        "  * disputed: the registry's figure, the manifest says otherwise",
        "  ? claimed by the manifest, not confirmed by the registry",
    ]


def test_rows_for_programs_have_the_manifests_figure_beside_the_registrys() -> None:
    disputed = replace(
        API, newest_compressed_confidence="disputed", newest_claimed_bytes=1
    )

    (row,) = json.loads(printed([disputed], output="json"))["items"]

    assert row["newest_compressed_bytes"] == 1_082_700_595
    assert row["newest_compressed_confidence"] == "disputed"
    assert row["newest_claimed_bytes"] == 1
    assert "newest_claimed_bytes" in printed([disputed], output="csv").splitlines()[0]
