"""A registry's limit on requests in words."""

from datetime import datetime

from weighbridge.domain.report.inventory import RegistryReport
from weighbridge.web.views.numbers import ago, duration


def rate_limit_words(registry: RegistryReport, now: datetime) -> str:
    """`52 of 100 left in 6 h, 12 min ago`; "" where it has told no limit."""
    limit, remaining = registry.rate_limit, registry.rate_limit_remaining
    window_s, seen_at = registry.rate_limit_window_s, registry.rate_limit_seen_at
    if limit is None:
        return ""
    words = f"{limit:,}" if remaining is None else f"{remaining:,} of {limit:,} left"
    if window_s is not None:
        words += f" in {duration(window_s)}"
    return words if seen_at is None else f"{words}, {ago(seen_at, now)}"
