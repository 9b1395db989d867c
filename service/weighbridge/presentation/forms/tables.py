"""Tables for other programs: CSV and Markdown."""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from weighbridge.presentation.forms.csv_cell import csv_cell

_BACKTICKS: Final = re.compile("`+")
_PIPE: Final = re.compile(r"(?<=(\\))\||\|")


def csv_table(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    """Rows under their keys (RFC 4180, with the line ends of Unix), each a
    `csv_cell`."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([csv_cell(row.get(column)) for column in columns])
    return file.getvalue().rstrip("\n")


def markdown_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, numeric: int = 0
) -> str:
    """A table of GitHub Flavored Markdown. Cells are Markdown already; the first
    `numeric` columns are aligned to the right."""
    rules = ["---:" if i < numeric else "---" for i in range(len(columns))]
    return "\n".join(
        f"| {' | '.join(cells)} |" for cells in (columns, rules, *map(list, rows))
    )


def code(text: str) -> str:
    """A code span for a Markdown table: nothing in it is markup, nobody is
    mentioned. The pipe alone has to be escaped there (GFM 4.10); behind a backslash it
    gets a space, as readers of GFM disagree on what two backslashes before it mean."""
    return _PIPE.sub(lambda found: " \\|" if found[1] else "\\|", code_span(text))


def code_span(text: str) -> str:
    """The same for Markdown that is no table."""
    if not text:
        return ""
    longest = max(map(len, _BACKTICKS.findall(text)), default=0)
    fence = "`" * (longest + 1)
    space = " " if longest else ""
    return f"{fence}{space}{text}{space}{fence}"
