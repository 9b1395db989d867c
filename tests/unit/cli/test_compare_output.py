"""What `compare` prints: bars on one scale, sums that fit the table, every form."""

import csv
import io
import json
from typing import Final

import pytest
from msgspec.structs import replace

from support.read_model import (
    ARM,
    a_weighed_image,
    a_weighed_layer,
    a_weighing,
    measured,
)
from weighbridge.bootstrap.one_image.image_comparison import ReadComparison
from weighbridge.cli.actions.compare import printed, told
from weighbridge.domain.comparison.comparison import Comparison, compare_weighings
from weighbridge.domain.image.image_base import ImageBase
from weighbridge.domain.size.weighing import Weighing, WeighingCost
from weighbridge.presentation.forms.screen import Output, Screen
from weighbridge.presentation.image.comparison_table import (
    SIGNS,
    names_of,
    render_comparison,
)

PIPE: Final = Screen()
MB: Final = 1_000_000
DEBIAN = a_weighed_layer("debian", 50 * MB, measured(120 * MB))
APP = a_weighed_layer("app", 3 * MB, measured(5 * MB))
APP_AGAIN = a_weighed_layer("app again", 4 * MB, measured(6 * MB))
TORCH = a_weighed_layer("torch", 600 * MB, measured(1300 * MB))
OLD = a_weighed_image(
    [DEBIAN, APP], [("ADD debian /", 0), ("COPY . /app", 1), ("CMD app", None)]
)
NEW = a_weighed_image(
    [DEBIAN, TORCH, APP_AGAIN],
    [
        ("ADD debian /", 0),
        ("RUN pip install torch", 1),
        ("COPY . /app", 2),
        ("CMD app --fast", None),
    ],
)


def compared(before: Weighing, after: Weighing) -> Comparison:
    return compare_weighings(before, after)


GROWN: Final = compared(a_weighing(OLD, tag="1.4.2"), a_weighing(NEW, tag="1.5.0"))


def shown(
    comparison: Comparison,
    output: Output = "table",
    screen: Screen = PIPE,
    *,
    cost: WeighingCost | None = None,
    note: str = "",
    only_changed: bool = False,
) -> str:
    return printed(
        ReadComparison(comparison, cost, note),
        output,
        screen,
        wants_all=False,
        only_changed=only_changed,
    )


def test_every_line_stands_with_the_bytes_of_both() -> None:
    text = render_comparison(GROWN, PIPE)

    assert (
        "     1.4.2  1.5.0  CHANGE  LINE\n"
        "  =   50.0   50.0      ±0  ADD debian /\n"
        "  +   none  600.0  +600.0  RUN pip install torch\n"
        "  ≈    3.0    4.0    +1.0  COPY . /app\n"
        "       0.0    0.0      ±0  1 line without a layer, 1 of them differs (--all)\n"
        "      53.0  654.0  +601.0  in all\n"
    ) in text
    assert "pulling 1.5.0 where 1.4.2 is present moves 604 MB (92.4 % of it)" in text
    assert "in both 50.0   only in 1.4.2 3.0   only in 1.5.0 604.0" in text
    assert "on disk 125 MB to 1.43 GB, +1.30 GB" in text
    assert "(4.0 MB): RUN pip install torch was put above them." in text


def test_a_base_of_both_is_one_row_unless_all_lines_are_wanted() -> None:
    base = ImageBase("debian:10", (), 1, 50 * MB, 0.5, "base", "layers")
    comparison = compared(
        a_weighing(replace(OLD, base=base), tag="1.4.2"),
        a_weighing(replace(NEW, base=base), tag="1.5.0"),
    )

    text = render_comparison(comparison, PIPE)

    assert "  base debian:10 in both\n" in text
    assert "  =   50.0   50.0      ±0  FROM debian:10 (1 layer, --all)\n" in text
    assert "ADD debian /" not in text
    assert "ADD debian /" in render_comparison(comparison, PIPE, wants_all=True)
    (images,) = json.loads(shown(comparison, "json"))["images"]
    assert images["a"]["base"]["reference"] == "debian:10"


def test_a_base_that_only_one_is_known_to_have_is_told() -> None:
    base = ImageBase("debian:10", (), 1, 50 * MB, 0.5, "relative", "layers")
    other = a_weighing(replace(NEW, base=base), tag="1.5.0")

    text = render_comparison(compared(GROWN.before, other), PIPE)

    assert "  base unknown to a relative of debian:10\n" in text


def test_metadata_lines_are_shown_where_all_are_wanted() -> None:
    text = render_comparison(GROWN, PIPE, wants_all=True)

    assert "  ≠    0.0    0.0      ±0  CMD app --fast\n" in text


def test_without_unicode_nothing_is_beyond_ascii() -> None:
    back = compared(GROWN.after, GROWN.before)

    text = render_comparison(back, Screen(ascii=True), wants_all=True)

    assert text.isascii()
    assert "  -  600.0   none  -600.0  RUN pip install torch\n" in text
    assert len({sign for _, sign, *_ in SIGNS.values()}) == len(SIGNS)


def test_images_of_two_repositories_are_called_a_and_b() -> None:
    other = a_weighing(NEW, repository="shop/api")

    text = render_comparison(compared(GROWN.before, other), PIPE)

    assert text.startswith("  a  hub/library/python:1.4.2\n  b  hub/shop/api:3.7\n\n")


