"""Both figures of a disputed size, in each form in which a result is shown."""

import csv
import io
import json

from support.checks import MB, a_check
from support.read_model import a_weighed_image, a_weighed_layer, a_weighing, measured
from weighbridge.domain.check.image_check import ImageCheck
from weighbridge.domain.size.weighing import WeighedImage
from weighbridge.presentation.check.check_table import render_check
from weighbridge.presentation.check.csv_json_markdown import (
    check_csv,
    check_json,
    check_markdown,
)
from weighbridge.presentation.check.github_workflow import annotations
from weighbridge.presentation.forms.screen import Screen
from weighbridge.presentation.image.weighing_table import (
    inspect_csv,
    inspect_json,
    inspect_markdown,
    render_inspect,
)

PIPE = Screen()
FALSE = a_weighed_image(
    [a_weighed_layer("layer", 3 * MB, measured(9 * MB), claimed_bytes=1)],
    [("COPY . /", 0)],
)
CLAIMED = a_weighed_image(
    [a_weighed_layer("layer", 3 * MB, measured(9 * MB), claim_reason="foreign")],
    [("COPY . /", 0)],
)


def a_false_check(image: WeighedImage = FALSE) -> ImageCheck:
    return a_check(image, max_compressed=4 * MB)


def test_the_table_of_a_check_has_both() -> None:
    (row,) = [
        line
        for line in render_check(a_false_check(), PIPE).splitlines()
        if "limit" in line
    ]

    assert "3.00 MB" in row
    assert "the manifest says 1 B" in row


def test_the_json_of_a_check_has_both() -> None:
    (image,) = json.loads(check_json(a_false_check(), 0))["images"]

    assert image["compressed_bytes"] == 3 * MB
    assert image["claimed_bytes"] == 1
    assert image["compressed_confidence"] == "disputed"


def test_the_csv_of_a_check_has_both() -> None:
    (row,) = csv.DictReader(io.StringIO(check_csv(a_false_check())))

    assert (row["amount"], row["claimed_bytes"]) == ("3000000", "1")
    assert row["compressed_confidence"] == "disputed"


def test_markdown_and_annotations_warn_with_both() -> None:
    both = "the manifest says 1 byte, the registry says 3,000,000 bytes"

    assert "- Warning: layer sha256:" in check_markdown(a_false_check())
    assert both in check_markdown(a_false_check())
    (warning,) = [a for a in annotations(a_false_check()) if a.startswith("::warning")]
    assert both in warning


def test_a_claim_that_decides_is_named_with_the_way_out() -> None:
    text = render_check(a_false_check(CLAIMED), PIPE)

    assert text.startswith("CANNOT SAY")
    assert "claimed by the manifest, not confirmed by the registry" in text
    assert "--allow-foreign" in text
    (finding,) = json.loads(check_json(a_false_check(CLAIMED), 3))["images"][0][
        "findings"
    ]
    assert (finding["outcome"], finding["claimed"]) == ("unknown", True)


def test_each_form_of_inspect_has_both() -> None:
    weighing = a_weighing(FALSE)

    for text in (render_inspect(weighing, PIPE), inspect_markdown(weighing, PIPE)):
        assert "3.00 MB compressed" in text
        assert "(the manifest says 1 B)" in text
    (layer,) = json.loads(inspect_json(weighing))["images"][0]["layers"]
    assert (layer["compressed_bytes"], layer["claimed_bytes"]) == (3 * MB, 1)
    (row,) = csv.DictReader(io.StringIO(inspect_csv(weighing)))
    assert (row["compressed_bytes"], row["claimed_bytes"]) == ("3000000", "1")


def test_inspect_says_that_a_size_is_not_confirmed() -> None:
    text = render_inspect(a_weighing(CLAIMED), PIPE)

    assert "3.00 MB compressed (not confirmed by the registry)" in text
