"""Our wheel, built from the tree, and the locked wheels that it needs."""

import os
import sys
import tomllib
from pathlib import Path
from typing import Final

from assembly.locked import closure, requirement_name
from assembly.running import NO_DOWNLOAD, run

_QUIET: Final = ("--quiet", "--disable-pip-version-check", "--no-input")
_LOCKED: Final = ("--require-hashes", "--only-binary", ":all:")


def install_wheels(
    tree: Path, target: Path, work: Path, cache: Path, *, embedded: bool
) -> None:
    """Install Weighbridge and what it needs into `target`, as pip does.

    embedded: without the extras: no Celery, no PostgreSQL
    """
    pip = _Pip(cache)
    lock = (tree / "requirements.lock").read_text()
    if embedded:
        project = tomllib.loads((tree / "pyproject.toml").read_text())["project"]
        lock = closure(lock, set(map(requirement_name, project["dependencies"])))
    locked = work / "wheels.lock"
    locked.write_text(lock)
    into = ("--no-compile", "--target", str(target))
    pip.run("install", *_LOCKED, *into, "--requirement", str(locked), code=NO_DOWNLOAD)
    wheel = _built_wheel(tree, work, pip)
    pip.run("install", "--no-deps", "--no-index", *into, str(wheel))


class _Pip:
    """pip and our build backend, in an environment of their own."""

    def __init__(self, cache: Path) -> None:
        folder = cache / "tools"
        self._python = folder / "bin/python"
        self._cache = cache / "pip"
        if not self._python.exists():
            run([sys.executable, "-m", "venv", folder])

    def run(self, command: str, *arguments: str, code: int = 1) -> None:
        pip = [str(self._python), "-m", "pip", command, *_QUIET]
        run([*pip, f"--cache-dir={self._cache}", *arguments], code=code)


def _built_wheel(tree: Path, work: Path, pip: _Pip) -> Path:
    """The wheel of this tree, by the locked release of its build backend."""
    backend = work / "backend.lock"
    lock = (tree / "requirements-dev.lock").read_text()
    backend.write_text(closure(lock, {"hatchling"}))
    pip.run("install", *_LOCKED, "--requirement", str(backend), code=NO_DOWNLOAD)
    folder = work / "wheel"
    alone = ("--no-deps", "--no-build-isolation", "--wheel-dir", str(folder))
    pip.run("wheel", *alone, str(tree))
    (wheel,) = folder.glob("weighbridge-*.whl")
    return wheel


def environment(epoch: int) -> dict[str, str]:
    """Variables under which the same tree gives the same bytes."""
    fixed = {"PYTHONHASHSEED": "0", "SOURCE_DATE_EPOCH": str(epoch)}
    return dict(os.environ) | fixed
