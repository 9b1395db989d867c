"""What `weighbridge policy explain` prints."""

from collections.abc import Sequence
from typing import Final

from weighbridge.domain.policy.policy import Decided
from weighbridge.domain.text.printable import printable
from weighbridge.domain.text.units import format_bytes
from weighbridge.presentation.forms.screen import Output, Screen, aligned
from weighbridge.presentation.forms.tables import (
    code,
    csv_table,
    json_text,
    markdown_table,
)

_COLUMNS: Final = ("key", "value", "policy", "file", "line")
_TITLES: Final = ("key", "value", "policy", "written in")


def explained(
    name: str, decided: Sequence[Decided], output: Output, screen: Screen
) -> str:
    """Every key; bytes and ratios as numbers in JSON and CSV."""
    rows = [_row(each) for each in decided]
    if output == "json":
        whole = {"reference": name, "items": rows}
        return json_text(whole)
    if output == "csv":
        return csv_table(_COLUMNS, rows)
    cells = [_cells(each, screen) for each in decided]
    if output == "markdown":
        return markdown_table(_TITLES, [[code(c) for c in row] for row in cells])
    return "\n".join([name, *aligned([_TITLES, *cells], screen)])


def _row(decided: Decided) -> dict[str, object]:
    place = decided.place
    is_written = place is not None and place.file != ""
    return {
        "key": decided.key,
        "value": decided.value,
        "policy": None if decided.policy is None else decided.policy.name,
        "file": place.file if place is not None and is_written else None,
        "line": place.line if place is not None and is_written else None,
    }


def _cells(decided: Decided, screen: Screen) -> list[str]:
    value = _shown(decided, screen)
    if decided.policy is None:
        return [decided.key, value, "", "no policy sets it"]
    return [
        decided.key,
        value,
        printable(decided.policy.name),
        printable(str(decided.place)),
    ]


def _shown(decided: Decided, screen: Screen) -> str:
    """`500 MB`, `25%`, `60 layers`; `none` for a limit that is not there."""
    value = decided.value
    if value is None:
        return "none"
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, float):
        return f"{value * 100:.6g}%"
    if decided.key == "max_layers":
        return "1 layer" if value == 1 else f"{value:,} layers"
    return format_bytes(value, iec=screen.iec)
