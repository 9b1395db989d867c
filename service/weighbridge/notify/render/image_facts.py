"""What stands below the name of an image: sizes, the line that did it, its base; and
limits and amounts in words."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from weighbridge.domain.growth.cause import Cause, LineChange
from weighbridge.domain.growth.quantity import WORDS, written_amount
from weighbridge.domain.message.message import ViolationNotice
from weighbridge.domain.policy.policy import LimitKey
from weighbridge.domain.text.printable import printable
from weighbridge.domain.text.units import format_bytes

_WORDS: Final = {
    "claimed": "its manifest claims this size; the registry has not confirmed it yet",
    "disputed": "this is the registry's figure; its manifest says otherwise",
}
NAME_CHARACTERS: Final = 200
LINE_CHARACTERS: Final = 240


class Fact(Struct, frozen=True):
    """A name and a value.

    is_code:   it holds what a stranger or a policy's author wrote, shown as it is
    is_detail: a message about many images leaves it to their pages
    """

    name: str
    value: str
    is_code: bool = False
    is_detail: bool = False


class CauseCounts(Struct, frozen=True):
    """How many repositories each cause is behind.

    is_all: nothing of the message is left out
    """

    repositories: Mapping[bytes, int]
    is_all: bool


def repositories_by_cause(items: Iterable[ViolationNotice]) -> Mapping[bytes, int]:
    """How many repositories of this message each cause is behind."""
    found: dict[bytes, set[tuple[str, str]]] = {}
    for notice in items:
        if notice.cause is not None and notice.cause.key is not None:
            place = (notice.registry, notice.repository)
            found.setdefault(notice.cause.key, set()).add(place)
    return {key: len(places) for key, places in found.items()}


def sizes_of(notice: ViolationNotice) -> list[Fact]:
    """What the image weighs, and what it weighed."""
    facts: list[Fact] = []
    if notice.compressed_bytes is not None:
        size = format_bytes(notice.compressed_bytes)
        # What was before the image that was over is not what was before this one.
        before = notice.before_compressed_bytes if notice.event == "opened" else None
        change = _change(before, notice.compressed_bytes)
        facts.append(Fact("Compressed", size + change))
        if word := _WORDS.get(notice.compressed_confidence or ""):
            facts.append(Fact("Whose word", word))
    if notice.uncompressed_bytes is not None:
        size = format_bytes(notice.uncompressed_bytes)
        facts.append(Fact("On disk", size, is_detail=True))
    baseline = notice.baseline_compressed_bytes
    if baseline is not None and notice.limit_key == "max_growth":
        median = f"{format_bytes(baseline)}, the median of the ten before it"
        facts.append(Fact("Baseline", median))
    return facts


def _change(before: int | None, after: int) -> str:
    if before is None:
        return ""
    share = f", {share_of(after - before, before)}" if before else ""
    return f" ({_signed(after - before)}{share} against {format_bytes(before)} before)"


def line_of(cause: Cause) -> Fact | None:
    """The change that has most of what is limited."""
    change = cause.heaviest
    if change is None:
        return None
    instruction = printable(change.instruction, LINE_CHARACTERS) or "(no line)"
    return Fact(_grown(cause, change), instruction, is_code=True)


def unknown_of(cause: Cause) -> list[Fact]:
    """Lines that are not ranked, as it is not known what they have."""
    count = cause.unknown_lines
    if not count:
        return []
    lines = f"{count:,} changed {'line' if count == 1 else 'lines'}"
    where = WORDS[cause.quantity]
    return [Fact("Not known", f"what {lines} added {where}".strip())]


def _grown(cause: Cause, change: LineChange) -> str:
    """`New line, +570 MB compressed`; where one layer is limited, what it has."""
    what = "New line" if change.kind == "added" else "Line"
    place = " of the base" if change.of_base else ""
    words = f"{what}{place}, {amount_of(cause, change)}"
    if change.kind == "grown" and change.before_amount is not None:
        words += f", {written_amount(cause.quantity, change.before_amount)} before"
    return words


def amount_of(cause: Cause, change: LineChange) -> str:
    """`+570 MB on disk`, `+1 layer`, `310 MB compressed in one layer`."""
    if cause.quantity == "layer_compressed_bytes":
        amount = written_amount(cause.quantity, change.amount or 0)
    else:
        amount = _signed_amount(cause, change.grown_amount or 0)
    return f"{amount} {WORDS[cause.quantity]}".rstrip()


def _signed_amount(cause: Cause, amount: int) -> str:
    sign = "+" if amount >= 0 else "\u2212"
    return sign + written_amount(cause.quantity, abs(amount))


def base_of(cause: Cause, sharing: CauseCounts) -> list[Fact]:
    """What its base has to do with it."""
    if cause.of not in ("base", "both"):
        return []
    words = f"changed, {_signed_amount(cause, cause.base_grown_amount)}"
    sharers = 0 if cause.key is None else sharing.repositories.get(cause.key, 0)
    if sharers > 1:
        least = "" if sharing.is_all else "at least "
        words += f"; the same change in {least}{sharers:,} repositories"
    return [Fact("Base", words)]


def details_of(notice: ViolationNotice) -> list[Fact]:
    """Whose it is, since when, and which image exactly."""
    policy = f"{notice.policy}, {notice.severity}"
    if notice.team:
        policy += f", team {notice.team}"
    facts = [Fact("Policy", printable(policy, NAME_CHARACTERS), is_code=True)]
    if notice.platform:
        platform = printable(notice.platform, NAME_CHARACTERS)
        facts.append(Fact("Platform", platform, is_code=True))
    facts.append(Fact("Since", _moment(notice.opened_at)))
    if notice.closed_at is not None:
        facts.append(Fact("Until", _moment(notice.closed_at)))
    if notice.digest is not None:
        facts.append(Fact("Digest", str(notice.digest), is_code=True))
    return [replace(fact, is_detail=True) for fact in facts]


def _moment(when: datetime) -> str:
    """`2026-09-22 08:12 UTC`."""
    return when.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _signed(amount: int) -> str:
    """`+612 MB`, with the minus of typography."""
    return (
        f"+{format_bytes(amount)}" if amount >= 0 else f"\u2212{format_bytes(-amount)}"
    )


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
