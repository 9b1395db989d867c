"""What `weighbridge violations --disputed` prints."""

from weighbridge.domain.image.digest import short
from weighbridge.domain.report.inventory import DisputeReport, Page
from weighbridge.domain.text.units import format_bytes
from weighbridge.presentation.forms.phrases import minute, plural
from weighbridge.presentation.forms.screen import Output, Screen
from weighbridge.presentation.forms.table import Column, Table
from weighbridge.presentation.rows.dispute_rows import DISPUTE_COLUMNS


def printed(page: Page[DisputeReport], output: Output, screen: Screen) -> str:
    """The API's rows; for people a line each."""
    more = ", there are more: --limit" if page.next_cursor else ""
    count = plural(len(page.items), "claim")
    foot = [f"  {count}{more}"] if page.items else []
    return _table(iec=screen.iec).printed(page.items, output, screen, foot=foot)


def _table(*, iec: bool) -> Table[DisputeReport]:
    return Table(
        columns=(
            Column(
                "claimed", lambda row: format_bytes(row.claimed_bytes, iec=iec), rank=4
            ),
            Column(
                "registry says",
                lambda row: format_bytes(row.registry_bytes, iec=iec),
                rank=4,
            ),
            Column("claimed by", lambda row: row.source, rank=1),
            Column("since, UTC", lambda row: minute(row.seen_at), rank=2),
            Column("blob", lambda row: short(row.digest), rank=3),
            Column("image", _image, "name"),
        ),
        keys=DISPUTE_COLUMNS,
        empty="no registry contradicts a size that is claimed",
    )


def _image(row: DisputeReport) -> str:
    name = f"{row.registry}/{row.repository}"
    tag = f":{row.tags[0]}" if row.tags else f"@{short(row.image)}"
    more = len(row.tags) - 1
    also = f" and {plural(more, 'more tag')}" if more > 0 else ""
    return f"{name}{tag}{also}"
