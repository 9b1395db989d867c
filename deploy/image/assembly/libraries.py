"""Shared libraries: those that something in the image loads, without debug symbols."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from assembly.running import Failed, run

_NEEDED: Final = re.compile(r"\(NEEDED\).*\[(.+)\]")
_LOADER: Final = "ld-linux"


def keep_needed(root: Path, programs: list[Path]) -> None:
    """Remove the libraries of Debian that none of `programs` loads, directly or not.

    programs: files and folders in which everything stays
    Raises Failed if something is loaded that is not there.
    """
    system = {p.name: p for p in _files(root / "usr/lib") if _is_system(p)}
    own = {p.name for top in programs for p in _files(top) if ".so" in p.name}
    waiting = [p for top in programs for p in _files(top) if _is_elf(p)]
    needed: set[str] = set()
    while waiting:
        for name in _needed_by(waiting.pop()) - own - needed:
            needed.add(name)
            if name in system:
                waiting.append(system[name].resolve())
            elif not name.startswith(_LOADER):
                raise Failed(f"nothing in packages.txt brings {name}")
    kept = {system[name].resolve() for name in needed & system.keys()}
    for name, path in system.items():
        if name not in needed and path not in kept and _LOADER not in name:
            path.unlink()


def strip_symbols(folders: list[Path]) -> None:
    """Take from extension modules what only a debugger reads."""
    for path in sorted(p for top in folders for p in _files(top) if _is_elf(p)):
        # What patchelf has rewritten (PACKAGE.libs) does not survive it.
        if not path.parent.name.endswith(".libs"):
            run(["strip", "--strip-unneeded", path])


def _files(top: Path) -> Iterator[Path]:
    if top.is_file():
        yield top
    for folder, _, files in os.walk(top):
        yield from (Path(folder, name) for name in files)


def _is_system(path: Path) -> bool:
    """Whether it is a library that lies directly in usr/lib/TRIPLET."""
    return ".so" in path.name and path.parent.name.endswith("-linux-gnu")


def _is_elf(path: Path) -> bool:
    if path.is_symlink():
        return False
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def _needed_by(path: Path) -> set[str]:
    return set(_NEEDED.findall(run(["readelf", "--dynamic", "--wide", path])))
