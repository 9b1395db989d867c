"""A weighing as a person reads it: headlines, lines with bars, the cause in words; and
for other programs as JSON, CSV and Markdown.
"""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from weighbridge.domain.image.digest import short
from weighbridge.domain.report.lighter import (
    Lighter,
    by_lines_alone,
    weighing_json,
)
from weighbridge.domain.size.weighing import WeighedImage, Weighing
from weighbridge.domain.text.printable import printable
from weighbridge.domain.text.units import format_bytes, format_duration, format_percent
from weighbridge.presentation.forms.csv_json_markdown import (
    code,
    csv_table,
    json_text,
    markdown_table,
)
from weighbridge.presentation.forms.phrases import (
    UNKNOWN,
    ColumnUnit,
    column_unit,
    plural,
)
from weighbridge.presentation.forms.screen import Role, Screen, bar
from weighbridge.presentation.image.image_words import (
    artifact_words,
    base_words,
    bounds_in_words,
    least_bytes,
    other_platforms,
    reason_words,
    what_it_does,
    whose_word,
    why_unknown,
)
from weighbridge.presentation.image.lighter_text import (
    lighter_markdown,
    lighter_text,
)
from weighbridge.presentation.image.line_table import (
    LineTableRow,
    find_heaviest,
    fitted,
    line_rows,
    lines_known,
)
from weighbridge.presentation.rows.report_rows import LINE_COLUMNS, stand_in
from weighbridge.presentation.rows.report_rows import line_rows as api_line_rows

_COMPRESSED = 10
_ON_DISK = 8
_PERCENT = 5
_PASSED_OVER = ("image that is not pulled", "images that are not pulled")
_BARS = ((100, 16), (72, 8))
"""From so many columns on, so long is the longest bar; below there is none."""


def render_inspect(
    weighing: Weighing,
    screen: Screen,
    *,
    wants_all: bool = False,
    lighter: Sequence[Lighter] | None = None,
) -> str:
    """Everything that `inspect` prints, without the last line break.

    lighter: what would make each image lighter, where more is known than their lines
    """
    if not weighing.images:
        blocks = [_no_image(weighing, screen)]
    else:
        blocks = [
            _image(weighing, image, each, screen, wants_all=wants_all)
            for image, each in _with_lighter(weighing, lighter)
        ]
    return "\n\n".join(
        [*blocks[:-1], "\n".join([blocks[-1], *_foot(weighing, screen)])]
    )


def _with_lighter(
    weighing: Weighing, lighter: Sequence[Lighter] | None
) -> Iterator[tuple[WeighedImage, Lighter]]:
    found = by_lines_alone(weighing) if lighter is None else lighter
    return zip(weighing.images, found, strict=True)


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
    weighing: Weighing,
    image: WeighedImage,
    lighter: Lighter,
    screen: Screen,
    *,
    wants_all: bool,
) -> str:
    rows = line_rows(image, wants_all=wants_all)
    parts = [*_headlines(weighing, image, screen), ""]
    if rows:
        parts += [*_table(image, rows, screen), ""]
    if sentence := _heaviest_in_words(image, rows):
        parts.append(screen.wrapped(sentence.replace("…", screen.ellipsis)))
    if advice := lighter_text(lighter, screen):
        parts += ["", advice, ""]
    return "\n".join(parts).rstrip("\n")


def _headlines(weighing: Weighing, image: WeighedImage, screen: Screen) -> list[str]:
    built, lines = image.created_at, lines_known(image)
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
                f"{_bytes(image.compressed_bytes, screen)} compressed"
                f"{whose_word(image, iec=screen.iec)}",
                _on_disk(image, screen),
                plural(len(image.layers), "layer"),
                plural(lines, "line") if lines else "no history",
            ]
        ),
        *([base] if (base := base_words(image, iec=screen.iec)) else []),
    ]


