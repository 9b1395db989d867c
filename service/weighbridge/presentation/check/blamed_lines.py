"""Which lines a check points at, and what may be done about them."""

from typing import Final, Literal, TypeAlias

from msgspec import Struct

from weighbridge.domain.check.image_check import CheckedImage, Held, ImageCheck
from weighbridge.domain.growth.cause import Cause, ChangeKind, LineChange
from weighbridge.domain.policy.policy import COMMAND_LINE
from weighbridge.domain.policy.quantity import (
    BASE_LIMITS,
    QUANTITIES,
    WORDS,
    Quantity,
    written_amount,
)
from weighbridge.domain.size.weighing import WeighedImage
from weighbridge.domain.text.printable import printable
from weighbridge.presentation.check.findings import Quote, since_words
from weighbridge.presentation.forms.phrases import plural
from weighbridge.presentation.image.line_table import LineTableRow, line_rows

SHOWN: Final = 5
"""Lines of one image: who wants them all asks for JSON, or for `inspect`."""

Mark: TypeAlias = Literal["added", "removed", "same text", "line"]
_MARKS: Final[dict[ChangeKind, Mark]] = {
    "added": "added",
    "removed": "removed",
    "grown": "same text",
    "shrunk": "same text",
    "replaced": "same text",
}


class PointedAt(Struct, frozen=True):
    """One line.

    amount: what it has of `quantity`, or how much more there is than before; None where
            that is not known
    number: as everywhere (`report_rows.line_number`), None where there is none
    is_change: whether the amount is a difference
    """

    mark: Mark
    amount: int | None
    number: int | None
    text: str
    quantity: Quantity
    is_change: bool = True

    def cell(self, *, iec: bool = False) -> str:
        if self.amount is None:
            return "unknown"
        sign = "+" if self.is_change and self.amount > 0 else ""
        return sign + written_amount(self.quantity, self.amount, iec=iec)


class BlamedLines(Struct, frozen=True):
    """The lines of one image that matter to one limit, those first that have most of
    what it counts.

    title: what they are
    more:  how many further ones there are
    """

    title: str
    quantity: Quantity
    lines: tuple[PointedAt, ...]
    more: int


def pointings(
    check: ImageCheck, checked: CheckedImage, quote: Quote = printable
) -> list[BlamedLines]:
    """A list for each quantity of which an image has too much."""
    found = (pointing(check, checked, q, quote) for q in checked.quantities)
    return [one for one in found if one is not None]


def pointing(
    check: ImageCheck,
    checked: CheckedImage,
    quantity: Quantity,
    quote: Quote = printable,
) -> BlamedLines | None:
    """What changed since the image that it is compared with, whatever the outcome;
    without one the heaviest lines, where something is wrong with it."""
    word = f", {WORDS[quantity] or 'in layers'}"
    if (cause := checked.cause(quantity)) is not None:
        since = since_words(check, checked, quote)
        changed = "changed" if cause.changes else "no line changed"
        lines = (
            _changed(checked.image, cause, each, quote)
            for each in cause.changes[:SHOWN]
        )
        more = len(cause.changes[SHOWN:])
        unknown = _not_known(cause.unknown_lines)
        title = f"{changed} since {since}{word}{unknown}"
        return BlamedLines(title, quantity, tuple(lines), more)
    if checked.outcome == "pass":
        return None
    if not (rows := heaviest(checked.image, quantity)):
        return None
    found = tuple(
        PointedAt("line", amount, row.number, quote(row.text), quantity, False)
        for amount, row in rows[:SHOWN]
    )
    unknown = _not_known(sum(amount is None for amount, _ in rows))
    title = f"heaviest lines{word}{unknown}"
    return BlamedLines(title, quantity, found, len(rows[SHOWN:]))


def _not_known(count: int) -> str:
    return f", {plural(count, 'line')} not known" if count else ""


def heaviest(
    image: WeighedImage, quantity: Quantity
) -> list[tuple[int | None, LineTableRow]]:
    """The lines that have something of it, those with most first; behind them those of
    which it is not known."""
    rows = [(_amount(row, quantity), row) for row in line_rows(image)]
    rows = [(amount, row) for amount, row in rows if amount != 0]
    return sorted(rows, key=_heaviest_first)


