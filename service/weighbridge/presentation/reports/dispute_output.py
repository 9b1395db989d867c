"""What `weighbridge violations --disputed` prints."""

import json
from typing import Final

from weighbridge.domain.image.digest import short
from weighbridge.domain.report.inventory import DisputeReport, Page
from weighbridge.domain.text.printable import printable
from weighbridge.domain.text.units import format_bytes
from weighbridge.presentation.forms.screen import Output, Screen, aligned
from weighbridge.presentation.forms.tables import code, csv_table, markdown_table
from weighbridge.presentation.image.image_words import plural
from weighbridge.presentation.rows.dispute_rows import (
    DISPUTE_COLUMNS,
    dispute_cells,
    dispute_page_json,
)

_TITLES: Final = (
    "claimed",
    "registry says",
    "claimed by",
    "since, UTC",
    "blob",
    "image",
)


def printed(page: Page[DisputeReport], output: Output, screen: Screen) -> str:
    """The API's rows; for people a line each."""
    if output == "json":
        items = {"items": dispute_page_json(page)["items"]}
        return json.dumps(items, indent=2, ensure_ascii=False)
    if output == "csv":
        return csv_table(DISPUTE_COLUMNS, map(dispute_cells, page.items))
    cells = [_cells(row, screen) for row in page.items]
    if output == "markdown":
        return markdown_table(_TITLES, [[code(c) for c in row] for row in cells])
    if not cells:
        return "no registry contradicts a size that is claimed"
    lines = aligned([[t.upper() for t in _TITLES], *cells], screen, gap=2)
    count = plural(len(cells), "claim")
    more = ", there are more: --limit" if page.next_cursor else ""
    return "\n".join([*lines, "", f"  {count}{more}"])


def _cells(row: DisputeReport, screen: Screen) -> list[str]:
    name = f"{row.registry}/{row.repository}"
    tag = f":{row.tags[0]}" if row.tags else f"@{short(row.image)}"
    more = len(row.tags) - 1
    also = f" and {plural(more, 'more tag')}" if more > 0 else ""
    return [
        format_bytes(row.claimed_bytes, iec=screen.iec),
        format_bytes(row.registry_bytes, iec=screen.iec),
        row.source,
        f"{row.seen_at:%Y-%m-%d %H:%M}",
        short(row.digest),
        printable(f"{name}{tag}{also}"),
    ]
