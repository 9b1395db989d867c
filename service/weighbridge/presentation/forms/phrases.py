"""Words that commands and pages share: so many of a thing, so long ago."""

from datetime import datetime
from typing import Final

NOTHING_CRAWLED: Final = (
    "nothing crawled yet: weighbridge crawl REGISTRY, such as "
    "weighbridge crawl 127.0.0.1:5000"
)


def plural(count: int, one: str, several: str = "") -> str:
    """`1 layer`, `2,061 tags`."""
    return f"{count:,} {one if count == 1 else several or f'{one}s'}"


def minute(moment: datetime | None) -> str:
    """`2026-12-31 12:00`, of a time in UTC; "" for none."""
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M}"


def ago(moment: datetime | None, now: datetime) -> str:
    """`4 min ago`; "" for none."""
    return "" if moment is None else f"{_span((now - moment).total_seconds())} ago"


def ahead(moment: datetime | None, now: datetime) -> str:
    """`in 4 min`, or `now`; "" for none."""
    if moment is None:
        return ""
    return "now" if moment <= now else f"in {_span((moment - now).total_seconds())}"


def _span(seconds: float) -> str:
    whole = max(int(seconds), 0)
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if whole >= length:
            return f"{whole // length} {unit}"
    return f"{whole} s"
