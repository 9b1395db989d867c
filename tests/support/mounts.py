"""A small disk of one test's own, which can be full or read only.

Mounted in a mount namespace of one thread: nobody else sees it, and it ends with the
last thread and process in it. Threads and processes that this thread begins are in it
too.
"""

import ctypes
import os
import subprocess
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from support.missing import skip_or_fail

_CLONE_NEWNS: Final = 0x0002_0000
KIB: Final = 1024
MIB: Final = 1024 * KIB


class MountUnavailable(Exception):
    """The kernel, or our rights, allow no mount."""


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """A tmpfs at `folder`."""

    folder: Path

    @property
    def free_bytes(self) -> int:
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize

    def fill(self, *, but: int = 0) -> None:
        """Leave so many bytes free, or what there is if that is less."""
        with self._ballast.open("ab") as ballast:
            while (length := min(self.free_bytes - but, MIB)) > 0:
                try:
                    ballast.write(bytes(length))
                    ballast.flush()
                except OSError:  # somebody else was faster
                    return

    def make_room(self) -> None:
        """Take away what `fill` put there."""
        self._ballast.unlink()

    def freeze(self) -> None:
        """From now on it is mounted read only. Nobody may have a file open."""
        _mount("-o", "remount,ro", str(self.folder))

    def freeze_file(self, path: Path) -> None:
        """One file that cannot be written, whoever asks: root has every right."""
        _mount("--bind", str(path), str(path))
        _mount("-o", "remount,bind,ro", str(path))

    @property
    def _ballast(self) -> Path:
        return self.folder / "ballast"


def on_a_small_disk(size: int, story: Callable[[SmallDisk], None]) -> None:
    """Run `story` on a thread that has a disk of `size` bytes.

    Skips the test without the rights for it, and fails where CI is set: there it must
    run.
    """
    folder = Path(tempfile.mkdtemp(prefix="weighbridge-disk-"))
    failures: list[BaseException] = []

    def run() -> None:
        try:
            _enter()
            _mount("-t", "tmpfs", "-o", f"size={size},mode=755", "none", str(folder))
            story(SmallDisk(folder))
        except BaseException as exc:  # noqa: BLE001 - raised again by the test's thread
            failures.append(exc)

    thread = threading.Thread(target=run, name="mount-namespace")
    thread.start()
    thread.join()
    folder.rmdir()
    for failure in failures:
        if isinstance(failure, MountUnavailable):
            skip_or_fail(str(failure))
        raise failure


def _enter() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS) != 0:
        reason = os.strerror(ctypes.get_errno())
        raise MountUnavailable(f"no mount namespace: {reason} (run as root)")
    # What is mounted here must not show elsewhere.
    _mount("--make-rprivate", "/")


def _mount(*arguments: str) -> None:
    try:
        done = subprocess.run(
            ["mount", *arguments], capture_output=True, text=True, check=False
        )
    except FileNotFoundError as exc:
        raise MountUnavailable("no `mount` command") from exc
    if done.returncode:
        raise MountUnavailable(f"mount {' '.join(arguments)}: {done.stderr.strip()}")
