"""How busy the cores of this machine were, whoever used them."""

from pathlib import Path
from typing import Final

_STAT: Final = Path("/proc/stat")
_IDLE: Final = slice(3, 5)
"""Idle, and idle while it waits for a disk (man 5 proc)."""


class Cores:
    """Counts from when it is made."""

    def __init__(self) -> None:
        self._began = _ticks()

    @property
    def busy(self) -> float:
        """The part of all time that was used until now: 0 to 1."""
        spent = [now - then for now, then in zip(_ticks(), self._began, strict=True)]
        return 1.0 - sum(spent[_IDLE]) / max(1, sum(spent))


def _ticks() -> list[int]:
    first = _STAT.read_text(encoding="ascii").partition("\n")[0]
    return [int(word) for word in first.split()[1:]]
