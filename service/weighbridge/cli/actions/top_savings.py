"""What `weighbridge top --by saving` reads and prints: the repositories whose newest
image a slimmer base would make lighter.
"""

from collections.abc import Sequence
from typing import Final

from weighbridge.bootstrap.databases import read_database
from weighbridge.config import Settings
from weighbridge.domain.base.names import name_in_from
from weighbridge.domain.report.repository_saving import (
    SAVING_KEYS,
    RepositorySaving,
    SavingReport,
)
from weighbridge.domain.text.units import format_bytes
from weighbridge.presentation.forms.phrases import column_unit, plural
from weighbridge.presentation.forms.screen import Output, Screen, bar
from weighbridge.presentation.forms.table import Column, Table
from weighbridge.store.reports.repository_savings import repositories_by_saving

_NONE: Final = (
    "no repository is known to be lighter on another base: bases.repositories of the "
    "configuration names the repositories that are read to know bases"
)
_BAR: Final = 12


def top(
    settings: Settings,
    output: Output,
    screen: Screen,
    *,
    by: str,
    limit: int,
    registry: str | None,
) -> str:
    """The repositories that save most.

    Raises UsageError(unknown_registry), StoreError(no_database).
    """
    with read_database(settings, registry) as connection:
        report = repositories_by_saving(connection, limit=limit, registry=registry)
    return printed(report, output, screen)


def printed(report: SavingReport, output: Output, screen: Screen) -> str:
    """One row a repository; beside the `items` of JSON stands what all could save."""
    table = Table(columns=_columns(report.rows, screen), keys=SAVING_KEYS, empty=_NONE)
    beside = {"repositories": report.repositories, "saved_bytes": report.saved_bytes}
    foot = _foot(report, screen) if report.rows else []
    return table.printed(report.rows, output, screen, foot=foot, beside=beside)


def _foot(report: SavingReport, screen: Screen) -> list[str]:
    count = plural(report.repositories, "repository", "repositories")
    saved = format_bytes(report.saved_bytes, iec=screen.iec)
    return [
        f"  {count} could save {saved} of one pull of each newest image",
        "  measured: what the base weighs more than its variant, compressed; see"
        " weighbridge inspect, or the image's page, for what to check first",
    ]


def _columns(
    rows: Sequence[RepositorySaving], screen: Screen
) -> list[Column[RepositorySaving]]:
    most = max((row.saved_bytes for row in rows), default=0)
    heaviest = max((row.newest_compressed_bytes or 0 for row in rows), default=0)
    saves = column_unit(most, iec=screen.iec)
    weighs = column_unit(heaviest, iec=screen.iec)
    return [
        Column("", lambda row: "  ", rank=None),
        Column(
            "Saves",
            lambda row: saves.cell(row.saved_bytes),
            "number",
            rank=None,
            unit=saves.name,
        ),
        Column(
            "Compressed",
            lambda row: weighs.cell(row.newest_compressed_bytes),
            "number",
            unit=weighs.name,
        ),
        Column(
            "",
            lambda row: bar(row.saved_bytes, most, _BAR, ascii=screen.ascii),
            rank=-1,
            role="shared",
        ),
        Column("Repository", lambda row: f"{row.registry}/{row.repository}", "name"),
        Column("Tag", lambda row: row.newest_tag or "", rank=0),
        Column("Base", lambda row: name_in_from(row.base), rank=2),
        Column("Variant", lambda row: name_in_from(row.variant), rank=3),
    ]
