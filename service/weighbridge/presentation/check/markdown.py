"""A check as Markdown: for a comment on a pull request, and a job's summary.

A forge renders it beside the names of people who can be called, so nothing of a
stranger stands outside of a code span.
"""

from collections.abc import Iterator
from typing import Final

from weighbridge import __version__
from weighbridge.domain.check.image_check import (
    CheckedImage,
    ImageCheck,
    Outcome,
    by_outcome,
)
from weighbridge.domain.growth.quantity import Quantity
from weighbridge.domain.image.digest import short
from weighbridge.domain.size.weighing import doubts_of
from weighbridge.domain.text.printable import printable
from weighbridge.domain.text.units import format_bytes, format_duration
from weighbridge.presentation.check.blamed_lines import (
    BlamedLines,
    Mark,
    next_steps,
    pointings,
)
from weighbridge.presentation.check.findings import limit_rows
from weighbridge.presentation.check.notes import notes_of
from weighbridge.presentation.forms.csv_json_markdown import (
    code,
    code_span,
    markdown_table,
)
from weighbridge.presentation.forms.phrases import plural
from weighbridge.presentation.forms.screen import bar

MARKER: Final = "<!-- weighbridge check -->"
"""The first line: by it a job finds the comment that it wrote before."""
CHARACTERS: Final = 60_000
"""A comment on GitHub has 65,536 at most, and a summary a mebibyte."""

_TEXT: Final = 200
_IMAGES: Final = 40
_WITH_LINES: Final = 4
_BAR: Final = 10
_HEADINGS: Final[dict[Outcome, str]] = {
    "pass": "✅ Within its limits",
    "warn": "⚠️ Within its limits, with a warning",
    "unknown": "❔ Cannot be judged",
    "fail": "❌ Over its limits",
}
_SIGNS: Final[dict[Outcome, str]] = {
    "pass": "✅ fine",
    "warn": "⚠️ warning",
    "unknown": "❔ unknown",
    "fail": "❌ over",
}
_MARKS: Final[dict[Mark, str]] = {
    "added": "added",
    "removed": "removed",
    "same text": "changed",
    "line": "",
}
_LIMIT_COLUMNS: Final = ("", "Platform", "Limit", "Value", "At most", "", "")
_LINE_COLUMNS: Final = ("#", "Dockerfile line")
_CHANGE_COLUMNS: Final = ("#", "", "Dockerfile line")
_AMOUNTS: Final[dict[Quantity, str]] = {
    "compressed_bytes": "Compressed",
    "uncompressed_bytes": "On disk",
    "layers": "Layers",
    "layer_compressed_bytes": "Compressed, one layer",
    "deduplicated_bytes": "Stored",
}


def check_markdown(check: ImageCheck, *, iec: bool = False) -> str:
    """Everything, without the last line break; at most `CHARACTERS` long."""
    parts = _parts(check, iec)
    whole = "\n\n".join(parts)
    return whole if len(whole) <= CHARACTERS else _shorter(parts)


def _parts(check: ImageCheck, iec: bool) -> list[str]:
    images = by_outcome(check.images)
    return [
        f"{MARKER}\n### {_HEADINGS[check.outcome]}",
        f"{_span(check.weighing.reference)} ({short(check.weighing.digest)})",
        _limits(check, images, iec),
        *_lines(check, images, iec),
        *_list([f"Warning: {doubt}" for doubt in doubts_of(check.weighing.images)]),
        *_list([f"Note: {note}" for note in notes_of(check, _span)]),
        *_list([_sentence(step) for step in next_steps(check, _span)]),
        _foot(check, iec),
    ]


def _limits(check: ImageCheck, images: list[CheckedImage], iec: bool) -> str:
    rows = [
        (
            _SIGNS[row.outcome],
            _cell(str(checked.image.platform)),
            row.name,
            _unbroken(row.value),
            _unbroken(row.limit),
            _unbroken(f"{bar(row.part, row.whole, _BAR)} {row.percent}".strip()),
            row.words,
        )
        for checked in images[:_IMAGES]
        for row in limit_rows(check, checked, _cell, iec=iec)
    ]
    rows += [
        (_SIGNS["unknown"], _cell(str(each)), "", "", "", "", "could not be read")
        for each in check.not_weighed[:_IMAGES]
    ]
    more = len(images[_IMAGES:]) + len(check.not_weighed[_IMAGES:])
    below = f"\n\n… and {plural(more, 'more platform')}" if more else ""
    return markdown_table(_LIMIT_COLUMNS, rows) + below


def _lines(check: ImageCheck, images: list[CheckedImage], iec: bool) -> Iterator[str]:
    for checked in images[:_WITH_LINES]:
        titles = pointings(check, checked, _span)
        platform = _span(str(checked.image.platform))
        for pointed, title in zip(
            pointings(check, checked, _cell), titles, strict=True
        ):
            yield f"{platform}: {title.title}"
            if pointed.lines:
                more = pointed.more
                below = f"\n\n… and {plural(more, 'more line')}" if more else ""
                yield _table_of(pointed, iec) + below


def _table_of(pointed: BlamedLines, iec: bool) -> str:
    """With what became of each line, where that is known."""
    cells = [
        (
            _unbroken(line.cell(iec=iec)),
            str(line.number or ""),
            _MARKS[line.mark],
            line.text,
        )
        for line in pointed.lines
    ]
    head = _AMOUNTS[pointed.quantity]
    if any(mark for _, _, mark, _ in cells):
        return markdown_table((head, *_CHANGE_COLUMNS), cells, numeric=range(2))
    bare = [(amount, number, text) for amount, number, _, text in cells]
    return markdown_table((head, *_LINE_COLUMNS), bare, numeric=range(2))


def _list(items: list[str]) -> list[str]:
    return ["\n".join(f"- {item}" for item in items)] if items else []


def _foot(check: ImageCheck, iec: bool) -> str:
    said = f"weighbridge {__version__}"
    if (cost := check.weighing.cost) is None:
        return said
    read = format_bytes(cost.bytes_read, iec=iec)
    requests, took = plural(cost.requests, "request"), format_duration(cost.seconds)
    return f"{said}: {requests}, {read} read, {took}"


def _shorter(parts: list[str]) -> str:
    """The parts that fit, whole ones only: half a table would be no table."""
    kept: list[str] = []
    for part in parts:
        if sum(map(len, kept)) + 2 * len(kept) + len(part) > CHARACTERS:
            kept.append("… the rest is in the job's log")
            break
        kept.append(part)
    return "\n\n".join(kept)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _unbroken(text: str) -> str:
    """A number and its unit stay together, however narrow the column is."""
    return text.replace(" ", "\u00a0")


def _cell(text: str) -> str:
    return code(printable(text, _TEXT))


def _span(text: str) -> str:
    return code_span(printable(text, _TEXT))
