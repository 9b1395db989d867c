"""The heaviest repositories, as a table with bars and for other programs."""

import json
from collections.abc import Sequence
from typing import Final

from weighbridge.cli.bars import bar
from weighbridge.cli.screen import Screen, columns
from weighbridge.cli.tables import code, csv_table, markdown_table
from weighbridge.cli.units import UNKNOWN, ColumnUnit, column_unit
from weighbridge.cli.words import plural
from weighbridge.domain.printable import printable
from weighbridge.domain.report import RepositoryReport
from weighbridge.web.rows import columns as row_columns
from weighbridge.web.rows import row_json

_COMPRESSED: Final = 14
_BAR: Final = 16
_NAME_MIN: Final = len("REPOSITORY")


def top_json(rows: Sequence[RepositoryReport]) -> str:
    """The API's rows under `items`."""
    items = {"items": [row_json(row) for row in rows]}
    return json.dumps(items, indent=2, ensure_ascii=False)


def top_csv(rows: Sequence[RepositoryReport]) -> str:
    """The API's rows."""
    return csv_table(row_columns(RepositoryReport), (row_json(row) for row in rows))


def top_markdown(rows: Sequence[RepositoryReport], screen: Screen) -> str:
    """The columns of the table, without bars."""
    compressed, on_disk = _units(rows, screen)
    heads = (
        f"Compressed, {compressed.name}",
        f"On disk, {on_disk.name}",
        "Repository",
        "Tag",
    )
    cells = [
        (
            compressed.cell(row.newest_compressed_bytes),
            _on_disk(row, on_disk),
            code(_name(row)),
            code(printable(row.newest_tag or "")),
        )
        for row in rows
    ]
    return markdown_table(heads, cells, numeric=2)


def render_top(rows: Sequence[RepositoryReport], screen: Screen) -> str:
    """One row a repository: its newest image, all bars on one scale from zero."""
    if not rows:
        return "nothing is weighed yet: weighbridge crawl TARGET"
    compressed, on_disk = _units(rows, screen)
    disk_head = f"ON DISK, {on_disk.name}"
    name_width = max(_NAME_MIN, *(columns(_name(row)) for row in rows))
    tag_width = max(3, *(columns(printable(row.newest_tag or "")) for row in rows))
    lines = [
        f"{'COMPRESSED':>{_COMPRESSED}}",
        f"{compressed.name:>{_COMPRESSED}}  {'':{_BAR}}  {disk_head}   "
        f"{'REPOSITORY':{name_width}}   TAG",
    ]
    scale = max(row.newest_compressed_bytes or 0 for row in rows)
    for row in rows:
        drawn = bar(row.newest_compressed_bytes or 0, scale, _BAR, ascii=screen.ascii)
        numbers = (
            f"{compressed.cell(row.newest_compressed_bytes):>{_COMPRESSED}}  ",
            f"{drawn:{_BAR}}  ",
            f"{_on_disk(row, on_disk):>{len(disk_head)}}   ",
        )
        used = sum(map(len, numbers))
        tag = printable(row.newest_tag or "none")
        name = _padded(_name(row), name_width)
        text = f"{name}   {_padded(tag, tag_width)}   {_state(row)}".rstrip()
        painted = screen.painted(numbers[1], "own")
        lines.append(
            f"{numbers[0]}{painted}{numbers[2]}{screen.cut(text, used)}".rstrip()
        )
    return "\n".join([*lines, "", _foot(rows)])


def _units(
    rows: Sequence[RepositoryReport], screen: Screen
) -> tuple[ColumnUnit, ColumnUnit]:
    compressed = max((row.newest_compressed_bytes or 0 for row in rows), default=0)
    on_disk = max((row.newest_uncompressed_bytes or 0 for row in rows), default=0)
    return column_unit(compressed, iec=screen.iec), column_unit(on_disk, iec=screen.iec)


def _on_disk(row: RepositoryReport, unit: ColumnUnit) -> str:
    if row.newest_uncompressed_bytes is None:
        return UNKNOWN
    cell = unit.cell(row.newest_uncompressed_bytes)
    is_estimate = row.newest_uncompressed_confidence == "estimate"
    return f"~{cell}" if is_estimate else cell


def _name(row: RepositoryReport) -> str:
    return printable(f"{row.registry}/{row.repository}")


def _state(row: RepositoryReport) -> str:
    if row.state == "ok":
        return ""
    reason = printable(row.state_reason)
    return f"{row.state}: {reason}" if reason else row.state


def _padded(text: str, width: int) -> str:
    return text + " " * (width - columns(text))


def _foot(rows: Sequence[RepositoryReport]) -> str:
    platforms = sorted({row.newest_platform for row in rows if row.newest_platform})
    parts = [plural(len(rows), "repository", "repositories"), *platforms]
    text = f"  {', '.join(printable(part) for part in parts)}"
    if any(row.newest_uncompressed_confidence == "estimate" for row in rows):
        text += "   ~ estimate"
    return text
