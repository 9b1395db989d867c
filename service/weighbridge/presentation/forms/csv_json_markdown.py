"""Rows for other programs: CSV, JSON and Markdown."""

import codecs
import csv
import io
import json
import re
import sys
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Final

from weighbridge.domain.text.units import LARGEST

# As many digits as the largest number of 64 bits has: most answers have none.
_MANY_DIGITS: Final = re.compile(rb"[0-9]{19}")
_FORMULA: Final = (
    *("=", "+", "-", "@", "\t", "\r", "\n"),
    # Full-width: a spreadsheet in an East Asian locale reads them as the others.
    *("\uff1d", "\uff0b", "\uff0d", "\uff20"),
)


def csv_cell(value: object) -> object:
    """Unknown is empty, `true` and `false` are spelt as in JSON, and a text that begins
    like a formula gets an apostrophe before it (OWASP, "CSV Injection")."""
    if value is None:
        return ""
    if isinstance(value, list):
        value = " ".join(map(str, value))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value


SATURATED: Final = "saturated"
"""The key that names the numbers beside it that are larger than what is written."""


def saturated(value: object) -> object:
    """The same with every integer within 64 bits: most readers of JSON have no larger
    ones, and fail or take another number. A registry's claims may sum up to more.

    An object that held such a number gets the key `saturated`, a list of its names.
    """
    if isinstance(value, Mapping):
        found: dict[object, object] = {key: saturated(v) for key, v in value.items()}
        if over := [key for key, v in value.items() if _is_over(v)]:
            found[SATURATED] = over
        return found
    if isinstance(value, list | tuple):
        return [saturated(item) for item in value]
    if isinstance(value, int) and _is_over(value):
        return LARGEST if value > 0 else -LARGEST
    return value


def _is_over(value: object) -> bool:
    return isinstance(value, int) and abs(value) > LARGEST


def json_text(value: object) -> str:
    """Indented. Every text stays readable where stdout is UTF-8, as JSON is (RFC 8259
    8.1); anywhere else what is not ASCII is escaped."""
    is_ascii = not _is_utf8(sys.stdout.encoding)
    return json.dumps(saturated(value), indent=2, ensure_ascii=is_ascii)


def json_bytes(value: object) -> bytes:
    """The same in one line of ASCII, so that no text in it can break the encoding."""
    body = _compact(value)
    return _compact(saturated(value)) if _MANY_DIGITS.search(body) else body


def _compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")


def _is_utf8(encoding: str | None) -> bool:
    try:
        return codecs.lookup(encoding or "ascii").name in ("utf-8", "utf-8-sig")
    except LookupError:
        return False


_BACKTICKS: Final = re.compile("`+")
_PIPE: Final = re.compile(r"(?<=(\\))\||\|")


def csv_table(
    columns: Sequence[str],
    rows: Iterable[Mapping[str, object]],
    line_end: str = "\n",
) -> str:
    """Rows under their keys, each a `csv_cell`, without the last line end. RFC 4180
    wants other line ends than those of Unix."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator=line_end)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([csv_cell(row.get(column)) for column in columns])
    return file.getvalue().removesuffix(line_end)


def markdown_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numeric: Container[int] = (),
) -> str:
    """A table of GitHub Flavored Markdown. Cells are Markdown already; columns with
    these numbers, from 0 on, are aligned to the right."""
    rules = ["---:" if i in numeric else "---" for i in range(len(columns))]
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
