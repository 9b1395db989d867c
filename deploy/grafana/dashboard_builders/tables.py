"""Tables: one row for each set of labels, one query for each column of numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Literal

from dashboard_builders import colours, targets
from dashboard_builders.fields import Look, mappings, override, thresholds
from dashboard_builders.panels import panel
from dashboard_builders.shapes import Object


@dataclass(frozen=True, slots=True)
class Label:
    """A column that shows a label, with links that know the row.

    expression: of the series that bring the label, where the numbers do not have it
    """

    label: str
    title: str
    width: int
    links: tuple[Object, ...] = ()
    expression: str | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """A column of numbers.

    cell: plain; on the colour of its value where that asks for action, since small text
          in a colour is hard to read on one theme or the other; or a bar
    """

    title: str
    expression: str
    look: Look
    cell: Literal["auto", "color-background", "gauge"] = "auto"
    width: int | None = None


def table(
    title: str,
    description: str,
    labels: Sequence[Label],
    columns: Sequence[Column],
    *,
    sort: str,
    empty: str,
) -> Object:
    """A table, by one column from the largest. empty: what stands in place of rows"""
    brought = [label for label in labels if label.expression]
    asked: list[Column | Label] = [*columns, *brought]
    lettered = dict(zip(ascii_uppercase, asked, strict=False))
    queries = [
        targets.row(column.expression or "", letter)
        for letter, column in lettered.items()
    ]
    return panel("table", title, description, queries) | {
        "fieldConfig": {
            "defaults": {
                "unit": columns[0].look.unit,
                "noValue": empty,
                "custom": {"align": "auto", "cellOptions": {"type": "auto"}},
            },
            "overrides": [
                *(_label_look(label) for label in labels),
                *(_column_look(column) for column in columns),
            ],
        },
        "options": {
            "showHeader": True,
            "cellHeight": "sm",
            "sortBy": [{"displayName": sort, "desc": True}],
            "footer": {"show": False, "reducer": ["sum"], "fields": ""},
        },
        "transformations": [
            {"id": "merge", "options": {}},
            {"id": "organize", "options": _order(labels, lettered)},
        ],
    }


def _order(labels: Sequence[Label], asked: Mapping[str, Column | Label]) -> Object:
    """Labels first, then the numbers in the order of their queries."""
    # With one query alone Grafana leaves the letter out.
    fields = {
        f"Value #{letter}" if len(asked) > 1 else "Value": column
        for letter, column in asked.items()
    }
    names = {label.label: label.title for label in labels} | {
        field: column.title
        for field, column in fields.items()
        if isinstance(column, Column)
    }
    hidden = ["Time", *(field for field in fields if field not in names)]
    return {
        "excludeByName": dict.fromkeys(hidden, True),
        "indexByName": {name: index for index, name in enumerate(names)},
        "renameByName": names,
    }


def _label_look(label: Label) -> Object:
    # Else an empty label would be shown as the words for a table without rows.
    properties: Object = {"custom.width": label.width, "noValue": "none"}
    if label.links:
        properties["links"] = list(label.links)
    return override(label.title, properties)


def _column_look(column: Column) -> Object:
    look = column.look
    cell: Object = {"type": column.cell}
    if column.cell == "gauge":
        cell |= {"mode": "basic", "valueDisplayMode": "text"}
    if column.cell == "color-background":
        cell |= {"mode": "basic"}
    calm = look.calm if column.cell == "gauge" else colours.NONE
    properties: Object = {
        "unit": look.unit,
        "noValue": look.empty,
        "custom.align": "right",
        "custom.cellOptions": cell,
        "color": {"mode": "thresholds"},
        "thresholds": thresholds(look.steps, calm),
    }
    if look.words:
        properties["mappings"] = mappings(look.words)
    if look.decimals is not None:
        properties["decimals"] = look.decimals
    if column.cell == "gauge":
        properties["min"] = 0
    if column.width:
        properties["custom.width"] = column.width
    return override(column.title, properties)
