"""What `weighbridge violations` prints."""

from datetime import datetime
from functools import partial

from weighbridge.domain.growth.quantity import WORDS, written_amount
from weighbridge.domain.policy.policy import LimitKey
from weighbridge.domain.report.violation import ViolationList, ViolationReport
from weighbridge.domain.text.units import format_bytes
from weighbridge.presentation.forms.phrases import NOTHING_CRAWLED, minute, plural
from weighbridge.presentation.forms.screen import Output, Role, Screen
from weighbridge.presentation.forms.table import Column, Table
from weighbridge.presentation.image.short_instruction import short_instruction
from weighbridge.presentation.rows.violation_rows import (
    VIOLATION_COLUMNS,
    violation_cells,
    violation_json,
)


def printed(found: ViolationList, output: Output, screen: Screen, now: datetime) -> str:
    """The API's rows; for people a line each, the reason of a waiver below it."""
    none = "there is none of these" if found.is_part else "nothing exceeds its limit"
    if not found.was_crawled:
        none = NOTHING_CRAWLED
    foot = [f"  {_counted(found)}"] if found.rows else []
    return _table(screen, now, none).printed(found.rows, output, screen, foot=foot)


def _table(screen: Screen, now: datetime, none: str) -> Table[ViolationReport]:
    return Table(
        columns=(
            Column("state", lambda row: row.state, rank=7),
            Column("amount", lambda row: _amount(row, screen), rank=4),
            Column(
                "limit",
                lambda row: amount(row.limit_key, row.limit_amount, screen),
                rank=2,
            ),
            Column("key", lambda row: row.limit_key, rank=8),
            Column("severity", lambda row: row.severity, rank=5),
            Column("team", lambda row: row.team or "", rank=6),
            Column(
                "since, UTC", lambda row: minute(row.pushed_at or row.opened_at), rank=1
            ),
            Column("image", _image, "name"),
            Column("added", lambda row: _added(row, screen), rank=3),
            Column("line that did most of it", lambda row: _line(row, screen), "line"),
        ),
        keys=VIOLATION_COLUMNS,
        as_object=partial(violation_json, now=now),
        as_cells=partial(violation_cells, now=now),
        role=_role,
        below=_waived,
        empty=none,
    )


def amount(key: LimitKey, number: int, screen: Screen) -> str:
    """`1.08 GB`, or `70 layers`."""
    if key == "max_layers":
        return plural(number, "layer")
    return format_bytes(number, iec=screen.iec)


def _counted(found: ViolationList) -> str:
    older = sum(row.id is None for row in found.rows)
    count = plural(len(found.rows) - older, "violation")
    if older:
        tags = plural(older, "row")
        count += f", {tags} of other tags that stand over their limit"
    return f"{count}, there are more: --limit" if found.is_cut else count


def _role(row: ViolationReport) -> Role | None:
    return "over" if row.state in ("open", "over") else None


def _waived(row: ViolationReport) -> str | None:
    if (waiver := row.waiver) is None:
        return None
    until = f"{minute(waiver.expires_at)} UTC"
    return f"waived until {until} by {waiver.author}: {waiver.reason}"


def _image(row: ViolationReport) -> str:
    name = f"{row.registry}/{row.repository}"
    return name if row.tag is None else f"{name}:{row.tag}"


def _amount(row: ViolationReport, screen: Screen) -> str:
    return amount(row.limit_key, row.amount, screen) + _mark(row)


def _mark(row: ViolationReport) -> str:
    """Where the amount is the manifest's word alone, or not what the manifest says."""
    if row.limit_key == "max_layers" or row.compressed_confidence in (None, "known"):
        return ""
    return f" {row.compressed_confidence}"


def _added(row: ViolationReport, screen: Screen) -> str:
    """What the line has of what is limited: `+734 MB on disk`, `+1 layer`."""
    change = row.heaviest_change
    if row.cause is None or change is None:
        return ""
    quantity = row.cause.quantity
    is_layer = quantity == "layer_compressed_bytes"
    added = (change.amount if is_layer else change.grown_amount) or 0
    sign = "+" if added > 0 and not is_layer else ""
    text = f"{sign}{written_amount(quantity, added, iec=screen.iec)}"
    return f"{text} {WORDS[quantity]}".rstrip()


def _line(row: ViolationReport, screen: Screen) -> str:
    if (change := row.heaviest_change) is not None:
        return short_instruction(change.instruction, screen.ellipsis)
    count = 0 if row.cause is None else row.cause.unknown_lines
    return f"not known: {plural(count, 'line')} not measured" if count else ""
