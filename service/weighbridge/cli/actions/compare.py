"""What `weighbridge compare` prints."""

from collections.abc import Iterator

from weighbridge.bootstrap.one_image.image_comparison import ReadComparison
from weighbridge.domain.text.printable import printable
from weighbridge.domain.text.units import format_bytes, format_duration
from weighbridge.presentation.forms.csv_json_markdown import json_text
from weighbridge.presentation.forms.phrases import plural
from weighbridge.presentation.forms.screen import Output, Screen
from weighbridge.presentation.image.comparison_table import (
    comparison_csv,
    comparison_markdown,
    render_comparison,
)
from weighbridge.presentation.rows.comparison_rows import (
    comparison_json,
    comparison_warnings,
)


def printed(
    found: ReadComparison,
    output: Output,
    screen: Screen,
    *,
    wants_all: bool,
    only_changed: bool,
) -> str:
    """The comparison in one of its forms."""
    comparison = found.comparison
    if output == "json":
        return json_text(comparison_json(comparison, found.cost))
    if output == "csv":
        return comparison_csv(comparison)
    if output == "markdown":
        return comparison_markdown(comparison, screen, wants_all=wants_all)
    text = render_comparison(
        comparison, screen, wants_all=wants_all, only_changed=only_changed
    )
    return "\n".join([text, "", *map(screen.wrapped, _foot(found, screen))])


def told(found: ReadComparison) -> list[str]:
    """What is missing or odd; for stderr."""
    texts = [found.note, *comparison_warnings(found.comparison)]
    return [printable(text) for text in dict.fromkeys(texts) if text]


def _foot(found: ReadComparison, screen: Screen) -> Iterator[str]:
    """Where the numbers are from."""
    kept = [
        printable(weighing.reference)
        for weighing in (found.comparison.before, found.comparison.after)
        if weighing.cost is None
    ]
    if kept:
        names = " and ".join(dict.fromkeys(kept))
        yield f"As crawled: {names} (--fresh asks the registry)"
    if (cost := found.cost) is not None:
        read = format_bytes(cost.bytes_read, iec=screen.iec)
        requests = plural(cost.requests, "request")
        yield f"{requests}, {read} read, {format_duration(cost.seconds)}"
