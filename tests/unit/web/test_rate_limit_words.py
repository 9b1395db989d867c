"""A registry's limit on requests, as the table of registries says it."""

from dataclasses import replace

import pytest

from support.read_model import HOUR, MINUTE, NOW, a_registry_report
from weighbridge.web.views.rate_limit import rate_limit_words


@pytest.mark.parametrize(
    ("limit", "remaining", "window_s", "expected"),
    [
        (100, 52, 21_600, "52 of 100 left in 6 h, 12 min ago"),
        (100, 0, None, "0 of 100 left, 12 min ago"),
        (5_000, None, 3_600, "5,000 in 1 h, 12 min ago"),
        (None, None, None, ""),
    ],
)
def test_what_is_known_of_a_limit_is_said(
    limit: int | None, remaining: int | None, window_s: int | None, expected: str
) -> None:
    report = replace(
        a_registry_report(),
        rate_limit=limit,
        rate_limit_remaining=remaining,
        rate_limit_window_s=window_s,
        rate_limit_seen_at=None if limit is None else NOW - 12 * MINUTE,
    )

    assert rate_limit_words(report, NOW) == expected


def test_it_says_when_it_was_told() -> None:
    report = replace(
        a_registry_report(), rate_limit=1, rate_limit_seen_at=NOW - 3 * HOUR
    )

    assert rate_limit_words(report, NOW) == "1, 3 h ago"
