"""A weighing as a person reads it: headlines, lines with bars, the cause in words."""

from weighbridge.cli.bars import bar
from weighbridge.cli.gist import gist
from weighbridge.cli.lines import LineRow, find_heaviest, line_rows
from weighbridge.cli.screen import Role, Screen
from weighbridge.cli.units import UNKNOWN, ColumnUnit, column_unit
from weighbridge.cli.words import (
    artifact_words,
    other_platforms,
    plural,
    reason_words,
    what_it_does,
    why_unknown,
)
from weighbridge.domain.digest import short
from weighbridge.domain.measure import Uncompressed
from weighbridge.domain.printable import printable
from weighbridge.domain.units import format_bytes, format_duration, format_percent
from weighbridge.domain.weighing import WeighedImage, Weighing

_COMPRESSED = 10
_ON_DISK = 8
_PERCENT = 4
_BARS = ((100, 16), (72, 8))
"""From so many columns on, so long is the longest bar; below there is none."""


def render_inspect(
    weighing: Weighing, screen: Screen, *, wants_all: bool = False
) -> str:
    """Everything that `inspect` prints, without the last line break."""
    if not weighing.images:
        blocks = [_no_image(weighing, screen)]
    else:
        blocks = [
            _image(weighing, image, screen, wants_all=wants_all)
            for image in weighing.images
        ]
    return "\n\n".join(
        [*blocks[:-1], "\n".join([blocks[-1], *_foot(weighing, screen)])]
    )


def _no_image(weighing: Weighing, screen: Screen) -> str:
    name = printable(weighing.reference)
    if weighing.kind == "artifact" and weighing.others:
        itself = weighing.others[0]
        stored = itself.stored_bytes
        size = "" if stored is None else f": {_bytes(stored, screen)} stored"
        what = artifact_words(printable(itself.media_type), itself.role)
        return screen.wrapped(f"{name} is {what}, not an image{size}")
    if weighing.kind == "unweighable":
        media_type = printable(weighing.media_type)
        return screen.wrapped(
            f"{name} cannot be weighed: a manifest of type {media_type} holds no sizes"
        )
    return screen.wrapped(f"{name} is an index without any image")


def _image(
    weighing: Weighing, image: WeighedImage, screen: Screen, *, wants_all: bool
) -> str:
    rows = line_rows(image, wants_all=wants_all)
    parts = [*_headlines(weighing, image, screen), ""]
    if rows:
        parts += [*_table(image, rows, screen), ""]
    if sentence := _heaviest_in_words(image, rows):
        parts.append(screen.wrapped(sentence.replace("…", screen.ellipsis)))
    return "\n".join(parts).rstrip("\n")


def _headlines(weighing: Weighing, image: WeighedImage, screen: Screen) -> list[str]:
    built = image.created_at
    return [
        screen.joined(
            [
                printable(weighing.reference),
                printable(str(image.platform)),
                short(image.digest),
                f"built {built:%Y-%m-%d}" if built else "",
            ]
        ),
        screen.joined(
            [
                f"{_bytes(image.compressed_bytes, screen)} compressed",
                _on_disk(image, screen),
                plural(len(image.layers), "layer"),
                plural(len(image.lines), "line") if image.lines else "no history",
            ]
        ),
    ]


def _on_disk(image: WeighedImage, screen: Screen) -> str:
    size = image.uncompressed
    if size.uncompressed_bytes is None:
        why = why_unknown(image)
        return f"on disk {UNKNOWN}: {why}" if why else f"on disk {UNKNOWN}"
    amount = _bytes(size.uncompressed_bytes, screen)
    if size.confidence != "estimate":
        return f"{amount} on disk ({size.confidence})"
    return f"~{amount} on disk (estimate{_range(size, screen)})"


def _range(size: Uncompressed, screen: Screen) -> str:
    if size.low_bytes is None or size.high_bytes is None:
        return ""
    low, high = _bytes(size.low_bytes, screen), _bytes(size.high_bytes, screen)
    return f", {low} to {high}"


def _table(image: WeighedImage, rows: list[LineRow], screen: Screen) -> list[str]:
    compressed = column_unit(image.compressed_bytes, iec=screen.iec)
    on_disk = column_unit(_known_bytes(image), iec=screen.iec)
    cells = _bar_cells(screen)
    bars = " " * (cells + 2) if cells else ""
    rule = screen.rule
    return [
        f"    {'COMPRESSED':>{_COMPRESSED}}  {'ON DISK':>{_ON_DISK}}",
        f"    {compressed.name:>{_COMPRESSED}}  {on_disk.name:>{_ON_DISK}}"
        f"  {'%':>{_PERCENT}}  {bars}DOCKERFILE LINE",
        *(_row(image, row, screen, compressed, on_disk, cells) for row in rows),
        f"    {rule * _COMPRESSED}  {rule * _ON_DISK}",
        _totals(image, rows, screen, compressed, on_disk),
    ]


