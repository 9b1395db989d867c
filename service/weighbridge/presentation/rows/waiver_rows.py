"""Waivers as JSON objects: the keys of the API, of CSV and of lists."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from weighbridge.domain.policy.policy import LimitKey
from weighbridge.domain.policy.waiver import Waiver, WaiverState
from weighbridge.domain.report.inventory import Page
from weighbridge.domain.size.weighing import rfc3339


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


WAIVER_COLUMNS: Final = tuple(WaiverRow.__dataclass_fields__)


def waiver_json(waiver: Waiver, now: datetime) -> dict[str, object]:
    """The row of one waiver."""
    return {
        "id": waiver.id,
        "registry": waiver.registry,
        "repository": waiver.repository,
        "tag": waiver.tag,
        "limit_key": waiver.limit_key,
        "reason": waiver.reason,
        "author": waiver.author,
        "state": waiver.state(now),
        "created_at": rfc3339(waiver.created_at),
        "expires_at": rfc3339(waiver.expires_at),
        "revoked_at": rfc3339(waiver.revoked_at),
        "revoked_by": waiver.revoked_by,
    }


def waiver_page_json(page: Page[Waiver], now: datetime) -> dict[str, object]:
    """One page of a list."""
    items = [waiver_json(waiver, now) for waiver in page.items]
    return {"items": items, "next_cursor": page.next_cursor}
