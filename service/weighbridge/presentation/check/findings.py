"""A check's findings in words that every form of its output shares, and what it had
nothing to compare with.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from weighbridge.domain.check.image_check import CheckedImage, Held, ImageCheck, Outcome
from weighbridge.domain.policy.base_limits import CertainBase
from weighbridge.domain.policy.policy import COMMAND_LINE, Finding, LimitKey, Limits
from weighbridge.domain.policy.quantity import BASE_LIMITS, amount_in_words
from weighbridge.domain.size.weighing import WeighedImage
from weighbridge.domain.text.printable import printable
from weighbridge.domain.text.units import format_bytes
from weighbridge.presentation.forms.phrases import UNKNOWN, plural
from weighbridge.presentation.image.image_words import (
    bounds_in_words,
    least_bytes,
    why_unknown,
)

Quote: TypeAlias = Callable[[str], str]
"""Makes a stranger's text one that a medium shows as it is. `printable` does for a
terminal; Markdown needs more."""

NAMES: Final[Mapping[LimitKey, str]] = {
    "max_compressed": "compressed",
    "max_uncompressed": "on disk",
    "max_growth": "growth",
    "max_layers": "layers",
    "max_layer_compressed": "largest layer",
    "allowed_bases": "base",
    "max_base_age": "base replaced",
    "notify_base_moved": "base replaced",
    "max_deduplicated": "stored",
}
VERDICTS: Final[Mapping[Outcome, str]] = {
    "pass": "PASS",
    "warn": "WARN",
    "unknown": "CANNOT SAY",
    "fail": "FAIL",
}


class LimitRow(Struct, frozen=True):
    """One limit of one image, in words.

    part, whole: what there is of what may be, for a bar; whole 0: not known
    """

    outcome: Outcome
    name: str
    value: str
    limit: str
    words: str
    part: int
    whole: int

    @property
    def percent(self) -> str:
        """`217 %` of the limit, "" where that is not known."""
        return f"{round(self.part * 100 / self.whole)} %" if self.whole > 0 else ""


def limit_rows(
    check: ImageCheck,
    checked: CheckedImage,
    quote: Quote = printable,
    *,
    iec: bool = False,
) -> list[LimitRow]:
    """Every limit of one image. quote: see `Quote`."""
    return [_row(check, checked, held, quote, iec) for held in checked.held]


def _row(
    check: ImageCheck, checked: CheckedImage, held: Held, quote: Quote, iec: bool
) -> LimitRow:
    finding = held.finding
    if finding.key == "max_growth":
        since = since_words(check, checked, quote)
        if held.limit_amount is None:
            platform = str(checked.image.platform)
            since = quote(check.rules.earlier.why_unknown(platform))
        row = _growth(checked, held, check.rules.limits, since, iec)
    elif finding.key == "max_layers":
        row = _layers(held)
    elif finding.key in BASE_LIMITS:
        row = _base(checked, held, check.rules.limits, quote)
    else:
        row = _bytes(checked, held, iec)
    return replace(
        row,
        words=", ".join(
            filter(None, (row.words, *_word(checked, held, iec), *_whose(held, quote)))
        ),
    )


def since_words(
    check: ImageCheck, checked: CheckedImage, quote: Quote = printable
) -> str:
    """`:1.4.2` of the same repository, another reference, or `the baseline`."""
    if check.against is None or checked.before is None:
        return "the baseline"
    own = f"{check.weighing.registry}/{check.weighing.repository}"
    return quote(check.against.reference.removeprefix(own))


def signed_bytes(amount: int, *, iec: bool = False) -> str:
    """`+612 MB`, `-12.0 MB`, `0 B`."""
    return f"{'+' if amount > 0 else ''}{format_bytes(amount, iec=iec)}"


def _bytes(checked: CheckedImage, held: Held, iec: bool) -> LimitRow:
    finding = held.finding
    is_on_disk = finding.key == "max_uncompressed"
    size = checked.image.uncompressed
    is_estimate = is_on_disk and size.confidence == "estimate"
    amount = finding.amount
    value = UNKNOWN if amount is None else format_bytes(amount, iec=iec)
    return LimitRow(
        outcome=held.outcome,
        name=NAMES[finding.key],
        value=f"~{value}" if is_estimate and amount is not None else value,
        limit=format_bytes(finding.limit_amount, iec=iec),
        words=_on_disk(checked, held, iec) if is_on_disk else _left(finding, iec),
        part=amount or 0,
        whole=0 if amount is None else finding.limit_amount,
    )


def _left(finding: Finding, iec: bool) -> str:
    if finding.amount is None:
        return ""
    if finding.excess:
        return f"over by {format_bytes(finding.excess, iec=iec)}"
    return f"{format_bytes(finding.limit_amount - finding.amount, iec=iec)} left"


def _on_disk(checked: CheckedImage, held: Held, iec: bool) -> str:
    finding, size = held.finding, checked.image.uncompressed
    if finding.keeping == "unknown":
        return _why_unknown(checked.image, iec)
    if finding.keeping == "maybe":
        bounds = bounds_in_words(size, checked.image.compressed_bytes, iec=iec)
        return f"may be over: {bounds}" if bounds else "may be over"
    least = finding.limit_amount if size.low_bytes is None else size.low_bytes
    if finding.keeping == "over" and size.confidence in ("estimate", "unknown"):
        excess = format_bytes(least - finding.limit_amount, iec=iec)
        return f"over by at least {excess}"
    return f"{_left(finding, iec)} ({size.confidence})"


def _why_unknown(image: WeighedImage, iec: bool) -> str:
    least = least_bytes(image)
    # What is known of some layers says little below what all of them have packed.
    known = f"at least {format_bytes(least, iec=iec)}"
    is_telling = least >= image.compressed_bytes > 0
    return "; ".join(filter(None, (known if is_telling else "", why_unknown(image))))


def _layers(held: Held) -> LimitRow:
    finding = held.finding
    amount = finding.amount or 0
    words = f"over by {plural(finding.excess, 'layer')}"
    return LimitRow(
        outcome=held.outcome,
        name=NAMES[finding.key],
        value=f"{amount:,}",
        limit=f"{finding.limit_amount:,}",
        words=words if finding.excess else f"{finding.limit_amount - amount:,} left",
        part=amount,
        whole=finding.limit_amount,
    )


def _base(checked: CheckedImage, held: Held, limits: Limits, quote: Quote) -> LimitRow:
    finding, base = held.finding, checked.base
    patterns = limits.allowed_bases or ()
    is_age = finding.key == "max_base_age"
    name = UNKNOWN if base is None else quote(base.references[0])
    return LimitRow(
        outcome=held.outcome,
        name=NAMES[finding.key],
        value=_replaced(base) if is_age else name,
        limit=amount_in_words(finding.key, finding.limit_amount)
        if is_age
        else quote(", ".join(patterns)),
        words=_of_base(checked, finding, name),
        part=0,
        whole=0,
    )


def _replaced(base: CertainBase | None) -> str:
    if base is None:
        return UNKNOWN
    if not base.replaced_for_s:
        return "current"
    return f"{amount_in_words('max_base_age', base.replaced_for_s)} ago"


def _of_base(checked: CheckedImage, finding: Finding, name: str) -> str:
    if checked.base is None:
        return "it is not certain what it stands on"
    if finding.key == "max_base_age":
        over = amount_in_words(finding.key, finding.excess)
        return f"over by {over}, {name}" if finding.excess else name
    return "not allowed" if finding.excess else "allowed"


def _growth(
    checked: CheckedImage, held: Held, limits: Limits, since: str, iec: bool
) -> LimitRow:
    baseline, grown = checked.baseline_compressed_bytes or 0, checked.grown_bytes or 0
    if held.limit_amount is None:
        value, words = UNKNOWN, f"not judged: {since}"
    else:
        value = _signed_percent(grown, baseline)
        words = f"{signed_bytes(grown, iec=iec)} against {since}"
    least = limits.min_growth_bytes or 0
    limit = f"+{(limits.max_growth or 0) * 100:.6g} %"
    if least:
        limit += f" and {format_bytes(least, iec=iec)}"
    return LimitRow(
        outcome=held.outcome,
        name=NAMES["max_growth"],
        value=value,
        limit=limit,
        words=words,
        part=max(grown, 0),
        whole=(held.limit_amount or 0) - baseline,
    )


def _signed_percent(part: int, whole: int) -> str:
    if whole <= 0:
        return "from nothing"
    share = part * 100 / whole
    digits = 0 if abs(share) >= 9.95 else 1
    text = f"{share:+.{digits}f} %"
    return "0.0 %" if text in ("+0.0 %", "-0.0 %") and not part else text


def _word(checked: CheckedImage, held: Held, iec: bool) -> Iterator[str]:
    """What the manifest says where the registry says otherwise, or nothing."""
    image = checked.image
    if held.is_claimed:
        yield "claimed by the manifest, not confirmed by the registry"
    if held.finding.key == "max_compressed":
        claimed = image.claimed_bytes
    elif held.finding.key == "max_layer_compressed":
        claimed = max((layer.claimed_bytes for layer in image.layers), default=0)
    else:
        return
    if claimed != held.finding.amount:
        yield f"the manifest says {format_bytes(claimed, iec=iec)}"


def _whose(held: Held, quote: Quote) -> Iterator[str]:
    """Who set the limit, and whether it is minded."""
    if held.policy is not None and held.policy.name != COMMAND_LINE:
        yield f"policy {quote(held.policy.name)}"
    if held.waived_until is not None:
        yield f"waived until {held.waived_until:%Y-%m-%d %H:%M} UTC"


def notes_of(check: ImageCheck, quote: Quote = printable) -> list[str]:
    """What was not compared, a sentence each."""
    return list(_notes(check, quote))


def _notes(check: ImageCheck, quote: Quote) -> Iterator[str]:
    before = "" if check.against is None else quote(check.against.reference)
    for platform in check.not_before:
        yield f"{before} has no {quote(str(platform))}: nothing to compare with"
    for platform in check.missing:
        yield f"{before} has {quote(str(platform))}, this image does not"
    for image in check.without_baseline:
        name = str(image.platform)
        count = len(check.rules.earlier.before(name, image.digest))
        yield f"{_few(count, quote(name))}, so that its growth passes"


def _few(count: int, platform: str) -> str:
    if not count:
        return f"no earlier image of {platform} exists"
    images = plural(count, "earlier image")
    verb = "is" if count == 1 else "are"
    return (
        f"there {verb} only {images} of {platform}, and growth is counted from three on"
    )