@pytest.mark.parametrize("tags", [("1", "1"), ("1", "a-tag-that-is-much-too-long")])
def test_names_that_tell_nothing_apart_are_not_used(tags: tuple[str, str]) -> None:
    before, after = (a_weighing(OLD, tag=tag) for tag in tags)

    assert names_of(compared(before, after)) == ("a", "b")


def test_one_image_under_two_names_is_said_to_be_one() -> None:
    text = shown(compared(a_weighing(OLD, tag="1"), a_weighing(OLD, tag="latest")))

    assert "both are the same image, sha256:" in text
    assert "LINE" not in text


def test_no_common_platform_is_said_and_what_there_is_compared() -> None:
    other = a_weighing(replace(NEW, platform=ARM), tag="1.5.0")
    comparison = compared(GROWN.before, other)

    (warning,) = told(ReadComparison(comparison, None, ""))

    assert warning == (
        "they have no platform in common: linux/amd64 is compared with linux/arm64"
    )
    assert "linux/amd64 and linux/arm64, compressed, MB" in shown(comparison)
    assert json.loads(shown(comparison, "json"))["has_common_platform"] is False


def test_a_platform_that_only_one_has_is_named() -> None:
    both = a_weighing(NEW, replace(NEW, platform=ARM), tag="1.5.0")

    assert "  only 1.5.0 has linux/arm64\n" in shown(compared(GROWN.before, both))


def test_sizes_that_two_registries_give_otherwise_are_both_told() -> None:
    other = replace(DEBIAN, compressed_bytes=49 * MB)
    after = a_weighed_image([other], [("ADD debian /", 0)])
    comparison = compared(GROWN.before, a_weighing(after, tag="2"))

    (warning,) = told(ReadComparison(comparison, None, ""))

    assert "50,000,000 bytes by the first's word and 49,000,000 by" in warning


def test_an_unknown_size_is_unknown_and_not_nothing() -> None:
    unknown = replace(NEW.uncompressed, uncompressed_bytes=None, confidence="unknown")
    after = a_weighing(replace(NEW, uncompressed=unknown), tag="1.5.0")
    comparison = compared(GROWN.before, after)

    (images,) = json.loads(shown(comparison, "json"))["images"]

    assert images["b"]["uncompressed_bytes"] is None
    assert images["grown_uncompressed_bytes"] is None
    assert "on disk 125 MB to unknown\n" in shown(comparison)


def test_json_has_the_parts_the_lines_and_the_cause() -> None:
    found = json.loads(shown(GROWN, "json", cost=WeighingCost(3, 40, 0.12345)))

    assert found["schema"] == "weighbridge.compare/1"
    assert (found["a"]["tag"], found["b"]["tag"]) == ("1.4.2", "1.5.0")
    assert found["cost"] == {"requests": 3, "bytes_read": 40, "seconds": 0.123}
    (images,) = found["images"]
    assert images["platform"] == "linux/amd64"
    assert images["grown_compressed_bytes"] == 601 * MB
    assert images["pull_bytes"] == 604 * MB
    sums = [images[part]["compressed_bytes"] for part in ("shared", "only_a", "only_b")]
    assert sums == [50 * MB, 3 * MB, 604 * MB]
    assert [line["change"] for line in images["lines"]] == [
        "same",
        "added",
        "rebuilt",
        "changed",
    ]
    assert images["lines"][1]["a"] is None
    assert images["cause"]["changes"][0]["instruction"] == "RUN pip install torch"
    assert images["pulled_again"] == {
        "lines": 1,
        "compressed_bytes": 4 * MB,
        "because": "RUN pip install torch",
    }
    assert (images["a"]["base"], images["b"]["base"]) == (None, None)


def test_csv_has_a_row_a_line() -> None:
    rows = list(csv.DictReader(io.StringIO(shown(GROWN, "csv"))))

    assert [(r["change"], r["grown_compressed_bytes"]) for r in rows] == [
        ("same", "0"),
        ("added", str(600 * MB)),
        ("rebuilt", str(MB)),
        ("changed", "0"),
    ]
    assert rows[1]["a_instruction"] == ""
    assert rows[2]["b_compressed_bytes"] == str(4 * MB)


def test_markdown_is_a_comment_for_a_pull_request() -> None:
    text = shown(GROWN, "markdown")

    assert text.startswith(
        "`hub/library/python:1.4.2` → `hub/library/python:1.5.0`: **+601 MB "
        "compressed** (53.0 MB → 654 MB, `linux/amd64`)\n\n"
        "| 1.4.2 | 1.5.0 | Change | Line |\n"
    )
    assert "| none | 600.0 | +600.0 | `RUN pip install torch` |" in text


def test_where_the_numbers_are_from_is_said() -> None:
    one, other = GROWN.before, replace(GROWN.after, cost=WeighingCost(1, 2, 3.0))
    asked = WeighingCost(12, 21_000, 0.41)

    text = shown(compared(one, other), cost=asked)

    assert text.endswith(
        "\n\nAs crawled: hub/library/python:1.4.2 (--fresh asks the registry)\n"
        "12 requests, 21.0 kB read, 0.41 s"
    )
    noted = ReadComparison(GROWN, None, "the database cannot be read: it is locked")
    assert told(noted) == ["the database cannot be read: it is locked"]


def test_hostile_texts_are_printed_as_plain_ones() -> None:
    line = "RUN \x1b[2Jevil | `x` <script>"
    after = a_weighing(a_weighed_image([DEBIAN], [(line, 0)]), tag="1.5.0")
    comparison = compared(GROWN.before, after)

    for output in ("table", "markdown"):
        assert "\x1b" not in shown(comparison, output)
