"""Moments as tables show them: so long ago, or in so long."""

from datetime import datetime


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
