"""What `weighbridge db verify`, `recount` and `forget` print."""

from collections.abc import Mapping, Sequence
from typing import Final

from weighbridge.bootstrap.commands.upkeep import Recounted, Verified
from weighbridge.domain.text.printable import printable
from weighbridge.presentation.forms.phrases import plural
from weighbridge.presentation.forms.screen import Output, Screen
from weighbridge.presentation.forms.table import Column, Table
from weighbridge.presentation.rows.row_fields import keys_of
from weighbridge.store.maintenance.checking.differences import Difference
from weighbridge.store.maintenance.forgetting import Forgettable

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
    beside: Mapping[str, object],
    said: str,
    output: Output,
    screen: Screen,
) -> str:
    if output == "markdown":
        table = _TABLE.markdown(differences) if differences else ""
        return "\n\n".join(filter(None, (table, said)))
    more = f"and {count - _SHOWN:,} more (-o csv lists them)" if count > _SHOWN else ""
    shown = differences[:_SHOWN] if output == "table" else differences
    foot = [more, *said.split("\n")]
    return _TABLE.printed(shown, output, screen, foot=foot, beside=beside)


def _text(value: object) -> str:
    return "none" if value is None else str(value)


_TABLE: Final[Table[Difference]] = Table(
    columns=(
        Column("table", lambda found: found.table, rank=1),
        Column("where", lambda found: found.where, "name"),
        Column("what", lambda found: found.what, rank=2),
        Column("stored", lambda found: _text(found.stored), rank=3),
        Column("recounted", lambda found: _text(found.recounted), rank=3),
    ),
    keys=keys_of(Difference),
)
