"""What a row of `top` says, whatever form it is printed in."""

from collections.abc import Iterable, Sequence

from weighbridge.cli.screen import Screen
from weighbridge.cli.units import UNKNOWN, ColumnUnit, column_unit
from weighbridge.domain.printable import printable
from weighbridge.domain.report import RepositoryReport

NO_IMAGE = "no image"


def units(
    rows: Sequence[RepositoryReport], screen: Screen
) -> tuple[ColumnUnit, ColumnUnit]:
    """The units of the compressed and of the on-disk column."""
    return (
        _unit((row.newest_compressed_bytes for row in rows), screen),
        _unit((row.newest_uncompressed_bytes for row in rows), screen),
    )


def compressed_cell(row: RepositoryReport, unit: ColumnUnit) -> str:
    """The number; `no image` where charts and the like are all there is."""
    return NO_IMAGE if is_imageless(row) else unit.cell(row.newest_compressed_bytes)


def on_disk_cell(row: RepositoryReport, unit: ColumnUnit) -> str:
    """The number, with `~` where it is an estimate."""
    if is_imageless(row):
        return ""
    if row.newest_uncompressed_bytes is None:
        return UNKNOWN
    cell = unit.cell(row.newest_uncompressed_bytes)
    is_estimate = row.newest_uncompressed_confidence == "estimate"
    return f"~{cell}" if is_estimate else cell


def is_imageless(row: RepositoryReport) -> bool:
    """Whether it was looked at, and has tags of other things only."""
    return bool(row.tags) and not row.images and row.newest_compressed_bytes is None


def name_of(row: RepositoryReport) -> str:
    """`registry/repository`."""
    return printable(f"{row.registry}/{row.repository}")


def tag_of(row: RepositoryReport) -> str:
    """The newest image's tag, "" where there is none."""
    return printable(row.newest_tag or "")


def state_of(row: RepositoryReport) -> str:
    """ "" where the last look was good: else how it ended, and of when the numbers
    are."""
    if row.state == "ok":
        return ""
    reason = printable(row.state_reason)
    has_reason = reason and reason != row.state
    words = f"{row.state} ({reason})" if has_reason else row.state
    if row.state == "new":
        return words
    seen = row.last_complete_pass_at
    return f"{words}, seen whole {seen:%Y-%m-%d %H:%M}" if seen else words


def _unit(numbers: Iterable[int | None], screen: Screen) -> ColumnUnit:
    known = [number for number in numbers if number is not None]
    # Where nothing is known yet, the unit of most images.
    return column_unit(max(known, default=2**20), iec=screen.iec)
