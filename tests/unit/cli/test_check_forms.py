"""What `check` prints for people and for programs."""

import csv
import io
import json
import re
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from support.checks import (
    HOSTILE,
    MB,
    TORCH,
    a_check,
    an_image_of,
    before,
    grown_by_torch,
)
from support.policies import a_policy
from support.read_model import (
    ARM,
    a_weighed_image,
    a_weighed_layer,
    a_weighing,
    unknown,
)
from weighbridge.domain.check.image_check import (
    Earlier,
    EarlierImage,
    ImageCheck,
    checked,
    rules_of,
)
from weighbridge.domain.policy.policy import PolicySet
from weighbridge.domain.size.confidence import Uncompressed
from weighbridge.domain.size.weighing import WeighingCost
from weighbridge.presentation.check.check_table import render_check
from weighbridge.presentation.check.csv_json_markdown import check_csv, check_json
from weighbridge.presentation.forms.screen import Screen, columns

PIPE = Screen()


def of_unknown_size() -> ImageCheck:
    layers = [a_weighed_layer("zstd", 100 * MB, unknown())]
    image = a_weighed_image(layers, [("COPY . /", 0)], uncompressed=unknown())
    return a_check(image, max_uncompressed=900 * MB)


def test_the_verdict_comes_first_then_each_limit_then_the_lines() -> None:
    lines = render_check(grown_by_torch(), PIPE).splitlines()

    assert re.fullmatch(
        r"FAIL   hub/shop/api:1\.5\.0   linux/amd64   sha256:\w{12}", lines[0]
    )
    assert lines[1:4] == [
        "  !  compressed   1.08 GB   limit 500 MB    216 %  ██████████  "
        "over by 582 MB, policy services",
        "  !  growth        +130 %   limit  +10 %   1302 %  ██████████  "
        "+612 MB against :1.4.2, policy services",
        "  changed since :1.4.2, compressed",
    ]
    assert lines[4] == f"    +  +612 MB  3  {TORCH}"


def test_what_to_do_names_the_key_and_where_it_is_written() -> None:
    text = render_check(grown_by_torch(), PIPE)

    assert text.endswith(
        "next   make these lines lighter, or raise max_compressed of policy services "
        "(services.yaml:2) and max_growth of policy services (services.yaml:3)"
    )


def test_what_passes_says_how_much_is_left() -> None:
    check = a_check(
        an_image_of(60, 40), max_compressed=125 * MB, max_uncompressed=400 * MB
    )
    check = replace(
        check, weighing=replace(check.weighing, cost=WeighingCost(13, 9630, 0.02))
    )

    text = render_check(check, PIPE)

    assert text.splitlines()[1:] == [
        "  ✓  compressed   100 MB   limit 125 MB   80 %  ████████    "
        "25.0 MB left, policy services",
        "  ✓  on disk      300 MB   limit 400 MB   75 %  ███████▌    "
        "100 MB left (trailer), policy services",
        "",
        "13 requests, 9.63 kB read, 0.02 s",
    ]


def test_an_unknown_size_is_told_with_its_reason_and_the_way_out() -> None:
    text = render_check(of_unknown_size(), PIPE)

    assert text.startswith("CANNOT SAY   hub/shop/api:1.5.0")
    assert re.search(
        r"^  \?  on disk   unknown   limit 900 MB +1 layer is a zstd frame that does "
        r"not state its size, policy services$",
        text,
        re.MULTILINE,
    )
    assert "next   --allow-unknown accepts a size that is not known" in text


@pytest.mark.parametrize(
    ("low", "words"),
    [(850, "may be over: 850 MB to 990 MB"), (910, "over by at least 10.0 MB")],
)
def test_an_estimate_says_what_is_sure(low: int, words: str) -> None:
    size = Uncompressed("estimate", 950 * MB, low * MB, 990 * MB)
    image = replace(an_image_of(300), uncompressed=size)

    text = render_check(a_check(image, max_uncompressed=900 * MB), PIPE)

    assert f"  {words}, policy services\n" in text
    assert "  on disk   ~950 MB   limit 900 MB   106 %" in text


def test_a_waived_limit_says_until_when() -> None:
    check = a_check(an_image_of(10), max_compressed=MB)
    (image,) = check.images
    held = replace(
        image.held[0], outcome="warn", waived_until=datetime(2026, 12, 1, tzinfo=UTC)
    )
    check = replace(check, images=(replace(image, held=(held,)),))

    text = render_check(check, PIPE)

    assert text.startswith("WARN ")
    assert "over by 9.00 MB, policy services, waived until 2026-12-01 00:00 UTC" in text


def test_notes_say_what_was_not_compared() -> None:
    check = a_check(
        an_image_of(10, platform=ARM),
        against=before(an_image_of(10)),
        max_growth=0.1,
        max_compressed=90 * MB,
    )

    text = render_check(check, PIPE)

    assert (
        "note   hub/shop/api:1.4.2 has no linux/arm64: nothing to compare with" in text
    )
    assert "note   hub/shop/api:1.4.2 has linux/amd64, this image does not" in text


