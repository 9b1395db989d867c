"""Builders of what is told: violations and messages, and strangers' texts in them."""

from datetime import UTC, datetime
from typing import Final, TypedDict, Unpack

from hypothesis import strategies as st
from msgspec.structs import replace

from weighbridge.domain.growth.cause import Cause, CauseOf, LineChange
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.message.grouping import (
    Message,
    NotificationEvent,
    ViolationNotice,
)
from weighbridge.domain.policy.policy import LimitKey, Severity
from weighbridge.domain.size.confidence import CompressedConfidence

NOW: Final = datetime(2026, 9, 22, 8, 12, tzinfo=UTC)
URL: Final = "https://weighbridge.example/repository?ref=harbor%2Fshop%2Fapi"
KEY: Final = bytes(range(32))

HOSTILE: Final = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "<!channel> <@U012AB3CD> <#C123> <https://evil.example|click>",
    "&lt;!channel&gt; &amp; &#60;",
    "*bold* _it_ ~no~ `code` ```block``` :bomb: >quote",
    "[click](https://evil.example) **b** # head\n- item",
    "<at>everyone</at> @channel @everyone @here",
    "line\r\nBcc: victim@example.org\r\n\r\nbody",
    "\x1b[31mred\x1b[0m \x00 \x07",
    "\u202egnp.exe \u2066x\u2069 \ufeff",
    "\ud800 alone",
    "🏋️‍♀️ 🐳" * 40,
    "A" * 10_000,
    "`" * 10_000,
    "&" * 10_000,
    "",
    "   ",
)
"""What somebody could push as a tag, a platform or a line of a Dockerfile."""


class ToldKeys(TypedDict, total=False):
    violation_id: int
    event: NotificationEvent
    registry: str
    repository: str
    tag: str
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
    compressed_confidence: CompressedConfidence | None
    uncompressed_bytes: int | None
    cause: Cause | None
    opened_at: datetime
    closed_at: datetime | None
    closed_by: str | None
    url: str | None


_TOLD: Final = ViolationNotice(
    violation_id=7,
    event="opened",
    registry="harbor",
    repository="shop/api",
    tag="1.4.2",
    digest=Digest("sha256:" + "ab" * 32),
    platform="linux/amd64",
    policy="services",
    team="shop",
    severity="warning",
    limit_key="max_compressed",
    limit_amount=500_000_000,
    amount=1_083_000_000,
    baseline_compressed_bytes=470_000_000,
    before_compressed_bytes=471_000_000,
    compressed_bytes=1_083_000_000,
    uncompressed_bytes=2_510_000_000,
    cause=Cause(
        "own",
        None,
        (LineChange("added", "RUN pip install torch", None, 570_000_000, 570_000_000),),
        612_000_000,
    ),
    opened_at=NOW,
    closed_at=None,
    closed_by=None,
    url=URL,
)


def a_told(**keys: Unpack[ToldKeys]) -> ViolationNotice:
    """A violation that was opened: 1.08 GB where 500 MB are allowed."""
    return replace(_TOLD, **keys)


def a_cause(
    instruction: str = "RUN pip install torch",
    *,
    of: CauseOf = "own",
    key: bytes | None = None,
    grown_amount: int = 570_000_000,
) -> Cause:
    """One new line."""
    of_base = of == "base"
    line = LineChange("added", instruction, None, grown_amount, grown_amount, of_base)
    return Cause(of, key, (line,), grown_amount, grown_amount if of_base else 0)


def a_message(
    *items: ViolationNotice,
    more: int = 0,
    group: str = "",
    key: str = "msg-1",
    is_test: bool = False,
) -> Message:
    """A message of these violations, or of one."""
    return Message(key, group, items or (a_told(),), more, NOW, is_test)


def hostile_message(text: str, count: int = 1) -> Message:
    """A message in which a stranger, or a policy's author, wrote this wherever they
    can write."""
    told = a_told(
        repository=text,
        tag=text,
        platform=text,
        policy=text,
        team=text,
        cause=a_cause(text, of="both", key=KEY),
    )
    return a_message(*[told] * count, more=3, group=text)


hostile_texts: Final = st.one_of(
    st.sampled_from(HOSTILE), st.text(st.characters(), max_size=300)
)
"""Any characters at all, half surrogate pairs too."""
