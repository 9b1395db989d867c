"""Modules as bytecode in place of their sources.

A read-only container can keep no bytecode: from sources each start would compile for
seconds. Both together would be a third more to pull.
"""

import os
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from assembly.running import run


def compile_in_place(folders: list[Path], root: Path, kept: list[str]) -> None:
    """Compile all modules below `folders` and remove their sources.

    kept: patterns of sources that stay, because something reads them
    """
    names = (str(folder) for folder in folders)
    # The hash of a source that is gone is never compared; a time would differ from
    # one build to the next. Tracebacks name the paths that the image has.
    how = ["-b", "-f", "-q", "--invalidation-mode", "unchecked-hash"]
    paths = ["-s", str(root), "-p", "/"]
    run([sys.executable, "-m", "compileall", *how, *paths, *names])
    for source in _sources(folders):
        inside = str(source.relative_to(root))
        compiled = source.with_suffix(".pyc")
        if any(fnmatchcase(inside, pattern) for pattern in kept):
            compiled.unlink(missing_ok=True)
        elif compiled.exists():
            source.unlink()


def _sources(folders: list[Path]) -> Iterator[Path]:
    for top in folders:
        for folder, _, files in os.walk(top):
            yield from (Path(folder, name) for name in files if name.endswith(".py"))
