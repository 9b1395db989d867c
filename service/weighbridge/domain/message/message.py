"""What is told of one violation, before any medium has rendered it."""

from datetime import datetime
from typing import Literal, TypeAlias
from urllib.parse import urlencode

from msgspec import Struct
from msgspec.structs import replace

from weighbridge.domain.growth.cause import Cause
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.policy.policy import LimitKey, Severity
from weighbridge.domain.size.confidence import CompressedConfidence

NotificationEvent: TypeAlias = Literal["opened", "resolved"]


class ViolationNotice(Struct, frozen=True):
    """One violation that was opened, or came to its end. Texts are a stranger's: each
    medium escapes them its own way.

    tag, digest, platform: of the image that did it, and of an end the image that is
        within; "" and None for a repository's
    amount, limit_amount: bytes, or layers for `max_layers`
    closed_by: `pushed`, `gone` or `policy`; None while it is open
    before_compressed_bytes: what the stream's image before it weighed
    compressed_confidence: whose word its compressed bytes are
    url: the page about it, None without `web.external_url`
    """

    violation_id: int
    event: NotificationEvent
    registry: str
    repository: str
    tag: str
    digest: Digest | None
    platform: str
    policy: str
    team: str | None
    severity: Severity
    limit_key: LimitKey
    limit_amount: int
    amount: int
    baseline_compressed_bytes: int | None
    before_compressed_bytes: int | None
    compressed_bytes: int | None
    uncompressed_bytes: int | None
    cause: Cause | None
    opened_at: datetime
    closed_at: datetime | None
    closed_by: str | None
    url: str | None
    compressed_confidence: CompressedConfidence | None = None


class Message(Struct, frozen=True):
    """What one receiver is sent at once: everything of one group that waits.

    key:        the receiver's dedupe key: the same whenever this message is sent again
    group:      what the items have in common, for a headline; "" for nothing
    items:      the heaviest first; at most as many as a message can hold
    more:       items beyond these
    """

    key: str
    group: str
    items: tuple[ViolationNotice, ...]
    more: int
    sent_at: datetime
    is_test: bool = False


def with_link(notice: ViolationNotice, external_url: str | None) -> ViolationNotice:
    """With the page about its image, or about its repository where no image is meant.
    Without one where nobody said how pages are reached."""
    if external_url is None:
        return notice
    return replace(notice, url=f"{external_url.rstrip('/')}{_path(notice)}")


def _path(notice: ViolationNotice) -> str:
    name = f"{notice.registry}/{notice.repository}"
    if not notice.tag:
        return f"/repository?{urlencode({'ref': name})}"
    state = {"ref": f"{name}:{notice.tag}"}
    if notice.platform:
        state["platform"] = notice.platform
    return f"/image?{urlencode(state)}"
