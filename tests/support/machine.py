"""A machine with systemd, for units: booted in namespaces of its own, over the files of
this one. What is written there ends with it."""

import os
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from support.missing import skip_or_fail
from support.wait import wait_in_thread

ROOT: Final = Path(__file__).parents[2]
_BOOT: Final = Path(__file__).with_name("machine_boot.sh")
_NAMESPACES: Final = ("--mount", "--pid", "--uts", "--ipc", "--net", "--cgroup")
_CGROUPS: Final = (Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup"))
_PYTHON: Final = """#!/bin/sh
export PYTHONHOME=/opt/python LD_LIBRARY_PATH=/opt/python/lib
export PYTHONPATH=/opt/source/service:/opt/source/workers:/opt/site-packages
exec {python} "$@"
"""
"""In place of what pip installs: this Python and this source, where units see them."""
_WEIGHBRIDGE: Final = """#!/bin/sh
exec /opt/weighbridge/bin/python -m weighbridge "$@"
"""


class MachineUnavailable(Exception):
    """No systemd, or no rights to have a machine of one's own."""


@dataclass(frozen=True, slots=True)
class Machine:
    """One that runs.

    pid: of its systemd
    """

    pid: int

    def run(self, *command: str, fails: bool = False) -> str:
        """What a command says there, on stdout and stderr."""
        done = subprocess.run(
            [
                "nsenter",
                f"--target={self.pid}",
                "--all",
                "--root",
                "env",
                "--chdir=/",
                *command,
            ],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SYSTEMD_PAGER": ""},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        assert fails == bool(done.returncode), f"{command}: {done.stdout}"
        return done.stdout

    def shell(self, text: str, fails: bool = False) -> str:
        """Lines of a shell, as a page has them."""
        return self.run("sh", "-ec", text, fails=fails)

    def show(self, unit: str, name: str) -> str:
        """A property of a unit, such as MainPID."""
        return self.run(
            "systemctl", "show", "--value", f"--property={name}", unit
        ).strip()

    def log(self, unit: str) -> str:
        """What the unit has printed, and what systemd says of it."""
        return self.run("journalctl", "--no-pager", "--output=cat", f"--unit={unit}")


@contextmanager
def a_machine(folder: Path) -> Iterator[Machine]:
    """Booted for the length of the block, with `/opt/weighbridge/bin/weighbridge` and
    the source in `/opt/source`; skips without root and systemd, fails where CI is set.
    """
    try:
        cgroup = _cgroup()
    except MachineUnavailable as exc:
        skip_or_fail(str(exc))
    scratch = folder / "machine"
    scratch.mkdir()
    places = (ROOT, Path(sys.base_prefix), Path(sysconfig.get_path("purelib")))
    boot = ["sh", str(_BOOT), str(scratch), *map(str, places)]
    log = folder / "machine.log"
    with log.open("wb") as stream:
        outside = subprocess.Popen(
            ["unshare", "--fork", "--kill-child", *_NAMESPACES, *boot],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            # Of the group that is its root, before it cannot see any other.
            preexec_fn=lambda: (cgroup / "cgroup.procs").write_text(str(os.getpid())),
            start_new_session=True,
        )
    try:
        yield _booted(outside, log)
    finally:
        outside.kill()
        outside.wait()
        _remove(cgroup)


def _booted(outside: "subprocess.Popen[bytes]", log: Path) -> Machine:
    def first() -> int | None:
        children = Path(f"/proc/{outside.pid}/task/{outside.pid}/children").read_text()
        return int(children.split()[0]) if children else None

    def is_up() -> bool:
        assert outside.poll() is None, log.read_text(errors="replace")
        pid = first()
        if pid is None or Path(f"/proc/{pid}/comm").read_text() != "systemd\n":
            return False
        with suppress(AssertionError):
            Machine(pid).run("systemctl", "is-active", "basic.target")
            return True
        return False

    wait_in_thread(is_up, "systemd is up", seen=lambda: log.read_text(errors="replace"))
    pid = first()
    assert pid is not None
    machine = Machine(pid)
    python = f"/opt/python/bin/{Path(os.path.realpath(sys.executable)).name}"
    scripts = Path(f"/proc/{pid}/root/opt/weighbridge/bin")
    scripts.mkdir(parents=True)
    for name, text in (("python", _PYTHON), ("weighbridge", _WEIGHBRIDGE)):
        (scripts / name).write_text(text.format(python=python))
        (scripts / name).chmod(0o755)
    return machine


def _cgroup() -> Path:
    """A new control group for it. Raises MachineUnavailable."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        raise MachineUnavailable("a machine of one's own needs root and unshare")
    if not Path("/lib/systemd/systemd").exists():
        raise MachineUnavailable("no systemd (package systemd)")
    tried = ["unshare", "--fork", *_NAMESPACES, "true"]
    if subprocess.run(tried, capture_output=True, check=False).returncode:
        raise MachineUnavailable("no namespaces may be made here")
    for tree in _CGROUPS:
        if (tree / "cgroup.procs").exists():
            group = tree / f"weighbridge-tests-{os.getpid()}"
            with suppress(OSError):
                group.mkdir(exist_ok=True)
                return group
    raise MachineUnavailable("no control groups of version 2")


def _remove(cgroup: Path) -> None:
    """With the groups that systemd made, from below; a process that was just killed
    stays in its group for a moment."""
    ends_at = time.monotonic() + 10.0
    while cgroup.exists() and time.monotonic() < ends_at:
        for folder, _, _ in os.walk(cgroup, topdown=False):
            with suppress(OSError):
                Path(folder).rmdir()
        time.sleep(0.02)
