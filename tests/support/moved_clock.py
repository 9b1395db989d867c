"""A wall clock that a test sets for one process and those that it starts: by faketime,
which a process reads its time through."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class MovedClock:
    """The clock of processes that were started with its `environment`.

    place: a file of its own
    """

    place: Path

    def __post_init__(self) -> None:
        self.move(0)

    def move(self, seconds: int) -> None:
        """So far ahead of this machine's clock, or behind it, within a second."""
        new = self.place.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.replace(self.place)

    @property
    def environment(self) -> Mapping[str, str]:
        """Time that a process measures, rather than reads, is left as it is."""
        return {
            "LD_PRELOAD": _library(),
            "FAKETIME_TIMESTAMP_FILE": str(self.place),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DISABLE_SHM": "1",  # which would outlive a killed process
            "FAKETIME_DONT_RESET": "1",
        }


def _library() -> str:
    """Where faketime is installed: it tells its own child."""
    printed = subprocess.run(
        ["faketime", "-m", "-f", "+0", "printenv", "LD_PRELOAD"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return printed.strip()
