"""Numbers, times, codes and lines of Dockerfiles as people read them on a page."""

import re
from datetime import datetime
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from weighbridge.domain.report.inventory import TagReport
from weighbridge.domain.size.confidence import (
    CompressedConfidence,
    Confidence,
    Uncompressed,
)
from weighbridge.domain.size.weighing import WeighedImage, WeighedLayer
from weighbridge.domain.text.units import format_bytes, format_duration
from weighbridge.presentation.forms.phrases import plural
from weighbridge.presentation.rows.report_rows import StandIn

MINUTE: Final = 60
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR


class Amount(Struct, frozen=True):
    """A number of bytes for a page.

    number:      None where it is not known, never 0
    is_estimate: shown with a tilde
    word:        what stands there instead of an unknown number
    reason:      why it is an estimate or unknown, for the title
    mark:        stands before a number that is not simply the registry's word
    mark_title:  what the mark says, with the figures
    """

    number: int | None
    is_estimate: bool = False
    word: str = "unknown"
    reason: str = ""
    mark: str = ""
    mark_title: str = ""


NOTHING_READ: Final = Amount(None, word="not yet", reason="No image is read yet")


def percent(part: int, whole: int) -> str:
    """One decimal, without the sign: `56.6`; `< 0.1` for less, `0` for nothing.

    Never `0.0` for something, never `100.0` for less than all.
    """
    if part == 0 or whole == 0:
        return "0"
    if part == whole:
        return "100"
    share = part / whole * 100
    if share < 0.05:
        return "< 0.1"
    return f"{min(share, 99.9):.1f}"


def ago(moment: datetime, now: datetime) -> str:
    """`4 min ago`, `2 h 40 min ago`, `21 d ago`; `just now` within a minute, and the
    date beyond two years, where nobody counts days."""
    seconds = int((now - moment).total_seconds())
    if seconds >= 2 * 365 * DAY:
        return f"{moment:%Y-%m-%d}"
    if seconds < MINUTE:
        return "just now"
    return f"{duration(seconds)} ago"


