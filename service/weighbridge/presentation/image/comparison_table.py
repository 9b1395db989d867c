"""Two images beside each other as a person reads them: bars on one scale, what each has
that the other has not, and their lines with what each adds.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from weighbridge.domain.comparison.comparison import (
    Change,
    ComparedLine,
    Comparison,
    ImageComparison,
    pulled_by,
)
from weighbridge.domain.image.digest import short
from weighbridge.domain.size.weighing import WeighedImage, WeighedLine, Weighing
from weighbridge.domain.text.printable import printable
from weighbridge.domain.text.units import format_bytes, format_percent
from weighbridge.presentation.forms.csv_json_markdown import code, csv_table
from weighbridge.presentation.forms.phrases import (
    MINUS,
    UNCHANGED,
    UNKNOWN,
    ColumnUnit,
    column_unit,
    plural,
    signed,
)
from weighbridge.presentation.forms.screen import Role, Screen, bar
from weighbridge.presentation.forms.table import Column, Table
from weighbridge.presentation.image.image_words import whose_word
from weighbridge.presentation.image.line_table import short_instruction
from weighbridge.presentation.rows.comparison_rows import (
    COMPARED_LINE_COLUMNS,
    compared_line_rows,
)

SIGNS: Final[dict[Change, tuple[str, str, str, Role | None]]] = {
    "same": ("=", "=", "same layer", None),
    "added": ("+", "+", "added", "over"),
    "removed": (MINUS, "-", "removed", "shared"),
    "rebuilt": ("≈", "~", "same text, new layer", "heaviest"),
    "changed": ("≠", "!", "another text", "heaviest"),
}
"""By what became of a line: the sign, the same in ASCII, its words, its colour."""
_NONE: Final = "none"
_BAR: Final = 44
_NARROW_BAR: Final = 24
_NARROW: Final = 90
_NAME_CHARACTERS: Final = 20


class _LineRow(Struct, frozen=True):
    """A row of the table; numbers as they are printed."""

    change: Change | None
    before: str
    after: str
    grown: str
    text: str


def render_comparison(
    comparison: Comparison,
    screen: Screen,
    *,
    wants_all: bool = False,
    only_changed: bool = False,
) -> str:
    """Everything that `compare` prints, without the last line break.

    wants_all:    lines without a layer too
    only_changed: those that are the same in one row
    """
    names = names_of(comparison)
    blocks = [
        "\n".join(_block(images, names, screen, wants_all, only_changed))
        for images in comparison.images
    ]
    text = "\n\n".join(["\n".join(_legend(comparison, names, screen)), *blocks])
    return text.replace(MINUS, "-") if screen.ascii else text


def names_of(comparison: Comparison) -> tuple[str, str]:
    """What the images are called beside each other: by what tells them apart where that
    is short, else `a` and `b`."""
    before, after = comparison.before, comparison.after
    is_one = (before.registry, before.repository) == (after.registry, after.repository)
    names = tuple(printable(_last_part(each)) for each in (before, after))
    is_short = all(len(name) <= _NAME_CHARACTERS for name in names)
    if is_one and is_short and names[0] != names[1]:
        return names[0], names[1]
    return "a", "b"


def _last_part(weighing: Weighing) -> str:
    return weighing.tag or short(weighing.digest)


def _legend(
    comparison: Comparison, names: tuple[str, str], screen: Screen
) -> Iterator[str]:
    before, after = comparison.before, comparison.after
    if names == ("a", "b"):
        yield f"  a  {printable(before.reference)}"
        yield f"  b  {printable(after.reference)}"
    else:
        yield f"{printable(before.registry)}/{printable(before.repository)}"
    for name, mine, others in ((names[0], before, after), (names[1], after, before)):
        there = set(others.platforms)
        alone = [str(p) for p in mine.platforms if p not in there]
        if alone and comparison.has_common_platform:
            platforms = ", ".join(map(printable, alone))
            yield screen.wrapped(f"  only {name} has {platforms}")


def _block(
    images: ImageComparison,
    names: tuple[str, str],
    screen: Screen,
    wants_all: bool,
    only_changed: bool,
) -> Iterator[str]:
    unit = _unit(images, screen)
    platform = images.platform
    shown = str(platform or f"{images.before.platform} and {images.after.platform}")
    yield f"{printable(shown)}, compressed, {unit.name}"
    yield ""
    if images.is_same:
        yield f"  both are the same image, {short(images.after.digest)}"
        size = format_bytes(images.after.compressed_bytes, iec=screen.iec)
        yield f"  {size}{whose_word(images.after, iec=screen.iec)}"
        return
    yield from _bars(images, names, screen)
    yield ""
    yield from map(screen.wrapped, _sums(images, names, unit, screen))
    yield ""
    rows = _rows(images, unit, wants_all=wants_all, only_changed=only_changed)
    lines = _table(names, screen).lines([*rows, _total(images, unit)], screen, 2)
    yield from (*lines.head, *lines.rows)
    yield ""
    yield f"  {_signs(images, screen)}"
    if again := _again_in_words(images, unit, screen):
        yield screen.wrapped(f"  {again}")


def _unit(images: ImageComparison, screen: Screen) -> ColumnUnit:
    totals = images.before.compressed_bytes, images.after.compressed_bytes
    return column_unit(max(totals), iec=screen.iec)


def _bars(
    images: ImageComparison, names: tuple[str, str], screen: Screen
) -> Iterator[str]:
    """What both have first, so that it stands one below the other."""
    is_narrow = screen.width is not None and screen.width < _NARROW
    cells = _NARROW_BAR if is_narrow else _BAR
    scale = max(images.before.compressed_bytes, images.after.compressed_bytes)
    wide = max(map(len, names))
    both = "=" if screen.ascii else "▒"
    for name, image, alone in (
        (names[0], images.before, images.only_before),
        (names[1], images.after, images.only_after),
    ):
        shared = images.shared.compressed_bytes
        in_both = both * len(bar(shared, scale, cells, ascii=True))
        only = bar(alone.compressed_bytes, scale, cells, ascii=screen.ascii)
        size = format_bytes(image.compressed_bytes, iec=screen.iec)
        word = whose_word(image, iec=screen.iec)
        drawn = f"{in_both}{screen.painted(only, 'own')}"
        yield f"  {name:{wide}}  {drawn}  {size}{word}".rstrip()


def _sums(
    images: ImageComparison, names: tuple[str, str], unit: ColumnUnit, screen: Screen
) -> Iterator[str]:
    before, after = names
    yield (
        f"  in both {unit.cell(images.shared.compressed_bytes)}"
        f"   only in {before} {unit.cell(images.only_before.compressed_bytes)}"
        f"   only in {after} {unit.cell(images.only_after.compressed_bytes)}"
    )
    moved = format_bytes(images.pull_bytes, iec=screen.iec)
    share = format_percent(images.pull_bytes, images.after.compressed_bytes)
    yield (
        f"  pulling {after} where {before} is present moves {moved}"
        + (f" ({share} % of it)" if images.after.compressed_bytes else "")
    )
    yield f"  on disk {_on_disk(images, screen)}"
    bases = [base_words(image) for image in (images.before, images.after)]
    if any(bases):
        words = [printable(base or UNKNOWN) for base in bases]
        same = f"{words[0]} in both"
        yield f"  base {same if words[0] == words[1] else ' to '.join(words)}"


def base_words(image: WeighedImage) -> str:
    """What it stands on, "" where that is not known."""
    base = image.base
    if base is None:
        return ""
    if base.relation == "relative":
        return f"a relative of {base.reference}"
    return base.reference


def _on_disk(images: ImageComparison, screen: Screen) -> str:
    sizes = [_disk_size(image, screen) for image in (images.before, images.after)]
    grown = images.grown_uncompressed_bytes
    words = f"{sizes[0]} to {sizes[1]}"
    return words if grown is None else f"{words}, {signed(grown, iec=screen.iec)}"


def _disk_size(image: WeighedImage, screen: Screen) -> str:
    size = image.uncompressed
    if size.uncompressed_bytes is None:
        return UNKNOWN
    about = "~" if size.confidence == "estimate" else ""
    return about + format_bytes(size.uncompressed_bytes, iec=screen.iec)


def _rows(
    images: ImageComparison, unit: ColumnUnit, *, wants_all: bool, only_changed: bool
) -> Iterator[_LineRow]:
    folded: list[ComparedLine] = []
    same: list[ComparedLine] = []
    base = [line for line in images.lines if images.is_of_base(line)]
    if base and not wants_all:
        layers = plural(images.base_layers, "layer")
        text = f"FROM {base_words(images.after)} ({layers}, --all)"
        yield _folded_row(base, text, unit)
    for line in images.lines:
        if not line.has_layer and not wants_all:
            folded.append(line)
        elif images.is_of_base(line) and not wants_all:
            continue
        elif only_changed and line.change == "same":
            same.append(line)
        else:
            yield _row(line, unit)
    if same:
        yield _folded_row(same, f"{plural(len(same), 'line')}, the same in both", unit)
    if folded:
        words = f"{plural(len(folded), 'line')} without a layer"
        differ = sum(line.change != "same" for line in folded)
        if differ:
            words += f", {differ:,} of them differ{'s' if differ == 1 else ''}"
        yield _folded_row(folded, f"{words} (--all)", unit)


def _folded_row(lines: Sequence[ComparedLine], text: str, unit: ColumnUnit) -> _LineRow:
    is_same = all(line.change == "same" for line in lines)
    was = sum(pulled_by(line.before) or 0 for line in lines)
    now = sum(pulled_by(line.after) or 0 for line in lines)
    return _LineRow(
        "same" if is_same else None,
        unit.cell(was),
        unit.cell(now),
        _grown_cell(now - was, unit),
        text,
    )


def _row(line: ComparedLine, unit: ColumnUnit) -> _LineRow:
    return _LineRow(
        line.change,
        _cell(line.before, unit),
        _cell(line.after, unit),
        _grown_cell(line.grown_bytes, unit),
        line.instruction,
    )


def _total(images: ImageComparison, unit: ColumnUnit) -> _LineRow:
    return _LineRow(
        None,
        unit.cell(images.before.compressed_bytes),
        unit.cell(images.after.compressed_bytes),
        _grown_cell(images.grown_bytes, unit),
        "in all",
    )


def _cell(line: WeighedLine | None, unit: ColumnUnit) -> str:
    return _NONE if line is None else unit.cell(line.compressed_bytes)


def _grown_cell(grown: int | None, unit: ColumnUnit) -> str:
    if grown is None:
        return UNKNOWN
    if grown == 0:
        return UNCHANGED
    return f"{'+' if grown > 0 else MINUS}{unit.cell(abs(grown))}"


def _table(names: tuple[str, str], screen: Screen) -> Table[_LineRow]:
    def sign(row: _LineRow) -> str:
        return "" if row.change is None else _sign(row.change, screen)

    def grown(row: _LineRow) -> str:
        return row.grown.replace(UNCHANGED, "0") if screen.ascii else row.grown

    return Table(
        columns=[
            Column("", sign, rank=None),
            # As units: titles are written in capitals, which tags are not.
            Column("", lambda row: row.before, "number", rank=None, unit=names[0]),
            Column("", lambda row: row.after, "number", rank=None, unit=names[1]),
            Column("Change", grown, "number", rank=None),
            Column(
                "Line",
                lambda row: short_instruction(printable(row.text), screen.ellipsis),
                "line",
            ),
        ],
        role=lambda row: None if row.change is None else SIGNS[row.change][3],
    )


def _sign(change: Change, screen: Screen) -> str:
    sign, in_ascii, *_ = SIGNS[change]
    return in_ascii if screen.ascii else sign


def _signs(images: ImageComparison, screen: Screen) -> str:
    """What the signs of this table mean."""
    there = {line.change for line in images.lines}
    return "   ".join(
        f"{_sign(change, screen)} {words}"
        for change, (*_, words, _) in SIGNS.items()
        if change in there
    )


def _again_in_words(images: ImageComparison, unit: ColumnUnit, screen: Screen) -> str:
    again = images.pulled_again
    if again is None or again.because is None:
        return ""
    sign = _sign("rebuilt", screen)
    what = "was put" if again.because.change == "added" else "was changed"
    if again.because.change == "removed":
        what = "was removed"
    instruction = short_instruction(
        printable(again.because.instruction), screen.ellipsis
    )
    size = unit.cell(again.compressed_bytes)
    return (
        f"Lines marked {sign} are pulled again ({size} {unit.name}):"
        f" {screen.cut_to(instruction, 60)} {what} above them."
    )


def comparison_csv(comparison: Comparison) -> str:
    """Every line of every platform that is compared."""
    rows = (row for images in comparison.images for row in compared_line_rows(images))
    return csv_table(COMPARED_LINE_COLUMNS, rows)


def comparison_markdown(
    comparison: Comparison, screen: Screen, *, wants_all: bool = False
) -> str:
    """What fits into a comment on a pull request: what changed, and by which line."""
    names = names_of(comparison)
    return "\n\n".join(
        part
        for images in comparison.images
        for part in _markdown(comparison, images, names, screen, wants_all)
    )


def _markdown(
    comparison: Comparison,
    images: ImageComparison,
    names: tuple[str, str],
    screen: Screen,
    wants_all: bool,
) -> Iterator[str]:
    before, after = (
        code(printable(each.reference))
        for each in (comparison.before, comparison.after)
    )
    sizes = [
        format_bytes(image.compressed_bytes, iec=screen.iec)
        + whose_word(image, iec=screen.iec)
        for image in (images.before, images.after)
    ]
    platform = code(str(images.platform or images.after.platform))
    if images.is_same:
        yield f"{before} and {after} are the same image, {sizes[1]} ({platform})."
        return
    yield (
        f"{before} → {after}: **{signed(images.grown_bytes, iec=screen.iec)}"
        f" compressed** ({sizes[0]} → {sizes[1]}, {platform})"
    )
    unit = _unit(images, screen)
    rows = _rows(images, unit, wants_all=wants_all, only_changed=True)
    yield _table(names, screen).markdown([*rows, _total(images, unit)])
    moved = format_bytes(images.pull_bytes, iec=screen.iec)
    yield f"Pulling {after} where {before} is present moves {moved}."
