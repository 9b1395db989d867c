"""What would make an image lighter, in a terminal, in Markdown and in JSON."""

import json

from support.read_model import a_weighed_image, a_weighed_layer, a_weighing, measured
from weighbridge.domain.size.weighing import Weighing
from weighbridge.presentation.forms.screen import Screen, columns
from weighbridge.presentation.image.weighing_table import (
    inspect_json,
    inspect_markdown,
    render_inspect,
)

MB = 1_000_000
HEADING = "What would make it lighter, compressed:"


def heavy() -> Weighing:
    """An image with one advice of each sort of number: measured, estimated, unknown."""
    sizes = (30 * MB, 60 * MB, 60 * MB, 40 * MB, 90 * MB)
    texts = (
        "ADD root.tar /",
        "COPY app /srv/app",
        "RUN chown -R app:app /srv/app",
        "RUN pip install torch",
        "RUN apt-get install -y gcc git",
    )
    layers = [
        a_weighed_layer(("layer", n), size, measured(2 * size))
        for n, size in enumerate(sizes)
    ]
    lines = [(text, number) for number, text in enumerate(texts)]
    return a_weighing(a_weighed_image(layers, lines))


def test_a_terminal_shows_the_bytes_and_how_sure_they_are() -> None:
    lines = render_inspect(heavy(), Screen(width=None)).splitlines()

    start = lines.index(HEADING) + 1
    found = [line.split("Line")[0].strip() for line in lines[start : start + 3]]
    assert found == ["60.0 MB", "~20.0 MB", "?"]


def test_no_line_is_longer_than_the_terminal() -> None:
    printed = render_inspect(heavy(), Screen(width=60))

    advice = printed[printed.index(HEADING) :]
    assert max(map(columns, advice.splitlines())) <= 60


def test_bytes_can_be_printed_in_iec_units() -> None:
    printed = render_inspect(heavy(), Screen(iec=True))

    assert "57.2 MiB  Line 3 only changes" in printed


def test_markdown_lists_the_same() -> None:
    printed = inspect_markdown(heavy(), Screen())

    assert "- 60.0 MB: `Line 3 only changes" in printed


def test_json_has_it_beside_each_image() -> None:
    (image,) = json.loads(inspect_json(heavy()))["images"]

    assert [a["code"] for a in image["advice"]] == [
        "written_twice",
        "package_cache",
        "build_tools",
    ]
    assert image["savings"] is None
