"""The counted requests as a part of docs/registries.md, and what differs from it."""

import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Final

from load.requests.counted import Counted, Spent
from weighbridge.domain.text.units import format_bytes

BEGIN: Final = "<!-- Written by `make requests WRITE=1`, from here -->"
END: Final = "<!-- to here -->"
_OPERATIONS: Final = (
    *("token", "catalog", "bulk", "tags", "manifest_head", "manifest_get"),
    *("config", "blob_range", "blob_head"),
)
_ABOUT: Final = re.compile(r"about ([\d,.]+)( [kMG]?B)?")
_FEW: Final = 2
_TOLERANCE: Final = 0.25
"""Of figures called `about`: how many manifests are asked for in one moment differs."""


def as_text(counted: Sequence[Counted]) -> str:
    """Both tables."""
    looks = ("to find it", "first crawl", "unchanged", "1 % moved")
    heads = (*(f"`{name}`" for name in _OPERATIONS), "refused", "all", "pulls", "read")
    rows: list[Sequence[str]] = [("", "", *heads), ("---",) * (2 + len(heads))]
    for one in counted:
        spent = (one.discovery, one.first, one.unchanged, one.moved)
        for at, (look, each) in enumerate(zip(looks, spent, strict=True)):
            rows.append((one.way.name if at == 0 else "", look, *_cells(one, each)))
    limits: list[Sequence[str]] = [
        ("1,000 unchanged tags", "requests", "at most", ""),
        ("---",) * 4,
        *(_limit(one) for one in counted),
    ]
    return f"{_table(rows)}\n\n{_table(limits)}"


def _cells(one: Counted, spent: Spent) -> Iterator[str]:
    def batched(n: int) -> str:
        is_about = one.way.is_batched and spent.by_operation["manifest_get"] > 0
        return f"about {n:,}" if is_about else f"{n:,}"

    if unknown := spent.by_operation.keys() - {*_OPERATIONS}:
        raise ValueError(f"the table has no column for {sorted(unknown)}")
    for name in _OPERATIONS:
        n = spent.by_operation[name]
        yield batched(n) if name == "manifest_get" else f"{n:,}"
    yield f"{spent.refused:,}"
    yield batched(spent.requests)
    yield "none" if one.way.pulls is None else f"{spent.pulls:,}"
    yield f"about {format_bytes(spent.bytes_read)}"


def _limit(one: Counted) -> tuple[str, str, str, str]:
    limit = one.way.limit
    if limit is None:
        return one.way.name, f"{one.listing:,}", "", ""
    verdict = "**MISSED**" if one.is_missed else "kept"
    return one.way.name, f"{one.listing:,}", f"{limit:,}", verdict


def _table(rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def stored(page: str) -> str:
    """What stands between the marks. Raises ValueError where they are not there."""
    return _parts(page)[1].strip()


def replaced(page: str, text: str) -> str:
    """The page with this between the marks. Raises ValueError."""
    before, _, after = _parts(page)
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{after}"


def _parts(page: str) -> tuple[str, str, str]:
    before, begin, rest = page.partition(BEGIN)
    text, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{BEGIN!r} and {END!r} must stand around the tables")
    return before, text, after


def differences(written: str, counted: str) -> list[str]:
    """Lines that are not the same. A figure that is called `about` may differ by a
    quarter, or by two."""
    return [
        f"- {old}\n+ {new}"
        for old, new in zip_longest(
            written.splitlines(), counted.splitlines(), fillvalue=""
        )
        if not _is_alike(old, new)
    ]


def _is_alike(old: str, new: str) -> bool:
    if _ABOUT.sub("about", old) != _ABOUT.sub("about", new):
        return False
    pairs = zip(_abouts(old), _abouts(new), strict=True)
    return all(abs(a - b) <= max(_FEW, _TOLERANCE * max(a, b)) for a, b in pairs)


def _abouts(line: str) -> list[float]:
    units = {"": 1, " B": 1, " kB": 10**3, " MB": 10**6, " GB": 10**9}
    return [
        float(number.replace(",", "")) * units[unit]
        for number, unit in _ABOUT.findall(line)
    ]
