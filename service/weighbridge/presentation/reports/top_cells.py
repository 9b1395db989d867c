"""What a row of `top` says, whatever form it is printed in."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from weighbridge.domain.report.inventory import RepositoryReport
from weighbridge.domain.size.confidence import CompressedConfidence
from weighbridge.domain.text.printable import printable
from weighbridge.presentation.forms.column_unit import UNKNOWN, ColumnUnit, column_unit
from weighbridge.presentation.forms.screen import Screen

NO_IMAGE: Final = "no image"
STORAGE: Final = ("deduplicated", "exclusive", "shared")
"""What is compared in storage, not in a pull."""
MARKS: Final[dict[CompressedConfidence, str]] = {"disputed": "*", "claimed": "?"}
"""Before compressed bytes that the manifest gives otherwise, or that nobody but the
manifest says."""
_BYTES: Final = 10
_ON_DISK: Final = 8
_COUNT: Final = 6
_PERCENT: Final = 7


class Column(Struct, frozen=True):
    """One column of numbers.

    head, unit: the two lines of its head; a count has a name in the second only
    cell:       what stands in a row
    is_compared: whether the rows are in its order
    """

    head: str
    unit: str
    width: int
    cell: Callable[[RepositoryReport], str]
    is_compared: bool = False

    @property
    def title(self) -> str:
        """Both lines in one: `Compressed, MB`."""
        return ", ".join(filter(None, (self.head.capitalize(), self.unit)))


def number_columns(
    rows: Sequence[RepositoryReport], screen: Screen, by: str
) -> list[Column]:
    """The columns that answer a comparison by this."""
    found = _columns(rows, screen, by)
    orders = {"uncompressed": 1, "shared": 2, "exclusive": 1, "growth": 3}
    index = orders.get(by, len(found) - 1 if by in ("tags", "images") else 0)
    return [replace(c, is_compared=i == index) for i, c in enumerate(found)]


def _columns(rows: Sequence[RepositoryReport], screen: Screen, by: str) -> list[Column]:
    if by == "growth":
        return _growth_columns(rows, screen)
    if by in STORAGE:
        return _storage_columns(rows, screen)
    compressed = _unit((row.newest_compressed_bytes for row in rows), screen)
    on_disk = _unit((row.newest_uncompressed_bytes for row in rows), screen)
    found = [
        _compressed(compressed),
        Column(
            "ON DISK", on_disk.name, _ON_DISK, lambda row: _on_disk_cell(row, on_disk)
        ),
    ]
    if by in ("tags", "images"):
        count = Column("", by.upper(), _COUNT, lambda row: f"{compared(row, by):,}")
        found.append(count)
    return found


def compared(row: RepositoryReport, by: str) -> int:
    """What its bar is of; 0 for what is unknown, and for what shrank."""
    if by == "tags":
        return row.tags
    if by == "images":
        return row.images
    if by == "uncompressed":
        return row.newest_uncompressed_bytes or 0
    if by == "growth":
        return max(0, round((growth_ratio(row) or 0) * 1_000_000))
    if by in STORAGE:
        return _stored(row, by) or 0
    return row.newest_compressed_bytes or 0


def growth_bytes(row: RepositoryReport) -> int | None:
    """How much more a pull of the newest image moves than the images before it."""
    newest, baseline = row.newest_compressed_bytes, row.baseline_compressed_bytes
    return None if newest is None or baseline is None else newest - baseline


def growth_ratio(row: RepositoryReport) -> float | None:
    """The same as a part of the baseline: 1.43 is 143 % more."""
    grown, baseline = growth_bytes(row), row.baseline_compressed_bytes
    return None if grown is None or not baseline else grown / baseline


def is_imageless(row: RepositoryReport) -> bool:
    """Whether it was crawled, and has tags of other things only."""
    return bool(row.tags) and not row.images and row.newest_compressed_bytes is None


def name_of(row: RepositoryReport) -> str:
    """`registry/repository`."""
    return printable(f"{row.registry}/{row.repository}")


def tag_of(row: RepositoryReport) -> str:
    """The newest image's tag, "" where there is none."""
    return printable(row.newest_tag or "")


