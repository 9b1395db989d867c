"""What the store answers about pulls."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, TypeAlias

from msgspec import Struct

from weighbridge.domain.traffic.pulls import Counted

KnownReason: TypeAlias = Literal[
    "not_counted", "first_count", "counter_fell", "size_unknown"
]
UnknownTraffic: TypeAlias = Literal["", KnownReason]
"""Why the bytes of a month are not known: the registry tells no pulls, or none of this
repository; there is one number so far, from which nothing is to be subtracted, or none
in this month; the counter has fallen; nothing was known of the images."""


class TrafficReport(Struct, frozen=True):
    """What was pulled of one repository in a month.

    month:       `2026-12`, in UTC
    pulls:       what the registry counted in the month, None where that is not known
    counts:      what it counts, see `Counted`; None where it has told nothing
    traffic_low_bytes, traffic_high_bytes: what that has moved at least and at most, by
                 the lightest and the heaviest image that was there when it was counted
    reason:      why these are not known, "" where they are
    is_estimate: a part of the number is of a period that is only partly in the month
    counted_from, counted_until: what of the month is counted
    registry_pulls: what the registry said last, at `registry_pulls_at`
    registry_window_s: of so many seconds; None: since the repository was made
    last_pull_at: of any of its tags, as far as that is told
    """

    registry: str
    repository: str
    month: str
    pulls: int | None
    counts: Counted | None
    traffic_low_bytes: int | None
    traffic_high_bytes: int | None
    reason: UnknownTraffic
    is_estimate: bool
    counted_from: datetime | None
    counted_until: datetime | None
    registry_pulls: int | None
    registry_window_s: int | None
    registry_pulls_at: datetime | None
    last_pull_at: datetime | None


class LastPulls(Struct, frozen=True):
    """When the tags of a repository were last pulled.

    is_told: whether the registry tells such times at all, of any repository: else a tag
             without one says nothing
    by_tag:  every tag that is not deleted; None: no pull is known. Up to a day later
             than it was
    """

    is_told: bool
    by_tag: Mapping[str, datetime | None]
