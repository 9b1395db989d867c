"""The heaviest repositories as a person reads them: a row with a bar for each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from weighbridge.cli.bars import bar
from weighbridge.cli.screen import Screen, columns
from weighbridge.cli.top_cells import (
    compressed_cell,
    name_of,
    on_disk_cell,
    state_of,
    tag_of,
    units,
)
from weighbridge.cli.units import ColumnUnit
from weighbridge.cli.words import plural
from weighbridge.domain.printable import printable
from weighbridge.domain.report import RegistryReport, RepositoryReport

_COMPRESSED: Final = 10
_ON_DISK: Final = 8
_COUNT: Final = 6
_BARS: Final = (16, 8, 0)
_NAME: Final = "REPOSITORY"


def render_top(
    rows: Sequence[RepositoryReport],
    screen: Screen,
    registries: Sequence[RegistryReport] = (),
    *,
    by: str = "compressed",
) -> str:
    """One row a repository: its newest image, all bars on one scale from zero.

    by: what the rows are sorted by; bars are of that
    """
    if not rows:
        return "nothing is weighed yet: weighbridge crawl TARGET"
    table = _Table.of(rows, screen, by)
    lines = [*table.heads(), *(table.row(row) for row in rows)]
    return "\n".join([*lines, "", *_foot(rows, registries, screen)])


@dataclass(frozen=True, slots=True)
class _Table:
    """What all rows share.

    bars:  the longest bar, 0 for none: it gives way before a name does
    names: columns of the longest name, or what a narrow terminal leaves of it
    """

    screen: Screen
    by: str
    compressed: ColumnUnit
    on_disk: ColumnUnit
    scale: int
    bars: int
    names: int
    tags: int

    @classmethod
    def of(cls, rows: Sequence[RepositoryReport], screen: Screen, by: str) -> "_Table":
        names = max(len(_NAME), *(columns(name_of(row)) for row in rows))
        tags = max(len("TAG"), *(columns(tag_of(row)) for row in rows))
        numbers = len(_numbers("", "", _count(by), ""))
        width = screen.width
        # A bar costs its cells and two spaces.
        bars = next(
            cells
            for cells in _BARS
            if width is None
            or not cells
            or numbers + cells + 2 + names + 2 + tags <= width
        )
        if width is not None:
            taken = numbers + (bars + 2 if bars else 0)
            names = min(names, max(width - taken, len(_NAME)))
        compressed, on_disk = units(rows, screen)
        scale = max(_compared(row, by) for row in rows)
        return cls(screen, by, compressed, on_disk, scale, bars, names, tags)

    def heads(self) -> list[str]:
        """Names of the columns, and their units."""
        count = _count(self.by)
        units = _numbers(self.compressed.name, self.on_disk.name, count, count)
        bars = " " * (self.bars + 2) if self.bars else ""
        last = f"{units}{bars}{_NAME:{self.names}}  TAG"
        return [
            _numbers("COMPRESSED", "ON DISK", count, "").rstrip(),
            self.screen.cut(last).removesuffix(self.screen.ellipsis).rstrip(),
        ]

    def row(self, row: RepositoryReport) -> str:
        """One repository."""
        compared = _compared(row, self.by)
        numbers = _numbers(
            compressed_cell(row, self.compressed),
            on_disk_cell(row, self.on_disk),
            _count(self.by),
            f"{compared:,}",
        )
        drawn = bar(compared, self.scale, self.bars, ascii=self.screen.ascii)
        bars = f"{drawn:{self.bars}}  " if self.bars else ""
        name = self._name(row)
        used = len(numbers) + len(bars) + columns(name)
        rest = f"  {_padded(tag_of(row), self.tags)}  {state_of(row)}".rstrip()
        if self.screen.width is not None and rest:
            rest = f"  {self.screen.cut(rest.strip(), used + 2)}"
            if used + columns(rest) > self.screen.width:
                rest = ""
        painted = self.screen.painted(bars, "own")
        return f"{_marked(numbers, row)}{painted}{name}{rest}".rstrip()

    def _name(self, row: RepositoryReport) -> str:
        """The name, of a long one its end: that is where names differ."""
        name = name_of(row)
        if columns(name) > self.names:
            room = self.names - columns(self.screen.ellipsis)
            while columns(name) > room:
                name = name[1:]
            name = self.screen.ellipsis + name
        return _padded(name, self.names)


def _numbers(compressed: str, on_disk: str, count: str, counted: str) -> str:
    counts = f"{counted:>{_COUNT}}  " if count else ""
    return f"    {compressed:>{_COMPRESSED}}  {on_disk:>{_ON_DISK}}  {counts}"


def _marked(numbers: str, row: RepositoryReport) -> str:
    """With a sign before those that are not of a complete last look."""
    return f" !  {numbers[4:]}" if _is_old(row) else numbers


def _is_old(row: RepositoryReport) -> bool:
    return row.state not in ("ok", "new")


def _count(by: str) -> str:
    return by.upper() if by in ("tags", "images") else ""


def _compared(row: RepositoryReport, by: str) -> int:
    if by == "tags":
        return row.tags
    if by == "images":
        return row.images
    if by == "uncompressed":
        return row.newest_uncompressed_bytes or 0
    return row.newest_compressed_bytes or 0


def _padded(text: str, width: int) -> str:
    return text + " " * (width - columns(text))


def _foot(
    rows: Sequence[RepositoryReport],
    registries: Sequence[RegistryReport],
    screen: Screen,
) -> list[str]:
    platforms = sorted({row.newest_platform for row in rows if row.newest_platform})
    parts = [plural(len(rows), "repository", "repositories"), *platforms]
    text = f"  {', '.join(printable(part) for part in parts)}"
    if any(row.newest_uncompressed_confidence == "estimate" for row in rows):
        text += "   ~ estimate"
    if any(_is_old(row) for row in rows):
        text += "   ! the last look failed or was cut short"
    stale = [r for r in registries if r.state not in ("ok", "new")]
    return [text, *(_stale(registry, screen) for registry in stale)]


def _stale(registry: RegistryReport, screen: Screen) -> str:
    name, reason = printable(registry.name), printable(registry.state_reason)
    words = f"{registry.state} ({reason})" if reason else registry.state
    since = (
        f" since {registry.state_since:%Y-%m-%d %H:%M}" if registry.state_since else ""
    )
    return screen.wrapped(f"  {name} is {words}{since}: its numbers are the last ones")