def state_of(row: RepositoryReport) -> str:
    """ "" where the last crawl was good: else how it ended, and of when the numbers
    are."""
    if row.state == "ok":
        return ""
    reason = printable(row.state_reason)
    has_reason = reason and reason != row.state
    words = f"{row.state} ({reason})" if has_reason else row.state
    if row.state == "new":
        return words
    seen = row.last_complete_crawl_at
    return f"{words}, complete {seen:%Y-%m-%d %H:%M}" if seen else words


def _compressed(unit: ColumnUnit) -> Column:
    """`no image` where charts and the like are all there is."""
    return Column(
        "COMPRESSED", unit.name, _BYTES, lambda row: _compressed_cell(row, unit)
    )


def _compressed_cell(row: RepositoryReport, unit: ColumnUnit) -> str:
    """The number, with a mark where it is not simply the registry's word."""
    if is_imageless(row):
        return NO_IMAGE
    cell = unit.cell(row.newest_compressed_bytes)
    confidence = row.newest_compressed_confidence
    if row.newest_compressed_bytes is None or confidence is None:
        return cell
    return f"{MARKS.get(confidence, '')}{cell}"


def _on_disk_cell(row: RepositoryReport, unit: ColumnUnit) -> str:
    """The number, with `~` where it is an estimate."""
    if is_imageless(row):
        return ""
    if row.newest_uncompressed_bytes is None:
        return UNKNOWN
    cell = unit.cell(row.newest_uncompressed_bytes)
    is_estimate = row.newest_uncompressed_confidence == "estimate"
    return f"~{cell}" if is_estimate else cell


def _growth_columns(rows: Sequence[RepositoryReport], screen: Screen) -> list[Column]:
    """The newest image and the baseline in one unit, so that they can be compared."""
    numbers = [row.newest_compressed_bytes for row in rows]
    unit = _unit([*numbers, *(row.baseline_compressed_bytes for row in rows)], screen)
    return [
        _compressed(unit),
        Column(
            "BASELINE",
            unit.name,
            _BYTES,
            lambda row: unit.cell(row.baseline_compressed_bytes),
        ),
        Column(
            "CHANGE", unit.name, _BYTES, lambda row: _signed(growth_bytes(row), unit)
        ),
        Column("", "%", _PERCENT, _percent_cell),
    ]


def _signed(number: int | None, unit: ColumnUnit) -> str:
    if not number:
        return unit.cell(number)
    return f"{'+' if number > 0 else '-'}{unit.cell(abs(number))}"


def _percent_cell(row: RepositoryReport) -> str:
    ratio = growth_ratio(row)
    if ratio is None:
        return UNKNOWN
    return f"{ratio * 100:+.1f}" if ratio else "0"


def _storage_columns(rows: Sequence[RepositoryReport], screen: Screen) -> list[Column]:
    unit = _unit((row.deduplicated_bytes for row in rows), screen)

    def column(head: str, by: str) -> Column:
        return Column(head, unit.name, _BYTES, lambda row: unit.cell(_stored(row, by)))

    return [
        column("STORED", "deduplicated"),
        column("EXCLUSIVE", "exclusive"),
        column("SHARED", "shared"),
    ]


def _stored(row: RepositoryReport, by: str) -> int | None:
    if by == "deduplicated":
        return row.deduplicated_bytes
    return row.exclusive_bytes if by == "exclusive" else row.shared_bytes


def _unit(numbers: Iterable[int | None], screen: Screen) -> ColumnUnit:
    known = [number for number in numbers if number is not None]
    # Where nothing is known yet, the unit of most images.
    return column_unit(max(known, default=2**20), iec=screen.iec)
