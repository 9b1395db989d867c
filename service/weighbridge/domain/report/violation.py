"""What is told of an episode in which a limit was exceeded: a row for every face."""

from datetime import datetime
from typing import Literal, TypeAlias

from msgspec import Struct

from weighbridge.domain.growth.cause import Cause, LineChange
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.policy.policy import LimitKey, Severity
from weighbridge.domain.policy.waiver import Waiver
from weighbridge.domain.size.confidence import CompressedConfidence

ViolationState: TypeAlias = Literal["open", "waived", "closed", "over"]
"""`waived`: it is open, and somebody has accepted it for a while; `over`: no violation,
but a tag that is not the newest of its stream and stands over its limit."""


class ViolationReport(Struct, frozen=True):
    """One episode: from the push that exceeded a limit to one that does not.

    tag, digest, platform: of its last image that was over; None and "" for a limit of
                           the repository
    within_tag, within_amount: of the image that ended it; None where none did
    limit_amount, amount:  in the limit's unit (`quantity.unit_of`); of growth the
                           compressed bytes that it may have, and has
    base:                  what the image stands on, where the limit is about that
    before_compressed_bytes: what the stream of tags had before
    compressed_confidence: whose word the image's compressed bytes are, None for a limit
                           of the repository
    is_silent: nobody was notified: it was there when the registry was first crawled
    id, opened_at, changed_at: None of a tag that stands over its limit and is not what
                           its stream is judged by
    closed_by: `pushed`, `gone` or `policy`; None while it is open
    waiver:    what accepts it now, None for nothing
    """

    id: int | None
    registry: str
    repository: str
    tag: str | None
    digest: Digest | None
    platform: str
    stream: str
    policy: str
    team: str | None
    severity: Severity
    limit_key: LimitKey
    limit_amount: int
    amount: int
    baseline_compressed_bytes: int | None
    before_compressed_bytes: int | None
    cause: Cause | None
    is_silent: bool
    opened_at: datetime | None
    pushed_at: datetime | None
    changed_at: datetime | None
    closed_at: datetime | None
    closed_by: str | None
    within_tag: str | None
    within_amount: int | None
    waiver: Waiver | None
    compressed_confidence: CompressedConfidence | None = None
    base: str | None = None

    @property
    def state(self) -> ViolationState:
        if self.closed_at is not None:
            return "closed"
        if self.waiver is not None:
            return "waived"
        return "over" if self.id is None else "open"

    @property
    def excess(self) -> int:
        """How much it is over: bytes, or layers."""
        return max(self.amount - self.limit_amount, 0)

    @property
    def heaviest_change(self) -> LineChange | None:
        """The line that did most of it; None where that is not known."""
        return None if self.cause is None else self.cause.heaviest


class ViolationList(Struct, frozen=True):
    """Violations, newest first, and whether there are more of them.

    is_part: not all were asked for: that there is none does not say that all is well
    was_crawled: whether there is anything that could exceed a limit
    """

    rows: tuple[ViolationReport, ...]
    is_cut: bool
    is_part: bool = False
    was_crawled: bool = True
