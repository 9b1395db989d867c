"""Which lines a check points at, and what may be done about them."""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from weighbridge.cli.check_limits import COMMAND_LINE
from weighbridge.cli.check_words import Quote, signed_bytes, since_words
from weighbridge.cli.lines import LineRow, line_rows
from weighbridge.domain.cause import ChangeKind, LineChange
from weighbridge.domain.check import Check, CheckedImage, Held
from weighbridge.domain.printable import printable
from weighbridge.domain.units import format_bytes
from weighbridge.domain.weighing import WeighedImage

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


@dataclass(frozen=True, slots=True)
class PointedAt:
    """One line.

    amount: compressed bytes, or how many more there are than before; None where that
            is not known
    number: as everywhere (`web.rows.line_number`), None where there is none
    """

    mark: Mark
    amount: int | None
    number: int | None
    text: str

    def cell(self, *, iec: bool = False) -> str:
        if self.amount is None:
            return "unknown"
        if self.mark == "line":
            return format_bytes(self.amount, iec=iec)
        return signed_bytes(self.amount, iec=iec)


@dataclass(frozen=True, slots=True)
class Pointing:
    """The lines of one image that matter, the heaviest first.

    title: what they are
    more:  how many further ones there are
    """

    title: str
    lines: tuple[PointedAt, ...]
    more: int


def pointing(
    check: Check, checked: CheckedImage, quote: Quote = printable
) -> Pointing | None:
    """What changed since the image that it is compared with, whatever the outcome;
    without one the heaviest lines, where something is wrong with it."""
    if (cause := checked.cause) is not None:
        since = since_words(check, checked, quote)
        changed = "changed" if cause.changes else "no line changed"
        lines = (_changed(checked.image, each, quote) for each in cause.changes[:SHOWN])
        more = len(cause.changes[SHOWN:])
        return Pointing(f"{changed} since {since}", tuple(lines), more)
    if checked.outcome == "pass":
        return None
    if not (rows := heaviest(checked.image)):
        return None
    found = tuple(
        PointedAt("line", row.compressed_bytes, row.number, quote(row.text))
        for row in rows[:SHOWN]
    )
    return Pointing("heaviest lines", found, len(rows[SHOWN:]))


def heaviest(image: WeighedImage) -> list[LineRow]:
    """The lines that weigh something, the heaviest first."""
    rows = [row for row in line_rows(image) if row.compressed_bytes]
    return sorted(rows, key=lambda row: -(row.compressed_bytes or 0))


def _changed(image: WeighedImage, change: LineChange, quote: Quote) -> PointedAt:
    numbers = [
        row.number
        for row in line_rows(image)
        if change.kind != "removed" and row.text == change.instruction
    ]
    number = numbers[0] if len(numbers) == 1 else None
    mark = _MARKS[change.kind]
    return PointedAt(mark, change.grown_bytes, number, quote(change.instruction))


def in_one_line(pointed: Pointing | None, *, iec: bool = False) -> str:
    """`+612 MB by line 13: RUN pip install torch`: the first one, "" for none."""
    if pointed is None or not pointed.lines or pointed.lines[0].mark == "removed":
        return ""
    first = pointed.lines[0]
    line = "" if first.number is None else f"line {first.number}: "
    return f"{first.cell(iec=iec)} by {line}{first.text}"


def next_steps(check: Check, quote: Quote = printable) -> list[str]:
    """What to do, a sentence each; none where all is well."""
    held = [each for checked in check.images for each in checked.held]
    failed = [each for each in held if each.outcome == "fail"]
    steps = []
    if failed:
        raised = dict.fromkeys(_where(each, quote) for each in failed)
        steps.append(f"{_remedy(check, failed)}, or raise {' and '.join(raised)}")
    if any(each.outcome == "unknown" for each in held):
        steps.append("--allow-unknown accepts a size that is not known, and warns")
    if any(_is_foreign_alone(checked) for checked in check.images):
        steps.append(
            "--allow-foreign believes what the manifest says of foreign layers"
        )
    if check.not_weighed:
        steps.append("push what could not be read again, or name a --platform")
    return steps


def _is_foreign_alone(checked: CheckedImage) -> bool:
    """Whether it would be judged if foreign layers were believed."""
    reasons = {y.claim_reason for y in checked.image.layers if y.claim_reason}
    return any(e.is_claimed for e in checked.held) and reasons == {"foreign"}


def _remedy(check: Check, failed: list[Held]) -> str:
    causes = [checked.cause for checked in check.images if checked.outcome == "fail"]
    if all(cause is not None and cause.of == "base" for cause in causes):
        return "its base has grown, not its own lines: take a lighter one"
    if all(held.finding.key == "max_layers" for held in failed):
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
