"""What `weighbridge db verify`, `recount` and `forget` print."""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec.structs import asdict

from weighbridge.bootstrap.commands.upkeep import Recounted, Verified
from weighbridge.domain.text.printable import printable
from weighbridge.presentation.forms.screen import Output, Screen, aligned
from weighbridge.presentation.forms.tables import (
    code,
    csv_table,
    json_text,
    markdown_table,
)
from weighbridge.presentation.image.image_words import plural
from weighbridge.store.maintenance.checking.differences import Difference
from weighbridge.store.maintenance.forgetting import Forgettable

_COLUMNS: Final = ("table", "where", "what", "stored", "recounted")
_SHOWN: Final = 100
"""Rows of a table for people; other forms have all that were kept."""


def verified(found: Verified, output: Output, screen: Screen) -> str:
    """Every difference, or that there is none."""
    what = (
        f"{plural(found.registries, 'registry', 'registries')}, "
        f"{plural(found.repositories, 'repository', 'repositories')}, "
        f"{plural(found.tags, 'tag')}"
    )
    said = f"all totals are right: {what}"
    if found.count:
        verb = "differs" if found.count == 1 else "differ"
        said = (
            f"{plural(found.count, 'value')} of {what} {verb} from what the tags and "
            "facts say\ntry: weighbridge db recount"
        )
    extra: dict[str, object] = {
        "differences": found.count,
        "registries": found.registries,
        "repositories": found.repositories,
        "tags": found.tags,
    }
    return _printed(found.differences, found.count, extra, said, output, screen)


def recounted(done: Recounted, output: Output, screen: Screen) -> str:
    """What was put right."""
    names = ", ".join(map(printable, done.registries)) or "nothing"
    said = f"recounted {names}: " + (
        f"{plural(done.count, 'value')} corrected" if done.count else "all was right"
    )
    if done.unread:
        said += (
            f"\n{plural(done.unread, 'document')} lost a part and will be read again: "
            "weighbridge crawl"
        )
    extra: dict[str, object] = {
        "differences": done.count,
        "registries": list(done.registries),
        "unread": done.unread,
    }
    return _printed(done.differences, done.count, extra, said, output, screen)


def question(known: Forgettable) -> str:
    """What is asked before anything is forgotten."""
    return f"Forget {_what(known)}, with all history?"


def forgotten(known: Forgettable) -> str:
    """What was forgotten."""
    return f"removed: {_what(known)}"


def _what(known: Forgettable) -> str:
    counted = [plural(known.tags, "tag")]
    if known.repository is None:
        number = len(known.repositories)
        counted.insert(0, plural(number, "repository", "repositories"))
    return f"{printable(known.name)} ({', '.join(counted)})"


def _printed(
    differences: Sequence[Difference],
    count: int,
    extra: Mapping[str, object],
    said: str,
    output: Output,
    screen: Screen,
) -> str:
    rows = [asdict(difference) for difference in differences]
    if output == "json":
        return json_text({"items": rows, **extra})
    if output == "csv":
        return csv_table(_COLUMNS, rows)
    cells = [[_cell(row[column]) for column in _COLUMNS] for row in rows]
    if output == "markdown":
        marked = [[code(cell) for cell in row] for row in cells]
        table = markdown_table(_COLUMNS, marked) if rows else ""
        return "\n\n".join(part for part in (table, said) if part)
    lines = aligned([_COLUMNS, *cells[:_SHOWN]], screen) if rows else []
    if count > _SHOWN:
        lines.append(f"and {count - _SHOWN:,} more (-o csv lists them)")
    return "\n".join([*lines, said])


def _cell(value: object) -> str:
    return "none" if value is None else printable(str(value))
