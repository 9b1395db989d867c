"""What slimmer variants of bases save, for their table."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from weighbridge.domain.base.names import name_in_from
from weighbridge.domain.base.variants import VariantKind, caution_of, kind_of
from weighbridge.domain.report.base import BaseReport
from weighbridge.presentation.rows.base_rows import shown_variant, variant_words
from weighbridge.web.views.words import Amount

_CHANGES: Final[dict[VariantKind, str]] = {
    "slim": "fewer tools",
    "alpine": "musl in place of glibc",
    "chiseled": "no shell",
    "distroless": "no shell",
}
_WHY: Final = {
    "smallest": "It is a slim variant itself, and none lighter was crawled",
    "none": "None was crawled whose tag goes with its own and that is lighter",
    "unknown": "Its bytes are not known, so nothing can be compared with them: name "
    "its repository in bases.repositories",
}
_STORED: Final = (
    "Not known: not all tags of the repositories were seen, layers of a build are not "
    "kept any more, or the storage scopes are too many"
)


class SlimmerLine(Struct, frozen=True):
    """What one base would save.

    variant: "" for none; then `why` says so, and all amounts are unknown
    change:  what the variant has not, `caution` the same at length
    whole:   the base in percent of the heaviest one of the page; slim: its variant
    stored:  what storage would hold less
    """

    report: BaseReport
    name: str
    compressed: Amount
    variant: str
    change: str
    caution: str
    why: str
    why_title: str
    whole: float
    slim: float
    stored: Amount


def slimmer_lines(rows: Sequence[BaseReport]) -> list[SlimmerLine]:
    """One for each base."""
    heaviest = max((row.compressed_bytes or 0 for row in rows), default=0)
    return [_line(row, heaviest) for row in rows]


def why_nothing(row: BaseReport) -> str:
    """Why a base has no slimmer variant, as sentences; "" where it has one."""
    words = variant_words(row.variant_state)
    return words and f"{words.capitalize()}. {_WHY[row.variant_state]}."


def _line(row: BaseReport, heaviest: int) -> SlimmerLine:
    why = _WHY.get(row.variant_state, "")
    kind = None if row.variant is None else kind_of(row.variant.rpartition(":")[2])
    return SlimmerLine(
        report=row,
        name=name_in_from(row.reference),
        compressed=Amount(row.compressed_bytes, reason=_reason(row, why)),
        variant=shown_variant(row),
        change=_CHANGES[kind] if kind else "",
        caution=caution_of(kind, row.reference) if kind else "",
        why=variant_words(row.variant_state),
        why_title=why,
        whole=_part(row.compressed_bytes, heaviest),
        slim=_part(row.variant_compressed_bytes, heaviest),
        stored=Amount(
            row.saved_stored_bytes,
            reason="" if row.saved_stored_bytes is not None else _STORED,
        ),
    )


def _reason(row: BaseReport, why: str) -> str:
    return why if row.compressed_bytes is None else ""


def _part(number: int | None, whole: int) -> float:
    return round(min(1.0, (number or 0) / whole) * 100, 2) if whole > 0 else 0.0
