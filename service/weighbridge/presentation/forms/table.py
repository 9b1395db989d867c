"""One kind of rows, declared once, and the four forms in which it is shown."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Final, Generic, Literal, TypeAlias, TypeVar

from msgspec import Struct

from weighbridge.domain.text.printable import printable
from weighbridge.presentation.forms.csv_json_markdown import (
    code,
    csv_table,
    json_text,
    markdown_table,
)
from weighbridge.presentation.forms.screen import Output, Role, Screen
from weighbridge.presentation.rows.report_rows import row_of

Row = TypeVar("Row")
Object: TypeAlias = Mapping[str, object]

Kind: TypeAlias = Literal["number", "words", "text", "name", "line"]
"""`number`: to the right; `words`: our own, where Markdown needs no code span; `text`:
anybody's; `name`: what tells rows apart; `line`: a text whose first words will do."""


class Column(Struct, Generic[Row], frozen=True):
    """One column of what people read.

    title:      its head, in capitals on a terminal; Markdown leaves out a column that
                has none
    cell:       what stands in a row; it is made printable here
    kind:       see `Kind`
    rank: columns that have least give way first where a terminal is narrow, of
                those that have as much the last one; None: it stays. A `name` and a
                `line` stay and are cut: the end of a name is kept, where names differ.
    unit:       the second line of its head
    instead:    what stands in its place before it gives way altogether
    """

    title: str
    cell: Callable[[Row], str]
    kind: Kind = "text"
    rank: int | None = 0
    unit: str = ""
    instead: "Column[Row] | None" = None
    role: Role | None = None

    @property
    def stays(self) -> bool:
        return self.rank is None or self.kind in ("name", "line")

    @property
    def heading(self) -> str:
        """Both lines of the head in one: `Compressed, MB`."""
        return ", ".join(filter(None, (self.title, self.unit)))


class Lines(Struct, frozen=True):
    """What a terminal shows: the lines of the head, and one a row.

    left_out: the titles of the columns that it has no room for
    """

    head: Sequence[str]
    rows: Sequence[str]
    left_out: Sequence[str]

    @property
    def note(self) -> str:
        """What to say below them, "" where all is there."""
        if not self.left_out:
            return ""
        return f"no room for {', '.join(self.left_out).lower()}: -o json has all"


def _nothing(row: object) -> None:
    return None


class Table(Struct, Generic[Row], frozen=True):
    """How rows of one kind are shown.

    columns: for people: text and Markdown
    keys:    for programs: the columns of CSV, which `as_object` has
    as_object: the row as JSON has it; else these keys of its value
    as_cells:  the same for CSV, where that is flat otherwise
    has_keys_in_markdown: Markdown has the columns of CSV
    role:    the colour of a row
    below:   what stands on a line of its own below a row
    empty:   what is said in place of a table without rows
    """

    columns: Sequence[Column[Row]] = ()
    keys: Sequence[str] = ()
    as_object: Callable[[Row], Object] | None = None
    as_cells: Callable[[Row], Object] | None = None
    has_keys_in_markdown: bool = False
    role: Callable[[Row], Role | None] = _nothing
    below: Callable[[Row], str | None] = _nothing
    empty: str = ""

    def printed(
        self,
        rows: Sequence[Row],
        output: Output,
        screen: Screen,
        *,
        foot: Sequence[str] = (),
        beside: Object | None = None,
    ) -> str:
        """foot: sentences below the table, for people on a terminal
        beside: further keys of the JSON object that has the rows as `items`
        """
        if output == "json":
            return json_text({"items": self.objects(rows), **(beside or {})})
        if output == "csv":
            return self.csv(rows)
        if output == "markdown":
            return self.markdown(rows)
        return self.text(rows, screen, foot)

    def objects(self, rows: Iterable[Row]) -> list[Object]:
        """The rows of JSON."""
        as_object = self.as_object or partial(row_of, self.keys)
        return [as_object(row) for row in rows]

    def csv(self, rows: Iterable[Row]) -> str:
        """A row a line under the keys."""
        if self.as_cells is not None:
            return csv_table(self.keys, map(self.as_cells, rows))
        return csv_table(self.keys, self.objects(rows))

    def markdown(self, rows: Sequence[Row]) -> str:
        """Numbers to the right; what a stranger may have written is a code span."""
        if self.has_keys_in_markdown:
            cells = (
                [code(_as_text(row[key])) for key in self.keys]
                for row in self.objects(rows)
            )
            return markdown_table(self.keys, cells)
        shown = [column for column in self.columns if column.heading]
        numeric = [i for i, column in enumerate(shown) if column.kind == "number"]
        heads = [column.heading for column in shown]
        found = [[_in_markdown(column, row) for column in shown] for row in rows]
        return markdown_table(heads, found, numeric=numeric)

    def text(
        self, rows: Sequence[Row], screen: Screen, foot: Sequence[str] = ()
    ) -> str:
        """What a terminal shows."""
        if not rows:
            return "\n".join(map(screen.wrapped, filter(None, (self.empty, *foot))))
        lines = self.lines(rows, screen)
        below = [
            screen.wrapped(printable(each)) for each in (*foot, lines.note) if each
        ]
        return "\n".join([*lines.head, *lines.rows, *([""] if below else []), *below])

    def lines(self, rows: Sequence[Row], screen: Screen, margin: int = 0) -> Lines:
        """The table alone. margin: spaces before each line"""
        # It takes a while to import, and only tables need it.
        from weighbridge.presentation.forms.text_table import Drawing

        drawn = Drawing(self.columns, rows, screen, margin)
        found = drawn.lines([self.role(row) for row in rows])
        heads = len(found) - len(rows)
        shown: list[str] = []
        for row, line in zip(rows, found[heads:], strict=True):
            shown.append(line)
            if below := self.below(row):
                shown.append(screen.cut(f"{' ' * margin}  {printable(below)}"))
        return Lines([*filter(None, found[:heads])], shown, drawn.left_out)


def _as_text(value: object) -> str:
    """A value of JSON in Markdown."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else printable(str(value))


_PLAIN: Final = ("number", "words")


def _in_markdown(column: Column[Row], row: Row) -> str:
    cell = printable(column.cell(row))
    return cell if column.kind in _PLAIN else code(cell)
