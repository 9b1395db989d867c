"""What a lock file of `uv pip compile` pins: which entries, for whom."""

import re
from typing import Final

_ENTRY: Final = re.compile(r"^([A-Za-z0-9._-]+)==")
_VIA: Final = re.compile(r"^    # (?:via )? *(\S+)")


def closure(lock: str, roots: set[str]) -> str:
    """The entries of `roots` and of everything that these need, as a lock file.

    uv writes below each entry who needs it (`# via`).
    """
    entries = _entries(lock)
    chosen = {name for name in entries if name in roots}
    while True:
        more = {name for name, text in entries.items() if _needed_by(text) & chosen}
        if more <= chosen:
            break
        chosen |= more
    return "".join(text for name, text in entries.items() if name in chosen)


def requirement_name(requirement: str) -> str:
    """`psycopg` of `psycopg[binary]>=3.2.4`."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    if found is None:
        raise ValueError(f"no requirement: {requirement!r}")
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def _entries(lock: str) -> dict[str, str]:
    found: dict[str, str] = {}
    name = ""
    for line in lock.splitlines(keepends=True):
        if begun := _ENTRY.match(line):
            name = begun[1]
            found[name] = ""
        if name:
            found[name] += line
    return found


def _needed_by(entry: str) -> set[str]:
    return {m[1] for line in entry.splitlines() if (m := _VIA.match(line))}
