"""What `weighbridge violations` reads and prints."""

from datetime import datetime
from functools import partial

from weighbridge.bootstrap.databases import read_database
from weighbridge.cli.actions.policies import amount
from weighbridge.config import Settings
from weighbridge.domain.image.digest import short
from weighbridge.domain.policy.quantity import WORDS, unit_of, written_amount
from weighbridge.domain.report.inventory import DisputeReport, Page
from weighbridge.domain.report.violation import ViolationList, ViolationReport
from weighbridge.domain.text.printable import printable
from weighbridge.domain.text.units import format_bytes
from weighbridge.presentation.forms.phrases import NOTHING_CRAWLED, minute, plural
from weighbridge.presentation.forms.screen import Output, Role, Screen
from weighbridge.presentation.forms.table import Column, Table
from weighbridge.presentation.image.line_table import short_instruction
from weighbridge.presentation.rows.policy_rows import (
    VIOLATION_COLUMNS,
    violation_cells,
    violation_json,
)
from weighbridge.presentation.rows.report_rows import DISPUTE_COLUMNS
from weighbridge.store.reports.disputes import DisputeQuery, dispute_page
from weighbridge.store.reports.inventory import was_crawled
from weighbridge.store.reports.violations import ViolationQuery, violation_page


def violations(
    settings: Settings, query: ViolationQuery, now: datetime
) -> ViolationList:
    """The newest of those that are asked for.

    Raises UsageError(unknown_registry, invalid_limit), StoreError(no_database).
    """
    with read_database(settings, query.registry) as connection:
        page = violation_page(connection, query, now)
        crawled = was_crawled(connection)
    is_part = (query.registry, query.team, query.severity) != (None, None, None)
    return ViolationList(page.items, page.next_cursor is not None, is_part, crawled)


def disputes(settings: Settings, query: DisputeQuery) -> Page[DisputeReport]:
    """The latest of those that are asked for.

    Raises UsageError(unknown_registry, invalid_limit), StoreError(no_database).
    """
    with read_database(settings, query.registry) as connection:
        return dispute_page(connection, query)


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
    is_of_bytes = unit_of(row.limit_key) == "bytes"
    if not is_of_bytes or row.compressed_confidence in (None, "known"):
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
    if row.base is not None:
        return f"its base {printable(row.base)}"
    if (change := row.heaviest_change) is not None:
        return short_instruction(change.instruction, screen.ellipsis)
    count = 0 if row.cause is None else row.cause.unknown_lines
    return f"not known: {plural(count, 'line')} not measured" if count else ""


def disputes_printed(page: Page[DisputeReport], output: Output, screen: Screen) -> str:
    """The API's rows; for people a line each."""
    more = ", there are more: --limit" if page.next_cursor else ""
    count = plural(len(page.items), "claim")
    foot = [f"  {count}{more}"] if page.items else []
    return _dispute_table(iec=screen.iec).printed(page.items, output, screen, foot=foot)


def _dispute_table(*, iec: bool) -> Table[DisputeReport]:
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
            Column("image", _disputed_image, "name"),
        ),
        keys=DISPUTE_COLUMNS,
        empty="no registry contradicts a size that is claimed",
    )


def _disputed_image(row: DisputeReport) -> str:
    name = f"{row.registry}/{row.repository}"
    tag = f":{row.tags[0]}" if row.tags else f"@{short(row.image)}"
    more = len(row.tags) - 1
    also = f" and {plural(more, 'more tag')}" if more > 0 else ""
    return f"{name}{tag}{also}"
