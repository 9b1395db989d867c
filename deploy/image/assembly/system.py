"""What makes the files a system: users, names, folders, the program, fixed times."""

import os
from pathlib import Path
from typing import Final

USER: Final = 65532
EPOCH: Final = 1580601600
"""2020-02-02: the time of every file, unless SOURCE_DATE_EPOCH says another."""

_FILES: Final = {
    "etc/passwd": (
        "root:x:0:0:root:/:/sbin/nologin\n"
        f"weighbridge:x:{USER}:{USER}:Weighbridge:/data:/sbin/nologin\n"
    ),
    "etc/group": f"root:x:0:\nweighbridge:x:{USER}:\n",
    # Without it glibc asks DNS before /etc/hosts.
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}
_PROGRAM: Final = """\
#!/usr/bin/python3.13 -IP
from weighbridge.cli.main import main

main()
"""


def add_links(root: Path) -> None:
    """Debian's merged /usr: the loader's own path is below /lib64. Before packages
    are unpacked, because they bring files for both."""
    for name in ("bin", "lib", "lib64"):
        (root / "usr" / name).mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(f"usr/{name}")


def add_system_files(root: Path) -> None:
    """Users, name look-up, the program, and the folders that are mounted over."""
    for name, text in _FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    program = root / "usr/bin/weighbridge"
    program.write_text(_PROGRAM)
    program.chmod(0o555)
    for name in ("dev", "proc", "run", "sys", "etc/weighbridge"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for name in ("data", "tmp"):
        (root / name).mkdir(exist_ok=True)


def settle(root: Path, epoch: int) -> None:
    """One owner, plain modes and one time for everything, so that two builds give
    the same bytes. /data alone belongs to the user."""
    for folder, folders, files in os.walk(root, topdown=False):
        for name in [*folders, *files]:
            _settle(Path(folder, name), epoch)
    (root / "tmp").chmod(0o1777)
    os.chown(root / "data", USER, USER)
    (root / "data").chmod(0o750)
    _settle(root, epoch)
    for name in ("tmp", "data"):
        os.utime(root / name, (epoch, epoch))


def _settle(path: Path, epoch: int) -> None:
    os.chown(path, 0, 0, follow_symlinks=False)
    if not path.is_symlink():
        is_program = path.is_dir() or path.stat().st_mode & 0o111
        path.chmod(0o755 if is_program else 0o644)
    os.utime(path, (epoch, epoch), follow_symlinks=False)
