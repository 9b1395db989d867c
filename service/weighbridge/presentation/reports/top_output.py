"""The heaviest repositories for other programs: JSON, CSV, Markdown."""

from collections.abc import Sequence
from datetime import datetime

from weighbridge.domain.report.inventory import RepositoryReport
from weighbridge.presentation.forms.screen import Screen
from weighbridge.presentation.forms.tables import (
    code,
    csv_table,
    json_text,
    markdown_table,
)
from weighbridge.presentation.reports.top_cells import name_of, number_columns, tag_of
from weighbridge.presentation.rows.report_rows import columns, row_json


def top_json(rows: Sequence[RepositoryReport], now: datetime) -> str:
    """The API's rows under `items`."""
    items = {"items": [row_json(row, now) for row in rows]}
    return json_text(items)


def top_csv(rows: Sequence[RepositoryReport], now: datetime) -> str:
    """The API's rows."""
    return csv_table(columns(RepositoryReport), (row_json(row, now) for row in rows))


def top_markdown(
    rows: Sequence[RepositoryReport], screen: Screen, *, by: str = "compressed"
) -> str:
    """The columns of the table, without bars."""
    numbers = number_columns(rows, screen, by)
    heads = [*(column.title for column in numbers), "Repository", "Tag"]
    cells = [
        [*(c.cell(row) for c in numbers), code(name_of(row)), code(tag_of(row))]
        for row in rows
    ]
    return markdown_table(heads, cells, numeric=len(numbers))