def _row(
    image: WeighedImage,
    row: LineRow,
    screen: Screen,
    compressed: ColumnUnit,
    on_disk: ColumnUnit,
    cells: int,
) -> str:
    marks: dict[str, tuple[str, Role | None]] = {
        "own": ("o", "own"),
        "heaviest": (screen.heaviest, "heaviest"),
        "none": (screen.no_layer, None),
    }
    mark, role = marks[row.mark]
    weight = row.compressed_bytes
    share = "" if weight is None else _percent(weight, image)
    sizes = (
        f"{compressed.cell(weight):>{_COMPRESSED}}"
        f"  {on_disk.uncompressed_cell(row.uncompressed):>{_ON_DISK}}"
        f"  {share:>{_PERCENT}}  "
    )
    drawn = ""
    if cells:
        scale = max(layer.compressed_bytes for layer in image.layers)
        drawn = bar(weight or 0, scale, cells, ascii=screen.ascii).ljust(cells) + "  "
    text = _fitted(printable(row.text), 4 + len(sizes) + len(drawn), screen)
    painted = f" {screen.painted(mark, role)}  {sizes}{screen.painted(drawn, role)}"
    return f"{painted}{text}".rstrip()


def _bar_cells(screen: Screen) -> int:
    if screen.width is None:
        return _BARS[0][1]
    return next((cells for least, cells in _BARS if screen.width >= least), 0)


def _fitted(text: str, used: int, screen: Screen) -> str:
    """The whole line where there is room for it, else its gist."""
    if screen.cut(text, used) == text:
        return text
    return screen.cut(gist(text, screen.ellipsis), used)


def _totals(
    image: WeighedImage,
    rows: list[LineRow],
    screen: Screen,
    compressed: ColumnUnit,
    on_disk: ColumnUnit,
) -> str:
    text = (
        f"    {compressed.cell(image.compressed_bytes):>{_COMPRESSED}}"
        f"  {on_disk.uncompressed_cell(image.uncompressed):>{_ON_DISK}}"
    )
    known = _known_bytes(image)
    if image.uncompressed.uncompressed_bytes is None and known:
        text += f"   at least {on_disk.cell(known)} {on_disk.name} on disk"
    if sum(row.compressed_bytes or 0 for row in rows) != image.compressed_bytes:
        text += "   a layer that occurs twice is pulled once"
    return text


def _known_bytes(image: WeighedImage) -> int:
    """What the image has on disk at the least: its total, or the known layers."""
    if image.uncompressed.uncompressed_bytes is not None:
        return image.uncompressed.uncompressed_bytes
    return sum(
        layer.uncompressed.low_bytes or 0 if layer.uncompressed else 0
        for layer in image.layers
    )


def _heaviest_in_words(image: WeighedImage, rows: list[LineRow]) -> str:
    found = find_heaviest(rows)
    if found is None or len(image.layers) < 2:
        return ""
    number, row = found
    share = _percent(row.compressed_bytes or 0, image)
    what = what_it_does(printable(row.text))
    if row.text.startswith("(layer "):
        return f"Row {number} is {share} % of it; no line says what made it."
    return f"Line {number} is {share} % of it: {what}."


def _foot(weighing: Weighing, screen: Screen) -> list[str]:
    lines: list[str] = []
    shown = [image.platform for image in weighing.images]
    if weighing.images and (others := other_platforms(weighing.platforms, shown)):
        names = ", ".join(printable(name) for name in others)
        lines.append(f"Other platforms: {names} (--platform, --all-platforms)")
    if weighing.kind == "index" and weighing.others:
        lines.append(f"Beside the images: {_others(weighing, screen)}")
    if (cost := weighing.cost) is not None:
        lines.append(
            f"{plural(cost.requests, 'request')}, "
            f"{_bytes(cost.bytes_read, screen)} read, {format_duration(cost.seconds)}"
        )
    return [screen.wrapped(line) for line in lines]


def _others(weighing: Weighing, screen: Screen) -> str:
    counts: dict[str, int] = {}
    for other in weighing.others:
        counts[other.role] = counts.get(other.role, 0) + 1
    listed = ", ".join(plural(count, role) for role, count in counts.items())
    stored = sum(other.stored_bytes or 0 for other in weighing.others)
    if not stored:
        return listed
    known = sum(other.stored_bytes is not None for other in weighing.others)
    of = "" if known == len(weighing.others) else f" ({known} of them read)"
    return f"{listed}, {_bytes(stored, screen)} stored{of}"


def warnings_of(weighing: Weighing) -> list[str]:
    """What is missing or odd, one printable sentence each; for stderr."""
    problems = [
        f"{image.platform}: {problem.message}"
        for image in weighing.images
        for problem in image.problems
    ]
    doubts = [
        f"{image.platform}: layer {index} {reason_words(layer.uncompressed.reason)}"
        for image in weighing.images
        for index, layer in enumerate(image.layers, start=1)
        if layer.uncompressed is not None
        and layer.uncompressed.confidence == "estimate"
        and layer.uncompressed.reason
    ]
    texts = dict.fromkeys([*weighing.warnings, *problems, *doubts])
    return [printable(text) for text in texts]


def _percent(part: int, image: WeighedImage) -> str:
    return format_percent(part, image.compressed_bytes)


def _bytes(n: int, screen: Screen) -> str:
    return format_bytes(n, iec=screen.iec)