@pytest.mark.parametrize(
    ("known", "words"),
    [
        (0, "no earlier image of linux/amd64 exists"),
        (1, "there is only 1 earlier image of linux/amd64"),
        (2, "there are only 2 earlier images of linux/amd64"),
    ],
)
def test_a_note_counts_the_earlier_images_in_plain_grammar(
    known: int, words: str
) -> None:
    image = an_image_of(10)
    images = [EarlierImage(str(number), MB) for number in range(known)]
    earlier = Earlier({"linux/amd64": images} if images else {}, is_known=True)
    rules = rules_of(PolicySet([a_policy("p", None, max_growth=0.1)]), "hub", "a", "1")
    check = checked(a_weighing(image), None, replace(rules, earlier=earlier))

    assert f"note   {words}" in " ".join(render_check(check, PIPE).split("\n"))


def test_a_platform_that_could_not_be_read_is_shown() -> None:
    check = replace(a_check(an_image_of(1), max_layers=5), not_weighed=(ARM,))

    text = render_check(check, PIPE)

    assert (
        "CANNOT SAY   hub/shop/api:1.5.0   linux/arm64\n  ?  could not be read" in text
    )


@pytest.mark.parametrize("width", [60, 80, 100])
def test_a_terminal_is_never_left(width: int) -> None:
    text = render_check(grown_by_torch("RUN " + "make install " * 40), Screen(width))

    assert max(map(columns, text.splitlines())) <= width


def test_ascii_uses_ascii_only() -> None:
    text = render_check(grown_by_torch(), Screen(ascii=True))

    assert text.isascii()
    assert "##########" in text


@pytest.mark.parametrize("line", HOSTILE)
def test_a_strangers_line_stays_on_one_line_of_the_terminal(line: str) -> None:
    plain = render_check(grown_by_torch("RUN x"), PIPE)

    text = render_check(grown_by_torch(line), PIPE)

    assert len(text.splitlines()) == len(plain.splitlines())
    assert all(part.isprintable() for part in text.splitlines())


def test_json_has_bytes_as_numbers_and_unknown_as_null() -> None:
    whole = json.loads(check_json(of_unknown_size(), 3))

    (image,) = whole["images"]
    assert (whole["schema"], whole["outcome"]) == ("weighbridge.check/1", "unknown")
    assert whole["exit_code"] == 3
    assert image["compressed_bytes"] == 100 * MB
    assert image["uncompressed_bytes"] is None
    assert image["findings"] == [
        {
            "limit": "max_uncompressed",
            "outcome": "unknown",
            "keeping": "unknown",
            "amount": None,
            "limit_amount": 900 * MB,
            "excess": None,
            "policy": "services",
            "waived_until": None,
            "claimed": False,
            "line": None,
        }
    ]


def test_the_keys_of_the_json_do_not_change() -> None:
    whole = json.loads(check_json(grown_by_torch(), 1))

    assert list(whole) == [
        *("schema", "reference", "registry", "repository", "tag", "digest"),
        *("against", "outcome", "exit_code", "limits", "images", "not_weighed"),
        *("not_in_against", "only_in_against", "notes", "cost", "warnings"),
    ]
    assert list(whole["images"][0]) == [
        *("platform", "digest", "outcome", "compressed_bytes"),
        *("compressed_confidence", "claimed_bytes", "uncompressed_bytes"),
        *("uncompressed_confidence", "uncompressed_low_bytes"),
        *("uncompressed_high_bytes", "layers", "before"),
        *("baseline_compressed_bytes", "grown_bytes", "findings", "heaviest", "cause"),
    ]
    assert whole["images"][0]["cause"]["changes"][0]["instruction"] == TORCH
    assert whole["limits"][0] == {
        "limit": "max_compressed",
        "value": 500 * MB,
        "policy": "services",
        "file": "services.yaml",
        "line": 2,
        "waived_until": None,
    }


def test_csv_has_a_row_for_each_limit_of_each_platform() -> None:
    check = a_check(
        an_image_of(10), an_image_of(20, platform=ARM), max_layers=1, max_compressed=MB
    )

    rows = list(csv.DictReader(io.StringIO(check_csv(check))))

    assert [(row["platform"], row["limit"], row["excess"]) for row in rows] == [
        ("linux/amd64", "max_compressed", "9000000"),
        ("linux/amd64", "max_layers", "0"),
        ("linux/arm64", "max_compressed", "19000000"),
        ("linux/arm64", "max_layers", "0"),
    ]


def test_no_cell_of_the_csv_is_a_formula() -> None:
    check = a_check(an_image_of(10), policy="=cmd()", max_layers=1)

    assert ",'=cmd()," in check_csv(check)
