"""One unit for a whole column of bytes, and its cells."""

from typing import Final

from msgspec import Struct

from weighbridge.domain.size.confidence import Uncompressed

UNKNOWN: Final = "unknown"


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

    def uncompressed_cell(self, size: Uncompressed | None) -> str:
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
