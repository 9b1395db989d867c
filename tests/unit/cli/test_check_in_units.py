"""Every form of a check points at the line that has most of what is over."""

import json

from support.checks import MB, a_check
from support.read_model import a_weighed_image, a_weighed_layer, measured
from weighbridge.domain.size.weighing import WeighedImage
from weighbridge.presentation.check.check_table import render_check
from weighbridge.presentation.check.csv_json_markdown import (
    check_csv,
    check_json,
    check_markdown,
)
from weighbridge.presentation.check.github_workflow import (
    annotations,
    instruction_to_blame,
)
from weighbridge.presentation.forms.screen import Screen

ROOT = "ADD rootfs in /"
ZEROS = "COPY zeros.img /"


def zeros(on_disk: int | None = 734 * MB) -> WeighedImage:
    """26 MB that take 66 MB on disk, and 1 MB that takes 734 MB there."""
    layers = [
        a_weighed_layer("rootfs", 26 * MB, measured(66 * MB)),
        a_weighed_layer("zeros", MB, None if on_disk is None else measured(on_disk)),
    ]
    return a_weighed_image(layers, [(ROOT, 0), (ZEROS, 1)])


def test_on_disk_every_form_names_the_line_that_is_heavy_on_disk() -> None:
    check = a_check(zeros(), max_uncompressed=500 * MB)

    table = render_check(check, Screen(width=None)).splitlines()
    at = table.index("  heaviest lines, on disk")
    assert "734 MB" in table[at + 1]
    assert ZEROS in table[at + 1]
    (annotation,) = annotations(check)
    assert f"734 MB on disk by line 2: {ZEROS}" in annotation
    markdown = check_markdown(check).replace("\u00a0", " ")
    head = "| On disk | # | Dockerfile line |\n| ---: | ---: | --- |\n"
    assert f"{head}| 734 MB | 2 | `{ZEROS}`" in markdown
    (image,) = json.loads(check_json(check, 1))["images"]
    assert image["heaviest"][0]["instruction"] == ZEROS
    assert image["findings"][0]["line"] == ZEROS
    assert check_csv(check).splitlines()[1].endswith(ZEROS)
    assert instruction_to_blame(check) == ZEROS


def test_each_limit_that_is_broken_has_its_own_list() -> None:
    check = a_check(zeros(), max_uncompressed=500 * MB, max_compressed=20 * MB)

    (image,) = json.loads(check_json(check, 1))["images"]
    table = render_check(check, Screen(width=None))

    assert {f["limit"]: f["line"] for f in image["findings"]} == {
        "max_compressed": ROOT,
        "max_uncompressed": ZEROS,
    }
    assert "heaviest lines, compressed" in table
    assert "heaviest lines, on disk" in table


def test_a_line_whose_size_on_disk_is_not_known_is_said_to_be_so() -> None:
    check = a_check(zeros(None), max_uncompressed=10 * MB)

    table = render_check(check, Screen(width=None)).splitlines()
    at = table.index("  heaviest lines, on disk, 1 line not known")

    assert ROOT in table[at + 1]
    assert "unknown" in table[at + 2]
    assert ZEROS in table[at + 2]
