"""What `weighbridge violations` prints."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from weighbridge.domain.growth.cause import LineChange
from weighbridge.domain.growth.quantity import WORDS, written_amount
from weighbridge.domain.policy.policy import LimitKey
from weighbridge.domain.report.violation import ViolationList, ViolationReport
from weighbridge.domain.text.printable import printable
from weighbridge.domain.text.units import format_bytes
from weighbridge.presentation.forms.screen import Output, Screen, aligned, columns
from weighbridge.presentation.forms.tables import (
    code,
    csv_table,
    json_text,
    markdown_table,
)
from weighbridge.presentation.image.image_words import NOTHING_CRAWLED, plural
from weighbridge.presentation.image.short_instruction import short_instruction
from weighbridge.presentation.rows.violation_rows import (
    VIOLATION_COLUMNS,
    violation_cells,
    violation_json,
)

_GAP: Final = 2
_LEAST_TEXT: Final = 24
_LEAST_NAME: Final = 16


class Narrowed(Struct, frozen=True):
    """What is left of a table.

    rows:     the titles first
    left_out: the titles of the columns that gave way
    """

    rows: tuple[Sequence[str], ...]
    left_out: tuple[str, ...] = ()

    @property
    def note(self) -> str:
        """What to say below it, "" where all is there."""
        if not self.left_out:
            return ""
        return f"no room for {', '.join(self.left_out).lower()}: -o csv has all"


def narrowed(
    rows: Sequence[Sequence[str]], screen: Screen, leaving: Sequence[str]
) -> Narrowed:
    """Leave out columns by their titles, in this order, until the others fit. The last
    column is a text, of which some words will do; before it stands a name, of which the
    end stays."""
    width = screen.width
    if width is None:
        return Narrowed(tuple(rows))
    kept, left_out = list(rows), []
    for title in leaving:
        if _needed(kept) <= width:
            break
        kept = [_without(row, kept[0].index(title)) for row in kept]
        left_out.append(title)
    if (over := _needed(kept) - width) > 0:
        names = max(columns(row[-2]) for row in kept)
        room = max(names - over, _LEAST_NAME)
        kept = [[*row[:-2], screen.end_of(row[-2], room), row[-1]] for row in kept]
    return Narrowed(tuple(kept), tuple(left_out))


def _needed(rows: Sequence[Sequence[str]]) -> int:
    """The columns of the terminal for all of it, with the least of the text."""
    widths = [max(map(columns, cells)) for cells in zip(*rows, strict=True)]
    widths[-1] = min(widths[-1], _LEAST_TEXT)
    return sum(widths) + _GAP * (len(widths) - 1)


def _without(row: Sequence[str], index: int) -> list[str]:
    return [*row[:index], *row[index + 1 :]]


_TITLES: Final = (
    "state",
    "amount",
    "limit",
    "key",
    "severity",
    "team",
    "since, UTC",
    "image",
    "added",
    "line that did most of it",
)
_LEAVING: Final = (
    *("SINCE, UTC", "LIMIT", "ADDED", "AMOUNT"),
    *("SEVERITY", "TEAM", "STATE", "KEY"),
)
"""In which order columns give way to the image and its line: figures first."""


def printed(found: ViolationList, output: Output, screen: Screen, now: datetime) -> str:
    """The API's rows; for people a line each, the reason of a waiver below it."""
    rows = found.rows
    if output == "json":
        items = [violation_json(row, now) for row in rows]
        return json_text({"items": items})
    if output == "csv":
        return csv_table(VIOLATION_COLUMNS, (violation_cells(row, now) for row in rows))
    cells = [_cells(row, screen) for row in rows]
    if output == "markdown":
        return markdown_table(_TITLES, [[code(c) for c in row] for row in cells])
    if not rows and not found.was_crawled:
        return NOTHING_CRAWLED
    if not rows:
        return (
            "there is none of these" if found.is_part else "nothing exceeds its limit"
        )
    return "\n".join(_table(rows, cells, screen, is_cut=found.is_cut))


def amount(key: LimitKey, number: int, screen: Screen) -> str:
    """`1.08 GB`, or `70 layers`."""
    if key == "max_layers":
        return plural(number, "layer")
    return format_bytes(number, iec=screen.iec)


def _table(
    rows: Sequence[ViolationReport],
    cells: Sequence[Sequence[str]],
    screen: Screen,
    *,
    is_cut: bool,
) -> list[str]:
    shown = narrowed([[t.upper() for t in _TITLES], *cells], screen, _LEAVING)
    head, *body = aligned(shown.rows, screen, gap=2)
    lines = [head]
    for row, line in zip(rows, body, strict=True):
        lines.append(
            screen.painted(line, "over" if row.state in ("open", "over") else None)
        )
        if row.waiver is not None:
            waiver = row.waiver
            until = f"{waiver.expires_at:%Y-%m-%d %H:%M} UTC"
            words = f"  waived until {until} by {waiver.author}: {waiver.reason}"
            lines.append(screen.cut(printable(words)))
    older = sum(row.id is None for row in rows)
    count = plural(len(rows) - older, "violation")
    if older:
        tags = plural(older, "row")
        count += f", {tags} of other tags that stand over their limit"
    more = ", there are more: --limit" if is_cut else ""
    foot = screen.wrapped(f"  {'   '.join(filter(None, (count + more, shown.note)))}")
    return [*lines, "", foot]


def _since(row: ViolationReport) -> str:
    since = row.pushed_at or row.opened_at
    return "" if since is None else f"{since:%Y-%m-%d %H:%M}"


def _cells(row: ViolationReport, screen: Screen) -> list[str]:
    name = f"{row.registry}/{row.repository}"
    change = row.heaviest_change
    return [
        row.state,
        amount(row.limit_key, row.amount, screen) + _mark(row),
        amount(row.limit_key, row.limit_amount, screen),
        row.limit_key,
        row.severity,
        printable(row.team or ""),
        _since(row),
        printable(name if row.tag is None else f"{name}:{row.tag}"),
        _added(row, change, screen),
        _line(row, change, screen),
    ]


def _mark(row: ViolationReport) -> str:
    """Where the amount is the manifest's word alone, or not what the manifest says."""
    if row.limit_key == "max_layers" or row.compressed_confidence in (None, "known"):
        return ""
    return f" {row.compressed_confidence}"


def _added(row: ViolationReport, change: LineChange | None, screen: Screen) -> str:
    """What the line has of what is limited: `+734 MB on disk`, `+1 layer`."""
    if row.cause is None or change is None:
        return ""
    quantity = row.cause.quantity
    is_layer = quantity == "layer_compressed_bytes"
    added = (change.amount if is_layer else change.grown_amount) or 0
    sign = "+" if added > 0 and not is_layer else ""
    text = f"{sign}{written_amount(quantity, added, iec=screen.iec)}"
    return f"{text} {WORDS[quantity]}".rstrip()


def _line(row: ViolationReport, change: LineChange | None, screen: Screen) -> str:
    if change is not None:
        return printable(short_instruction(change.instruction, screen.ellipsis))
    count = 0 if row.cause is None else row.cause.unknown_lines
    return f"not known: {plural(count, 'line')} not measured" if count else ""
