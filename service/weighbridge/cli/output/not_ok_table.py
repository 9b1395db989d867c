"""Repositories that a crawl did not see whole: a row each, worst first."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from weighbridge.domain.text.printable import printable
from weighbridge.domain.text.units import format_duration
from weighbridge.presentation.forms.screen import Screen, aligned
from weighbridge.store.registries.repository_rows import Troubled

SHOWN: Final = 20
_HEADS: Final = ("state", "why", "last full crawl", "repository")


def not_ok_rows(
    troubled: Sequence[Troubled], now: datetime
) -> list[tuple[str, str, str, str]]:
    """State, reason, age and name of the worst ones."""
    return [
        (
            item.state,
            _reason(item),
            _age(item.last_complete_crawl_at, now),
            printable(item.repository),
        )
        for item in troubled[:SHOWN]
    ]


def not_ok_lines(
    troubled: Sequence[Troubled], screen: Screen, now: datetime
) -> list[str]:
    """The same as lines below their registry's; none where all is well."""
    if not troubled:
        return []
    table = [_HEADS, *not_ok_rows(troubled, now)]
    return [*aligned(table, screen, margin=2), *more_line(troubled)]


def more_line(troubled: Sequence[Troubled]) -> list[str]:
    """How many more there are, if there are."""
    more = len(troubled) - SHOWN
    return [f"  and {more:,} more (-o json lists them)"] if more > 0 else []


def _reason(item: Troubled) -> str:
    reason = printable(item.reason)
    return "" if reason == item.state else reason


def _age(last: datetime | None, now: datetime) -> str:
    if last is None:
        return "never"
    return f"{format_duration(max(0.0, (now - last).total_seconds()))} ago"
