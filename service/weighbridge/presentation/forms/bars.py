"""Bars of a row: eighths of a block, or `#`."""

from typing import Final

_EIGHTHS: Final = " ▏▎▍▌▋▊▉"
_FULL: Final = "█"


def bar(part: int, whole: int, cells: int, *, ascii: bool = False) -> str:
    """`part` of `whole` on a scale of so many cells; something is never nothing."""
    if part <= 0 or whole <= 0:
        return ""
    part = min(part, whole)
    if ascii:
        return "#" * max(1, (2 * part * cells + whole) // (2 * whole))
    eighths = max(1, (2 * part * cells * 8 + whole) // (2 * whole))
    full, rest = divmod(eighths, 8)
    return _FULL * full + (_EIGHTHS[rest] if rest else "")
