"""The heaviest repositories for other programs: JSON, CSV, Markdown."""

import json
from collections.abc import Sequence

from weighbridge.cli.screen import Screen
from weighbridge.cli.tables import code, csv_table, markdown_table
from weighbridge.cli.top_cells import (
    compressed_cell,
    name_of,
    on_disk_cell,
    tag_of,
    units,
)
from weighbridge.domain.report import RepositoryReport
from weighbridge.web.rows import columns, row_json


def top_json(rows: Sequence[RepositoryReport]) -> str:
    """The API's rows under `items`."""
    items = {"items": [row_json(row) for row in rows]}
    return json.dumps(items, indent=2, ensure_ascii=False)


def top_csv(rows: Sequence[RepositoryReport]) -> str:
    """The API's rows."""
    return csv_table(columns(RepositoryReport), (row_json(row) for row in rows))


def top_markdown(rows: Sequence[RepositoryReport], screen: Screen) -> str:
    """The columns of the table, without bars."""
    compressed, on_disk = units(rows, screen)
    heads = (
        f"Compressed, {compressed.name}",
        f"On disk, {on_disk.name}",
        "Repository",
        "Tag",
    )
    cells = [
        (
            compressed_cell(row, compressed),
            on_disk_cell(row, on_disk),
            code(name_of(row)),
            code(tag_of(row)),
        )
        for row in rows
    ]
    return markdown_table(heads, cells, numeric=2)
