"""The heaviest repositories as a person reads them: a row with a bar for each."""

from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct

from weighbridge.domain.report.inventory import RegistryReport, RepositoryReport
from weighbridge.domain.size.confidence import CompressedConfidence
from weighbridge.domain.text.printable import printable
from weighbridge.presentation.forms.screen import Screen, bar, columns
from weighbridge.presentation.image.image_words import NOTHING_CRAWLED, plural
from weighbridge.presentation.reports.top_cells import (
    MARKS,
    STORAGE,
    Column,
    compared,
    name_of,
    number_columns,
    state_of,
    tag_of,
)

_BARS: Final = (16, 8, 0)
_NAME: Final = "REPOSITORY"
_SCOPES: Final = 3
_WHOSE: Final[dict[CompressedConfidence, str]] = {
    "disputed": "disputed: the registry's figure, the manifest says otherwise",
    "claimed": "claimed by the manifest, not confirmed by the registry",
}


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
        crawled = [printable(r.name) for r in registries if r.is_crawled]
        found = f"no repository was found in {', '.join(crawled)}"
        return found if crawled else NOTHING_CRAWLED
    table = _Table.of(rows, screen, by)
    lines = [*table.heads(), *(table.row(row) for row in rows)]
    return "\n".join([*lines, "", *_foot(rows, registries, screen, by)])


class _Table(Struct, frozen=True):
    """What all rows share.

    bars:  the longest bar, 0 for none: it gives way before a name does
    names: columns of the longest name, or what a narrow terminal leaves of it
    """

    screen: Screen
    by: str
    numbers: Sequence[Column]
    scale: int
    bars: int
    names: int
    tags: int

    @classmethod
    def of(cls, rows: Sequence[RepositoryReport], screen: Screen, by: str) -> "_Table":
        names = max(len(_NAME), *(columns(name_of(row)) for row in rows))
        tags = max(len("TAG"), *(columns(tag_of(row)) for row in rows))
        numbers = number_columns(rows, screen, by)
        width = screen.width
        least = names + 2 + tags
        # What is compared stays: the rows are in its order.
        for column in [each for each in reversed(numbers) if not each.is_compared]:
            if width is None or len(_line(numbers, lambda _: "")) + least <= width:
                break
            numbers.remove(column)
        used = len(_line(numbers, lambda _: ""))
        # A bar costs its cells and two spaces.
        bars = next(
            cells
            for cells in _BARS
            if width is None
            or not cells
            or used + cells + 2 + names + 2 + tags <= width
        )
        if width is not None:
            taken = used + (bars + 2 if bars else 0)
            names = min(names, max(width - taken, len(_NAME)))
        scale = max(compared(row, by) for row in rows)
        return cls(screen, by, numbers, scale, bars, names, tags)

    def heads(self) -> list[str]:
        """Names of the columns, and their units."""
        units = _line(self.numbers, lambda column: column.unit)
        bars = " " * (self.bars + 2) if self.bars else ""
        named = f"{units}{bars}{_NAME:{self.names}}"
        with_tag = f"{named}  TAG"
        width = self.screen.width
        is_whole = width is None or columns(with_tag) <= width
        return [
            _line(self.numbers, lambda column: column.head).rstrip(),
            with_tag if is_whole else named.rstrip(),
        ]

    def row(self, row: RepositoryReport) -> str:
        """One repository."""
        numbers = _line(self.numbers, lambda column: column.cell(row))
        number = compared(row, self.by)
        drawn = bar(number, self.scale, self.bars, ascii=self.screen.ascii)
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
        return _padded(self.screen.end_of(name_of(row), self.names), self.names)


def _line(numbers: Sequence[Column], text_of: Callable[[Column], str]) -> str:
    cells = (f"{text_of(column):>{column.width}}  " for column in numbers)
    return f"    {''.join(cells)}"


def _marked(numbers: str, row: RepositoryReport) -> str:
    """With a sign before those that are not of a complete last crawl."""
    return f" !  {numbers[4:]}" if _is_old(row) else numbers


def _is_old(row: RepositoryReport) -> bool:
    return row.state not in ("ok", "new")


def _padded(text: str, width: int) -> str:
    return text + " " * (width - columns(text))


def _foot(
    rows: Sequence[RepositoryReport],
    registries: Sequence[RegistryReport],
    screen: Screen,
    by: str,
) -> list[str]:
    if by in STORAGE:
        return _storage_foot(rows, registries, screen)
    platforms = sorted({row.newest_platform for row in rows if row.newest_platform})
    parts = [plural(len(rows), "repository", "repositories"), *platforms]
    text = f"  {', '.join(printable(part) for part in parts)}"
    if any(row.newest_uncompressed_confidence == "estimate" for row in rows):
        text += "   ~ estimate"
    if any(_is_old(row) for row in rows):
        text += "   ! the last crawl failed or was not complete"
    if by == "growth":
        text += "   baseline: median of the ten images before the newest"
    return [text, *_whose_words(rows), *_all_stale(registries, screen)]


def _whose_words(rows: Sequence[RepositoryReport]) -> list[str]:
    """What the marks before compressed bytes mean, as far as they are there."""
    marked = {row.newest_compressed_confidence for row in rows}
    return [
        f"  {MARKS[confidence]} {words}"
        for confidence, words in _WHOSE.items()
        if confidence in marked
    ]


def _storage_foot(
    rows: Sequence[RepositoryReport],
    registries: Sequence[RegistryReport],
    screen: Screen,
) -> list[str]:
    """Which sets the exclusive numbers are of: a number without it means nothing."""
    scopes = sorted({printable(row.storage_scope) for row in rows})
    named = ", ".join(scopes[:_SCOPES])
    if len(scopes) > _SCOPES:
        named += f" and {len(scopes) - _SCOPES:,} more"
    count = plural(len(rows), "repository", "repositories")
    text = (
        f"  {count}   exclusive: what nothing else in {named} refers to, "
        "freed by deleting it and collecting garbage"
    )
    lines = [screen.wrapped(text)]
    if any(_is_old(row) for row in rows):
        lines.append("  ! the last crawl failed or was not complete")
    return [*lines, *_all_stale(registries, screen)]


def _all_stale(registries: Sequence[RegistryReport], screen: Screen) -> list[str]:
    stale = [r for r in registries if r.state not in ("ok", "new")]
    return [_stale(registry, screen) for registry in stale]


def _stale(registry: RegistryReport, screen: Screen) -> str:
    name, reason = printable(registry.name), printable(registry.state_reason)
    words = f"{registry.state} ({reason})" if reason else registry.state
    since = (
        f" since {registry.state_since:%Y-%m-%d %H:%M}" if registry.state_since else ""
    )
    return screen.wrapped(f"  {name} is {words}{since}: its numbers are the last ones")