def _heaviest_first(pair: tuple[int | None, LineTableRow]) -> tuple[bool, int, int]:
    """Of as many layers the one that weighs most is first."""
    amount, row = pair
    return amount is None, -(amount or 0), -(row.compressed_bytes or 0)


def _amount(row: LineTableRow, quantity: Quantity) -> int | None:
    if row.mark in ("none", "unknown"):
        return 0
    if quantity == "layers":
        return 1
    if quantity != "uncompressed_bytes":
        return row.compressed_bytes
    return None if row.uncompressed is None else row.uncompressed.uncompressed_bytes


def _changed(
    image: WeighedImage, cause: Cause, change: LineChange, quote: Quote
) -> PointedAt:
    numbers = [
        row.number
        for row in line_rows(image)
        if change.kind != "removed" and row.text == change.instruction
    ]
    number = numbers[0] if len(numbers) == 1 else None
    mark, text = _MARKS[change.kind], quote(change.instruction)
    if cause.quantity == "layer_compressed_bytes" and change.kind != "removed":
        return PointedAt(mark, change.amount, number, text, cause.quantity, False)
    return PointedAt(mark, change.grown_amount, number, text, cause.quantity)


def in_one_line(pointed: BlamedLines | None, *, iec: bool = False) -> str:
    """`+612 MB on disk by line 13: RUN pip install torch`: the first one, "" for
    none."""
    if pointed is None or not pointed.lines or pointed.lines[0].mark == "removed":
        return ""
    first = pointed.lines[0]
    line = "" if first.number is None else f"line {first.number}: "
    amount = f"{first.cell(iec=iec)} {WORDS[pointed.quantity]}".rstrip()
    return f"{amount} by {line}{first.text}"


def next_steps(check: ImageCheck, quote: Quote = printable) -> list[str]:
    """What to do, a sentence each; none where all is well."""
    held = [each for checked in check.images for each in checked.held]
    failed = [each for each in held if each.outcome == "fail"]
    steps = []
    if failed:
        raised = dict.fromkeys(_where(each, quote) for each in failed)
        steps.append(f"{_remedy(check, failed)}, or raise {' and '.join(raised)}")
    unknown = [each for each in held if each.outcome == "unknown"]
    if any(each.limit_amount is None for each in unknown):
        steps.append(
            "say what growth is counted from: --against :TAG, --server URL or "
            "--database FILE; --allow-unknown accepts that, and warns"
        )
    of_base = [each for each in unknown if each.finding.key in BASE_LIMITS]
    if of_base:
        steps.append(
            "have what it stands on crawled (`bases` of weighbridge.yaml) where limits"
            " and bases are from;"
            " --allow-unknown accepts a base that is not certain, and warns"
        )
    if any(each.limit_amount is not None for each in unknown if each not in of_base):
        steps.append("--allow-unknown accepts a size that is not known, and warns")
    if any(_is_foreign_alone(checked) for checked in check.images):
        steps.append("--allow-foreign accepts the manifest's sizes of foreign layers")
    if check.not_weighed:
        steps.append("push what could not be read again, or name a --platform")
    return steps


def _is_foreign_alone(checked: CheckedImage) -> bool:
    """Whether it would be judged if foreign layers were believed."""
    reasons = {y.claim_reason for y in checked.image.layers if y.claim_reason}
    return any(e.is_claimed for e in checked.held) and reasons == {"foreign"}


def _remedy(check: ImageCheck, failed: list[Held]) -> str:
    keys = {held.finding.key for held in failed}
    if keys <= BASE_LIMITS:
        return "build it on a base that is allowed, and as it is now"
    causes = [
        checked.cause(QUANTITIES[held.finding.key])
        for checked in check.images
        for held in checked.held
        if held.outcome == "fail" and held.finding.key not in BASE_LIMITS
    ]
    if all(cause is not None and cause.of == "base" for cause in causes):
        return "its base has grown, not its own lines: take a lighter one"
    if keys == {"max_layers"}:
        return "join lines, so that they make fewer layers"
    return "make these lines lighter"


def _where(held: Held, quote: Quote) -> str:
    """The option, or the key with its policy and the place where it is written."""
    key, policy = held.finding.key, held.policy
    if policy is None or policy.name == COMMAND_LINE:
        return quote(f"--{key.replace('_', '-')}")
    place = policy.places.get(key)
    written = f" ({quote(str(place))})" if place is not None and place.file else ""
    return f"{key} of policy {quote(policy.name)}{written}"
