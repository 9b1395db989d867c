"""One digest of a whole tree: names, kinds, owners, modes, times and contents."""

import hashlib
import os
import stat
from pathlib import Path


def tree_digest(root: Path) -> str:
    """`sha256:...`; the same for the same tree, whatever the order of its making."""
    total = hashlib.sha256()
    for path in sorted(_paths(root)):
        found = path.lstat()
        content = _content(path, found.st_mode)
        facts = (
            path.relative_to(root),
            oct(found.st_mode),
            found.st_uid,
            found.st_gid,
            int(found.st_mtime),
            content,
        )
        total.update("\0".join(map(str, facts)).encode() + b"\n")
    return f"sha256:{total.hexdigest()}"


def tree_bytes(root: Path) -> tuple[int, int]:
    """Files, and the bytes in them."""
    found = [path.lstat() for path in _paths(root)]
    files = [entry.st_size for entry in found if stat.S_ISREG(entry.st_mode)]
    return len(files), sum(files)


def _paths(root: Path) -> list[Path]:
    found = [root]
    for folder, folders, files in os.walk(root):
        found += [Path(folder, name) for name in [*folders, *files]]
    return found


def _content(path: Path, mode: int) -> str:
    if stat.S_ISLNK(mode):
        return os.readlink(path)
    if stat.S_ISREG(mode):
        return hashlib.sha256(path.read_bytes()).hexdigest()
    return ""
