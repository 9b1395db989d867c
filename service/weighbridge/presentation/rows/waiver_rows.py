"""Waivers as JSON objects: the keys of the API, of CSV and of lists."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from weighbridge.domain.policy.policy import LimitKey
from weighbridge.domain.policy.waiver import Waiver, WaiverState
from weighbridge.presentation.rows.row_fields import keys_of, row_of


@dataclass(frozen=True, slots=True)
class WaiverRow:
    """One waiver. The names are patterns; `limit_key` null: every limit."""

    id: int
    registry: str
    repository: str
    tag: str
    limit_key: LimitKey | None
    reason: str
    author: str
    state: WaiverState
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    revoked_by: str | None


@dataclass(frozen=True, slots=True)
class WaiverInput:
    """What is to be waived: names or patterns, in which `*` stands for any text;
    `limit_key` null: every limit; `expires_at` a day, or a moment with its zone
    (RFC 3339)."""

    registry: str
    repository: str
    reason: str
    expires_at: str
    tag: str = "*"
    limit_key: LimitKey | None = None


WAIVER_COLUMNS: Final = keys_of(WaiverRow)


def waiver_json(waiver: Waiver, now: datetime) -> dict[str, object]:
    """The row of one waiver."""
    return row_of(WAIVER_COLUMNS, waiver, state=waiver.state(now))