def _on_disk(image: WeighedImage, screen: Screen) -> str:
    size = image.uncompressed
    if size.uncompressed_bytes is None:
        why = why_unknown(image)
        return f"on disk {UNKNOWN}: {why}" if why else f"on disk {UNKNOWN}"
    amount = _bytes(size.uncompressed_bytes, screen)
    if size.confidence != "estimate":
        return f"{amount} on disk ({size.confidence})"
    bounds = bounds_in_words(size, image.compressed_bytes, iec=screen.iec)
    return f"~{amount} on disk ({', '.join(filter(None, ('estimate', bounds)))})"


class _Columns(Struct, frozen=True):
    """The units and widths of one table. `numbers` is 0 where no line has one."""

    compressed: ColumnUnit
    on_disk: ColumnUnit
    bars: int
    numbers: int

    def cells(self, compressed: str, percent: str, on_disk: str) -> str:
        """The columns of numbers, without the space before them."""
        return (
            f"{compressed:>{_COMPRESSED}} {percent:>{_PERCENT}}  {on_disk:>{_ON_DISK}}"
        )

    def before_text(self, drawn: str, number: str) -> str:
        """Bar and number of a line, as wide as in every other row."""
        bars = f"  {drawn:{self.bars}}" if self.bars else ""
        numbers = f"  {number:>{self.numbers}}" if self.numbers else ""
        return f"{bars}{numbers}  "


def _table(image: WeighedImage, rows: list[LineTableRow], screen: Screen) -> list[str]:
    columns = _Columns(
        compressed=column_unit(image.compressed_bytes, iec=screen.iec),
        on_disk=column_unit(least_bytes(image), iec=screen.iec),
        bars=_bar_cells(screen),
        numbers=len(str(max((row.number or 0 for row in rows), default=0) or "")),
    )
    units = columns.cells(columns.compressed.name, "%", columns.on_disk.name)
    rule = screen.rule
    rules = columns.cells(rule * _COMPRESSED, "", rule * _ON_DISK)
    return [
        f"    {columns.cells('COMPRESSED', '', 'ON DISK')}",
        f"    {units}{columns.before_text('', '#')}DOCKERFILE LINE",
        *(_row(image, row, screen, columns) for row in rows),
        f"    {rules}",
        _totals(image, rows, columns),
    ]


def _row(
    image: WeighedImage, row: LineTableRow, screen: Screen, columns: _Columns
) -> str:
    marks: dict[str, tuple[str, Role | None]] = {
        "own": ("o", "own"),
        "heaviest": (screen.heaviest, "heaviest"),
        "none": (screen.no_layer, None),
        "unknown": ("?", None),
    }
    mark, role = marks[row.mark]
    weight = row.compressed_bytes
    sizes = columns.cells(
        columns.compressed.cell(weight),
        "" if weight is None else _percent(weight, image),
        columns.on_disk.uncompressed_cell(row.uncompressed),
    )
    scale = max((layer.compressed_bytes for layer in image.layers), default=0)
    drawn = bar(weight or 0, scale, columns.bars, ascii=screen.ascii)
    before = columns.before_text(drawn, str(row.number or ""))
    text = fitted(printable(row.text), 4 + len(sizes) + len(before), screen)
    if drawn:
        before = before.replace(drawn, screen.painted(drawn, role), 1)
    return f" {screen.painted(mark, role)}  {sizes}{before}{text}".rstrip()


def _bar_cells(screen: Screen) -> int:
    if screen.width is None:
        return _BARS[0][1]
    return next((cells for least, cells in _BARS if screen.width >= least), 0)


