"""Running other programs, and saying which of them failed."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

USAGE: Final = 2
NO_DOWNLOAD: Final = 3


class Failed(Exception):
    """What could not be done; `code` is the exit code for it."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


def run(
    command: Sequence[str | Path],
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    code: int = 1,
) -> str:
    """What the program printed. Raises Failed with `code` if it failed."""
    done = subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise Failed(f"{command[0]} {command[1]} failed:\n{said}", code)
    return done.stdout
