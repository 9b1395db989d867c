"""What `weighbridge waive` prints."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from weighbridge.domain.policy.waiver import Waiver
from weighbridge.domain.report.inventory import Page
from weighbridge.domain.text.printable import printable
from weighbridge.presentation.forms.screen import Output, Screen, aligned
from weighbridge.presentation.forms.tables import (
    code,
    csv_table,
    json_text,
    markdown_table,
)
from weighbridge.presentation.rows.waiver_rows import WAIVER_COLUMNS, waiver_json

_TITLES: Final = ("id", "state", "waived", "limit", "until", "by", "reason")


def created(waiver: Waiver, output: Output, now: datetime) -> str:
    """What is waived from now on."""
    if output != "table":
        return _rows([waiver], output, now)
    what = waiver.limit_key or "every limit"
    until = _moment(waiver.expires_at)
    return f"waived: {what} of {waiver} until {until} (waiver {waiver.id})"


def about_nothing(waiver: Waiver) -> str:
    """It may have been made before the first push, or with a slip in a name."""
    return (
        f"warning: nothing that is known is called {waiver}; "
        "the waiver holds once such a thing is pushed"
    )


def listed(page: Page[Waiver], output: Output, screen: Screen, now: datetime) -> str:
    """A row a waiver, the newest first."""
    if output != "table":
        return _rows(page.items, output, now)
    if not page.items:
        return "nothing is waived"
    cells = [_cells(waiver, now) for waiver in page.items]
    lines = aligned([[title.upper() for title in _TITLES], *cells], screen, gap=2)
    if page.next_cursor:
        lines += ["", f"the newest {len(page.items):,}; --limit shows more"]
    return "\n".join(lines)


def revoked(waiver: Waiver, *, is_new: bool) -> str:
    """What was ended."""
    words = "revoked" if is_new else "was over before"
    return f"{words}: waiver {waiver.id} of {waiver}"


def _rows(waivers: Sequence[Waiver], output: Output, now: datetime) -> str:
    rows: list[Mapping[str, object]] = [waiver_json(waiver, now) for waiver in waivers]
    if output == "json":
        return json_text({"items": rows})
    if output == "csv":
        return csv_table(WAIVER_COLUMNS, rows)
    cells = [[code(cell) for cell in _cells(waiver, now)] for waiver in waivers]
    return markdown_table(_TITLES, cells)


def _cells(waiver: Waiver, now: datetime) -> list[str]:
    return [
        str(waiver.id),
        waiver.state(now),
        str(waiver),
        waiver.limit_key or "every limit",
        _moment(waiver.expires_at),
        printable(waiver.author),
        printable(waiver.reason),
    ]


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
