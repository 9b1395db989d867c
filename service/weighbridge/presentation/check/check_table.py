"""A check as a person reads it: the verdict, each limit with a bar, the lines."""

from collections.abc import Iterator, Sequence
from typing import Final

from weighbridge.domain.check.image_check import CheckedImage, ImageCheck, Outcome
from weighbridge.domain.image.digest import short
from weighbridge.domain.text.printable import printable
from weighbridge.domain.text.units import format_bytes, format_duration
from weighbridge.presentation.check.blamed_lines import (
    BlamedLines,
    Mark,
    next_steps,
    pointings,
)
from weighbridge.presentation.check.findings import (
    VERDICTS,
    LimitRow,
    limit_rows,
    notes_of,
)
from weighbridge.presentation.forms.phrases import plural
from weighbridge.presentation.forms.screen import Role, Screen, bar
from weighbridge.presentation.image.line_table import fitted

_BAR: Final = 10
_LEAST_FOR_BARS: Final = 90
_ROLES: Final[dict[Outcome, Role]] = {
    "pass": "shared",
    "warn": "heaviest",
    "unknown": "heaviest",
    "fail": "over",
}
_SIGNS: Final[dict[Outcome, tuple[str, str]]] = {
    "pass": ("✓", "."),
    "warn": ("△", "~"),
    "unknown": ("?", "?"),
    "fail": ("!", "!"),
}
_MARKS: Final[dict[Mark, tuple[str, str]]] = {
    "added": ("+", "+"),
    "removed": ("-", "-"),
    "same text": ("≈", "~"),
    "line": ("◆", "*"),
}


def render_check(check: ImageCheck, screen: Screen) -> str:
    """Everything that `check` prints, without the last line break."""
    blocks = ["\n".join(_image(check, checked, screen)) for checked in check.images]
    blocks += [
        f"{_head(check, 'unknown', [str(each)], screen)}\n  ?  could not be read"
        for each in check.not_weighed
    ]
    return "\n\n".join(filter(None, [*blocks, "\n".join(_foot(check, screen))]))


def _image(check: ImageCheck, checked: CheckedImage, screen: Screen) -> Iterator[str]:
    image = checked.image
    yield _head(
        check, checked.outcome, [str(image.platform), short(image.digest)], screen
    )
    yield from _table(limit_rows(check, checked, iec=screen.iec), screen)
    for pointed in pointings(check, checked):
        yield from _lines(pointed, screen)


def _head(
    check: ImageCheck, outcome: Outcome, parts: Sequence[str], screen: Screen
) -> str:
    """The verdict with what it is of; painted last, as colours have no width."""
    verdict = VERDICTS[outcome]
    names = map(printable, (check.weighing.reference, *parts))
    head = screen.joined([verdict, *names])
    return f"{screen.painted(verdict, _ROLES[outcome])}{head.removeprefix(verdict)}"


def _table(rows: list[LimitRow], screen: Screen) -> list[str]:
    has_bars = screen.width is None or screen.width >= _LEAST_FOR_BARS
    cells = [(row.name, row.value, row.limit, row.percent) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [_row(row, widths, screen, has_bars=has_bars) for row in rows]


def _row(row: LimitRow, widths: list[int], screen: Screen, *, has_bars: bool) -> str:
    name, value, limit, percent = widths
    text = (
        f"{row.name:{name}}   {row.value:>{value}}   limit {row.limit:>{limit}}"
        f"   {row.percent:>{percent}}  "
    )
    drawn = bar(row.part, row.whole, _BAR, ascii=screen.ascii) if has_bars else ""
    space = " " * (_BAR - len(drawn) + 2) if has_bars else ""
    words = screen.cut(row.words, 5 + len(text) + len(drawn) + len(space))
    sign = _SIGNS[row.outcome][screen.ascii]
    role = _ROLES[row.outcome]
    return (
        f"  {screen.painted(sign, role)}  {text}"
        f"{screen.painted(drawn, role)}{space}{words}".rstrip()
    )


def _lines(pointed: BlamedLines, screen: Screen) -> Iterator[str]:
    yield f"  {pointed.title}"
    cells = [line.cell(iec=screen.iec) for line in pointed.lines]
    numbers = [str(line.number or "") for line in pointed.lines]
    width, digits = max(map(len, cells), default=0), max(map(len, numbers), default=0)
    for line, cell, number in zip(pointed.lines, cells, numbers, strict=True):
        mark = _MARKS[line.mark][screen.ascii]
        before = f"    {mark}  {cell:>{width}}  {number:>{digits}}  "
        yield before + fitted(line.text, len(before), screen)
    if pointed.more:
        yield f"    {screen.ellipsis} and {plural(pointed.more, 'more line')}"


def _foot(check: ImageCheck, screen: Screen) -> Iterator[str]:
    for note in notes_of(check):
        yield screen.wrapped(f"note   {note}")
    steps = next_steps(check)
    for number, step in enumerate(steps):
        yield screen.wrapped(f"{'next' if not number else '    '}   {step}")
    if (cost := check.weighing.cost) is not None:
        yield screen.wrapped(
            f"{plural(cost.requests, 'request')}, "
            f"{format_bytes(cost.bytes_read, iec=screen.iec)} read, "
            f"{format_duration(cost.seconds)}"
        )