def duration(seconds: int) -> str:
    """`40 s`, `12 min`, `2 h 40 min`, `21 d`: the two largest parts that matter."""
    if seconds < MINUTE:
        return f"{seconds} s"
    if seconds < HOUR:
        return f"{seconds // MINUTE} min"
    if seconds < 2 * DAY:
        hours, rest = divmod(seconds, HOUR)
        minutes = rest // MINUTE
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{seconds // DAY} d"


def pull_time(compressed_bytes: int, bits_a_second: int) -> str:
    """How long the bytes take on a line that carries nothing else: `8.7 s`; never
    `0.00 s` of something."""
    seconds = compressed_bytes * 8 / bits_a_second
    return "< 0.01 s" if 0 < seconds < 0.005 else format_duration(seconds)


CONFIDENCE: Final[dict[Confidence, str]] = {
    "exact": "exact, read and counted",
    "trailer": "trailer, every layer's own record",
    "annotation": "annotation, as the builder wrote it",
    "estimate": "estimate",
    "unknown": "unknown",
}
_REASON: Final = {
    "not_measured": "its layers are not measured yet",
    "multi_member": "a layer is made of several gzip members",
    "implausible_isize": "what a layer's gzip trailer says cannot be true",
    "ambiguous_isize": "a layer is so large that its gzip trailer is ambiguous",
    "zstd_without_size": "a layer is a zstd frame that does not state its size",
    "format_mismatch": "a layer is not in the format that it is declared in",
    "range_unsupported": "the registry does not serve parts of a blob",
    "bad_content_range": "the registry answers another part than asked for",
    "registry_error": "the registry did not serve the end of a layer",
    "encrypted": "a layer is encrypted",
    "foreign": "a layer is not stored in this registry",
}


STAND_IN: Final[dict[StandIn, str]] = {
    "unknown": "line not known",
    "squashed": "several lines, squashed",
}
"""What stands in the place of a heaviest line in a table."""


_DISPUTED: Final = "\N{NOT EQUAL TO}"
_CLAIMED: Final = "?"


def marked(
    size: Amount, confidence: CompressedConfidence | None, claimed_bytes: int | None
) -> Amount:
    """Compressed bytes as they stand in a table: with a mark where the manifest says
    otherwise, or where nobody but the manifest says it."""
    if size.number is None or claimed_bytes is None:
        return size
    if confidence == "disputed":
        title = (
            f"Disputed: the registry says {plural(size.number, 'byte')}, the manifest"
            f" {plural(claimed_bytes, 'byte')}. The registry's figure is used"
        )
        return replace(size, mark=_DISPUTED, mark_title=title)
    if confidence == "claimed":
        title = (
            f"Claimed: the manifest says {plural(claimed_bytes, 'byte')}, which the"
            " registry has not confirmed"
        )
        return replace(size, mark=_CLAIMED, mark_title=title)
    return size


def compressed(
    image: WeighedImage | WeighedLayer | TagReport,
    word: str = "unknown",
    reason: str = "",
) -> Amount:
    """Compressed bytes of an image or a layer."""
    size = Amount(image.compressed_bytes, word=word, reason=reason)
    return marked(size, image.compressed_confidence, image.claimed_bytes)


def reason(code: str) -> str:
    """A reason code as a clause; a code without words is shown as it is."""
    return _REASON.get(code, code.replace("_", " "))


def amount(size: Uncompressed | None) -> Amount:
    """An uncompressed size as it stands in a table."""
    if size is None:
        return Amount(None, word="not yet", reason="This layer is not measured yet")
    if size.uncompressed_bytes is None:
        return Amount(None, reason=f"Unknown: {reason(size.reason or 'not_measured')}")
    if size.confidence == "estimate":
        return Amount(size.uncompressed_bytes, True, reason=_estimate(size))
    if size.confidence == "annotation":
        return Amount(size.uncompressed_bytes, reason=CONFIDENCE["annotation"])
    return Amount(size.uncompressed_bytes)


def amount_of_row(number: int | None, confidence: Confidence | None) -> Amount:
    """The same for a row of the read model, which keeps no bounds."""
    if number is None:
        is_known = confidence == "unknown"
        return Amount(
            None,
            word="unknown" if is_known else "not yet",
            reason="A layer does not state it" if is_known else "Not measured yet",
        )
    is_estimate = confidence == "estimate"
    return Amount(number, is_estimate, reason="an estimate" if is_estimate else "")


def confidence_sentence(size: Uncompressed, compressed_bytes: int) -> str:
    """What stands under the big number: how it is known, and the ratio."""
    words = CONFIDENCE[size.confidence]
    if size.uncompressed_bytes is None:
        return reason(size.reason or "not_measured")
    if size.confidence == "estimate":
        words = _estimate(size)
    if not compressed_bytes:
        return words
    return f"{words}, ratio {size.uncompressed_bytes / compressed_bytes:.2f}"


def _estimate(size: Uncompressed) -> str:
    words = "estimate"
    if size.low_bytes is not None and size.high_bytes is not None:
        words += f", {format_bytes(size.low_bytes)} to {format_bytes(size.high_bytes)}"
    return f"{words}: {reason(size.reason)}" if size.reason else words


# What nearly every long RUN begins with and what says nothing of its weight.
_NOISE: Final = (
    (re.compile(r"^RUN set -[a-z]+ ?(?:;|&&) ?"), "RUN "),
    (re.compile(r"^RUN apt-get update ?(?:;|&&) ?"), "RUN "),
    (re.compile(r"(?: -y| --yes| -q+| --no-install-recommends)+ "), " … "),
)


def summary(instruction: str, characters: int) -> str:
    """The line if it fits, else without its usual opening, cut between words.

    Each part left out inside the line, and a cut, leaves an ellipsis.
    """
    if len(instruction) <= characters:
        return instruction
    for noise, left in _NOISE:
        instruction = noise.sub(left, instruction)
    return shortened(instruction, characters)


def shortened(text: str, characters: int) -> str:
    """The text, cut between words with an ellipsis if it is longer."""
    if len(text) <= characters:
        return text
    head = text[: characters - 2]
    kept = head.rpartition(" ")[0] if " " in head[characters // 2 :] else head
    return f"{kept.rstrip(' ;&|,…')} …"