def _totals(image: WeighedImage, rows: list[LineTableRow], columns: _Columns) -> str:
    on_disk = columns.on_disk
    compressed = columns.compressed.cell(image.compressed_bytes)
    total = on_disk.uncompressed_cell(image.uncompressed)
    text = f"    {columns.cells(compressed, '', total)}"
    least = least_bytes(image)
    # What is known of some layers only says little below what all of them have packed.
    if (
        image.uncompressed.uncompressed_bytes is None
        and least >= image.compressed_bytes > 0
    ):
        text += f"   at least {on_disk.cell(least)} {on_disk.name} on disk"
    if sum(row.compressed_bytes or 0 for row in rows) != image.compressed_bytes:
        text += "   a layer that occurs twice is pulled once"
    return text


def _heaviest_in_words(image: WeighedImage, rows: list[LineTableRow]) -> str:
    row = find_heaviest(rows)
    if row is None or len(image.layers) < 2:
        return ""
    share = f"{_percent(row.compressed_bytes or 0, image)} % of the compressed bytes"
    if row.number is not None:
        return f"Line {row.number} is {share}: {what_it_does(printable(row.text))}."
    if stand_in(row.text) == "squashed":
        return f"Its largest layer is {share}; several lines made it."
    return f"Its largest layer is {share}; which line made it is not known."


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
    listed = ", ".join(
        plural(count, *_PASSED_OVER) if role == "image" else plural(count, role)
        for role, count in counts.items()
    )
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


def inspect_json(weighing: Weighing, lighter: Sequence[Lighter] | None = None) -> str:
    """The stable object of schema `weighbridge.inspect/1`."""
    found = by_lines_alone(weighing) if lighter is None else lighter
    return json_text(weighing_json(weighing, found))


def inspect_csv(weighing: Weighing) -> str:
    """Every line of every image shown, under the keys of the image page's CSV."""
    rows = (
        {"platform": str(image.platform), **row}
        for image in weighing.images
        for row in api_line_rows(image)
    )
    return csv_table(("platform", *LINE_COLUMNS), rows)


def inspect_markdown(
    weighing: Weighing,
    screen: Screen,
    *,
    wants_all: bool = False,
    lighter: Sequence[Lighter] | None = None,
) -> str:
    """What fits into a comment: headline and lines of every image shown, and what would
    make it lighter."""
    return "\n\n".join(
        block
        for image, each in _with_lighter(weighing, lighter)
        for block in (
            _image_markdown(weighing, image, screen, wants_all=wants_all),
            lighter_markdown(each, screen),
        )
        if block
    )


def _image_markdown(
    weighing: Weighing, image: WeighedImage, screen: Screen, *, wants_all: bool
) -> str:
    compressed = column_unit(image.compressed_bytes, iec=screen.iec)
    on_disk = column_unit(least_bytes(image), iec=screen.iec)
    rows = [
        (
            compressed.cell(row.compressed_bytes),
            ""
            if row.compressed_bytes is None
            else format_percent(row.compressed_bytes, image.compressed_bytes),
            on_disk.uncompressed_cell(row.uncompressed),
            str(row.number or ""),
            code(printable(row.text)),
        )
        for row in line_rows(image, wants_all=wants_all)
    ]
    base = base_words(image, iec=screen.iec)
    heads = (
        f"Compressed, {compressed.name}",
        "% of compressed",
        f"On disk, {on_disk.name}",
        "#",
        "Dockerfile line",
    )
    return (
        f"{code(printable(weighing.reference))} {code(str(image.platform))}: "
        f"**{format_bytes(image.compressed_bytes, iec=screen.iec)} compressed**"
        f"{whose_word(image, iec=screen.iec)}, "
        f"{_disk_size(image, screen)}{', ' + base if base else ''}\n\n"
        f"{markdown_table(heads, rows, numeric=range(4))}"
    )


def _disk_size(image: WeighedImage, screen: Screen) -> str:
    size = image.uncompressed
    if size.uncompressed_bytes is None:
        return f"on disk unknown: {why_unknown(image)}"
    about = "~" if size.confidence == "estimate" else ""
    amount = format_bytes(size.uncompressed_bytes, iec=screen.iec)
    return f"{about}{amount} on disk ({size.confidence})"
