"""Which limit is exceeded, by how much, in the words of messages."""

from collections.abc import Mapping
from typing import Final

from weighbridge.domain.message.message import ViolationNotice
from weighbridge.domain.policy.policy import LimitKey
from weighbridge.domain.text.units import format_bytes

_HAS: Final[Mapping[LimitKey, str]] = {
    "max_compressed": "{amount} compressed",
    "max_uncompressed": "{amount} on disk",
    "max_growth": "{amount} compressed",
    "max_layers": "{amount}",
    "max_layer_compressed": "a layer of {amount} compressed",
    "max_deduplicated": "{amount} in the whole repository, each blob once",
}
_CLAIMS: Final = frozenset({"max_compressed", "max_growth", "max_layer_compressed"})
_CLAIMED: Final = "as the manifest claims, not yet confirmed by the registry"
_ENDED: Final = {
    "deleted": "its tag was deleted",
    "policy": "the limit was changed or removed",
}


def verdict(notice: ViolationNotice) -> str:
    """`1.08 GB compressed, 583 MB over max_compressed (500 MB)`."""
    limit = written(notice.limit_key, notice.limit_amount)
    if notice.event == "resolved":
        now = written(notice.limit_key, notice.amount)
        if notice.amount <= notice.limit_amount:
            return f"within {notice.limit_key} ({limit}): {now}"
        why = _ENDED.get(notice.closed_by or "", "")
        return f"no longer over {notice.limit_key}{f': {why}' if why else ''}"
    has = _HAS[notice.limit_key].format(amount=written(notice.limit_key, notice.amount))
    text = f"{has}, {excess_amount(notice)} over {notice.limit_key} ({limit})"
    is_claimed = notice.compressed_confidence == "claimed"
    return f"{text}, {_CLAIMED}" if is_claimed and notice.limit_key in _CLAIMS else text


def end(notice: ViolationNotice) -> str:
    """`is within max_compressed`; never said of an image that was over."""
    if notice.amount <= notice.limit_amount:
        return f"is within {notice.limit_key}"
    return f"is no longer over {notice.limit_key}"


def excess(notice: ViolationNotice) -> str:
    """`is 583 MB over max_compressed`; growth is told as growth."""
    baseline = notice.baseline_compressed_bytes
    if notice.limit_key == "max_growth" and baseline is not None:
        grown = notice.amount - baseline
        share = f" ({share_of(grown, baseline)})" if baseline else ""
        return f"grew by {format_bytes(grown)}{share}"
    return f"is {excess_amount(notice)} over {notice.limit_key}"


def excess_amount(notice: ViolationNotice) -> str:
    """How much it is too much; never below 0."""
    return written(notice.limit_key, max(notice.amount - notice.limit_amount, 0))


def share_of(grown: int, before: int) -> str:
    """`+130 %`, with the minus of typography."""
    return f"{round(100 * grown / before):+d} %".replace("-", "\u2212")


def written(key: LimitKey, amount: int) -> str:
    """Bytes, or layers."""
    if key == "max_layers":
        return f"{amount:,} {'layer' if amount == 1 else 'layers'}"
    return format_bytes(amount)
