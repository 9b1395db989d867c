"""What `weighbridge policy explain` prints."""

from collections.abc import Sequence

from weighbridge.domain.policy.policy import Decided
from weighbridge.domain.text.units import format_bytes
from weighbridge.presentation.forms.csv_json_markdown import json_text
from weighbridge.presentation.forms.phrases import plural
from weighbridge.presentation.forms.screen import Output, Screen
from weighbridge.presentation.forms.table import Column, Table
from weighbridge.presentation.rows.limit_rows import policy_rows, written_at


def explained(
    name: str, decided: Sequence[Decided], output: Output, screen: Screen
) -> str:
    """Every key; bytes and ratios as numbers in JSON and CSV."""
    table = _table(iec=screen.iec)
    if output == "json":
        return json_text({"reference": name, "items": table.objects(decided)})
    shown = table.printed(decided, output, screen)
    return f"{name}\n{shown}" if output == "table" else shown


def _table(*, iec: bool) -> Table[Decided]:
    return Table(
        columns=(
            Column("key", lambda each: each.key, "name"),
            Column("value", lambda each: _shown(each, iec), rank=None),
            Column(
                "policy", lambda each: each.policy.name if each.policy else "", rank=1
            ),
            Column("written in", _place),
        ),
        keys=("key", "value", "policy", "file", "line"),
        as_object=_row,
    )


def _row(decided: Decided) -> dict[str, object]:
    (row,) = policy_rows([decided])
    return row | written_at(decided)


def _place(decided: Decided) -> str:
    return "no policy sets it" if decided.policy is None else str(decided.place)


def _shown(decided: Decided, iec: bool) -> str:
    """`500 MB`, `25%`, `60 layers`; `none` for a limit that is not there."""
    value = decided.value
    if value is None:
        return "none"
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value * 100:.6g}%"
    if decided.key == "max_layers":
        return plural(value, "layer")
    return format_bytes(value, iec=iec)
