"""A weighing for other programs: JSON, CSV, Markdown."""

from weighbridge.domain.size.weighing import WeighedImage, Weighing, as_json
from weighbridge.domain.text.printable import printable
from weighbridge.domain.text.units import format_bytes, format_percent
from weighbridge.presentation.forms.column_unit import column_unit
from weighbridge.presentation.forms.csv_json_markdown import (
    code,
    csv_table,
    json_text,
    markdown_table,
)
from weighbridge.presentation.forms.screen import Screen
from weighbridge.presentation.image.bounds import least_bytes
from weighbridge.presentation.image.image_words import whose_word, why_unknown
from weighbridge.presentation.image.line_table import line_rows
from weighbridge.presentation.rows.report_rows import LINE_COLUMNS
from weighbridge.presentation.rows.report_rows import line_rows as api_line_rows


def inspect_json(weighing: Weighing) -> str:
    """The stable object of schema `weighbridge.inspect/1`."""
    return json_text(as_json(weighing))


def inspect_csv(weighing: Weighing) -> str:
    """Every line of every image shown, under the keys of the image page's CSV."""
    rows = (
        {"platform": str(image.platform), **row}
        for image in weighing.images
        for row in api_line_rows(image)
    )
    return csv_table(("platform", *LINE_COLUMNS), rows)


def inspect_markdown(
    weighing: Weighing, screen: Screen, *, wants_all: bool = False
) -> str:
    """What fits into a comment: headline and lines of every image shown."""
    return "\n\n".join(
        _image_markdown(weighing, image, screen, wants_all=wants_all)
        for image in weighing.images
    )


def _image_markdown(
    weighing: Weighing, image: WeighedImage, screen: Screen, *, wants_all: bool
) -> str:
    compressed = column_unit(image.compressed_bytes, iec=screen.iec)
    on_disk = column_unit(least_bytes(image), iec=screen.iec)
    rows = [
        (
            compressed.cell(row.compressed_bytes),
            ""
            if row.compressed_bytes is None
            else format_percent(row.compressed_bytes, image.compressed_bytes),
            on_disk.uncompressed_cell(row.uncompressed),
            str(row.number or ""),
            code(printable(row.text)),
        )
        for row in line_rows(image, wants_all=wants_all)
    ]
    heads = (
        f"Compressed, {compressed.name}",
        "% of compressed",
        f"On disk, {on_disk.name}",
        "#",
        "Dockerfile line",
    )
    return (
        f"{code(printable(weighing.reference))} {code(str(image.platform))}: "
        f"**{format_bytes(image.compressed_bytes, iec=screen.iec)} compressed**"
        f"{whose_word(image, iec=screen.iec)}, "
        f"{_on_disk(image, screen)}\n\n{markdown_table(heads, rows, numeric=range(4))}"
    )


def _on_disk(image: WeighedImage, screen: Screen) -> str:
    size = image.uncompressed
    if size.uncompressed_bytes is None:
        return f"on disk unknown: {why_unknown(image)}"
    about = "~" if size.confidence == "estimate" else ""
    amount = format_bytes(size.uncompressed_bytes, iec=screen.iec)
    return f"{about}{amount} on disk ({size.confidence})"
