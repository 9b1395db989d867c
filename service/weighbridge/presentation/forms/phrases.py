"""Words and figures that commands and pages share: so many of a thing, so long ago, one
unit for a whole column of bytes.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from weighbridge.domain.text.units import format_bytes

if TYPE_CHECKING:
    from weighbridge.domain.size.confidence import Uncompressed

NOTHING_CRAWLED: Final = (
    "nothing crawled yet: weighbridge crawl REGISTRY, such as "
    "weighbridge crawl 127.0.0.1:5000"
)


def plural(count: int, one: str, several: str = "") -> str:
    """`1 layer`, `2,061 tags`."""
    return f"{count:,} {one if count == 1 else several or f'{one}s'}"


def some_names(names: Sequence[str], most: int, count: int) -> str:
    """`a, b and 3 more`: at most so many of `count` names, of which these are known."""
    more = count - len(names[:most])
    shown = ", ".join(names[:most])
    return f"{shown} and {more:,} more" if more > 0 else shown


def minute(moment: datetime | None) -> str:
    """`2026-12-31 12:00`, of a time in UTC; "" for none."""
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M}"


def ago(moment: datetime | None, now: datetime) -> str:
    """`4 min ago`; "" for none."""
    return "" if moment is None else f"{_span((now - moment).total_seconds())} ago"


def ahead(moment: datetime | None, now: datetime) -> str:
    """`in 4 min`, or `now`; "" for none."""
    if moment is None:
        return ""
    return "now" if moment <= now else f"in {_span((moment - now).total_seconds())}"


def _span(seconds: float) -> str:
    whole = max(int(seconds), 0)
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if whole >= length:
            return f"{whole // length} {unit}"
    return f"{whole} s"


UNKNOWN: Final = "unknown"
MINUS: Final = "\N{MINUS SIGN}"
UNCHANGED: Final = "±0"


def signed(n: int, *, iec: bool = False) -> str:
    """`+612 MB`, `±0`: with a sign, always."""
    if not n:
        return UNCHANGED
    return f"{'+' if n > 0 else MINUS}{format_bytes(abs(n), iec=iec)}"


class ColumnUnit(Struct, frozen=True):
    """The unit that the head of a column names."""

    name: str
    unit_bytes: int

    def cell(self, n: int | None) -> str:
        """One decimal; `<0.1` for less, `0.0` only for nothing."""
        if n is None:
            return UNKNOWN
        if self.unit_bytes == 1:
            return str(n)
        tenths = (20 * n + self.unit_bytes) // (2 * self.unit_bytes)
        if n and not tenths:
            return "<0.1"
        return f"{tenths // 10}.{tenths % 10}"

    def uncompressed_cell(self, size: "Uncompressed | None") -> str:
        """The same, with `~` where it is an estimate."""
        if size is None:
            return UNKNOWN
        cell = self.cell(size.uncompressed_bytes)
        return f"~{cell}" if size.confidence == "estimate" else cell


def column_unit(largest: int, *, iec: bool = False) -> ColumnUnit:
    """Megabytes, as people compare images in them; less where the largest number
    of the column has not even one."""
    step, names = (1024, ("KiB", "MiB")) if iec else (1000, ("kB", "MB"))
    if largest >= step**2:
        return ColumnUnit(names[1], step**2)
    if largest >= step:
        return ColumnUnit(names[0], step)
    return ColumnUnit("B", 1)
