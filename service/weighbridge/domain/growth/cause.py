"""Why an image weighs more than the one before it: its lines compared with those.

Everything is counted in the unit of one limit (`domain.policy.quantity`): the
line that added most to what a pull moves is often another one than the line that added
most on disk.
"""

import hashlib
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final, Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import asdict, replace

from weighbridge.domain.growth.newest import without_numbers
from weighbridge.domain.image.digest import Digest, raw
from weighbridge.domain.image.image_config import SQUASHED, keyword
from weighbridge.domain.policy.quantity import Quantity, image_amount, line_amount
from weighbridge.domain.size.weighing import WeighedImage, WeighedLine

CHANGES: Final = 20
"""Changed lines that are kept of a cause; what the others add up to is one number."""
_MOST: Final = (9, 10)
"""What makes up this part of the growth is its cause alone."""

ChangeKind: TypeAlias = Literal["added", "removed", "grown", "shrunk", "replaced"]
"""What became of a line. `replaced`: the same instruction with another layer of the
same weight, or of a weight that is not known."""
CauseOf: TypeAlias = Literal["base", "own", "both", "unknown"]
"""`base`: the leading run of layers was replaced by another one, which another
repository has seen too; `own`: what comes after it; `unknown`: lines cannot be told
apart (no history, or one that fits no layers)."""


class Pair(Struct, frozen=True):
    """A line before and after. None: there was none, or there is none now."""

    before: WeighedLine | None
    after: WeighedLine | None

    @property
    def instruction(self) -> str:
        """As it is now, or as it was."""
        line = self.after or self.before
        return "" if line is None else line.instruction


class LineChange(Struct, frozen=True):
    """One line that is not what it was, in the quantity of its cause.

    before_amount, amount: None where there was no such line, there is none any more,
                  or it is not known
    grown_amount: below 0 where it got lighter; None where one of both is not known
    of_base:      whether it is part of the leading run that others share
    """

    kind: ChangeKind
    instruction: str
    before_amount: int | None
    amount: int | None
    grown_amount: int | None
    of_base: bool = False


class Cause(Struct, frozen=True):
    """What changed between two images: what added most first. Of a limit on one layer
    the heaviest layer comes first.

    key:         what it is to have the same cause, 32 bytes: of the layer that added
                 most. None where nothing was added
    changes:     at most `CHANGES` of them; what is not known comes behind what is
    grown_amount: of the image, against the one before; of what is known
    base_grown_amount: of that, the leading run that others share
    other_grown_amount: of that, changed lines that are not among `changes`
    unknown_lines: changed lines of which it is not known what they added
    """

    of: CauseOf
    key: bytes | None
    changes: tuple[LineChange, ...]
    grown_amount: int
    base_grown_amount: int = 0
    other_grown_amount: int = 0
    unknown_lines: int = 0
    quantity: Quantity = "compressed_bytes"

    @property
    def heaviest(self) -> LineChange | None:
        """The line that did most of it; None where that is not known."""
        if not self.changes or self.changes[0].grown_amount is None:
            return None
        return self.changes[0]


def explain_growth(
    before: WeighedImage | None,
    after: WeighedImage,
    quantity: Quantity = "compressed_bytes",
) -> Cause:
    """Why `after` is over a limit on this quantity: what changed where it has more of
    it than the image before, else all that it consists of."""
    if before is None:
        return whole_image(after, quantity)
    was, now = image_amount(before, quantity), image_amount(after, quantity)
    if was is not None and now is not None and was >= now:
        return whole_image(after, quantity)
    return compare_images(before, after, quantity)


def compare_images(
    before: WeighedImage,
    after: WeighedImage,
    quantity: Quantity = "compressed_bytes",
    *,
    shared_layers: int = 0,
) -> Cause:
    """What made `after` another weight than `before`.

    shared_layers: the leading layers of `after` that another repository's image got
        in the same way (see `shared_leading_run`); 0: none is known that did
    """
    pairs = align_lines(before, after)
    of_base = _base_length(pairs, shared_layers)
    changed = [
        (pair, change)
        for place, pair in enumerate(pairs)
        if (change := _change(pair, before, after, quantity, of_base=place < of_base))
    ]
    # What weighs most of what was added; lines of an unknown weight are not ranked.
    heaviest = min(
        (both for both in changed if (both[1].grown_amount or 0) > 0),
        key=lambda both: _rank(both[1], quantity),
        default=None,
    )
    changes = [change for _, change in changed]
    total, base = _growth(changes), _growth(c for c in changes if c.of_base)
    if quantity == "layer_compressed_bytes":
        # Limited is one layer: what others gained is no part of it.
        total = (image_amount(after, quantity) or 0) - (
            image_amount(before, quantity) or 0
        )
        base = total if heaviest is not None and heaviest[1].of_base else 0
    line = None if heaviest is None else heaviest[0].after
    return _listed(
        Cause(
            of=_of(line, before, after, total, base),
            key=_key(line, after),
            changes=tuple(changes),
            grown_amount=total,
            base_grown_amount=base,
            unknown_lines=sum(change.grown_amount is None for change in changes),
            quantity=quantity,
        )
    )


def whole_image(
    image: WeighedImage,
    quantity: Quantity = "compressed_bytes",
    *,
    added: Collection[Digest] = (),
) -> Cause:
    """Of an image that has nothing to be compared with, or did not grow: its lines as
    if all were new.

    added: layers that nothing else in its repository has, for `deduplicated_bytes`
    """
    changes = [
        LineChange("added", line.instruction, None, amount, amount)
        for line in image.lines
        if (amount := line_amount(image, line, quantity, added)) != 0
    ]
    of: CauseOf = "own" if image.history_alignment != "unresolved" else "unknown"
    return _listed(
        Cause(
            of,
            None,
            tuple(changes),
            _growth(changes),
            unknown_lines=sum(change.grown_amount is None for change in changes),
            quantity=quantity,
        )
    )


def shared_leading_run(one: Sequence[Digest], other: Sequence[Digest]) -> int:
    """How many leading layers two images have in common."""
    count = 0
    for mine, theirs in zip(one, other, strict=False):
        if mine != theirs:
            break
        count += 1
    return count


def layers_of(image: WeighedImage) -> list[Digest]:
    """Its layers, base first."""
    return [layer.digest for layer in image.layers]


def _base_length(pairs: Sequence[Pair], shared_layers: int) -> int:
    """How many of the pairs belong to the leading layers: all until the last one that
    made one of them."""
    return max(
        (
            place + 1
            for place, pair in enumerate(pairs)
            if pair.after is not None
            and pair.after.layer is not None
            and pair.after.layer < shared_layers
        ),
        default=0,
    )


def _change(
    pair: Pair,
    before: WeighedImage,
    after: WeighedImage,
    quantity: Quantity,
    *,
    of_base: bool,
) -> LineChange | None:
    """None where nothing changed that weighs anything."""
    old, new = (
        _amount(before, pair.before, quantity),
        _amount(after, pair.after, quantity),
    )
    was, now = _layer(before, pair.before), _layer(after, pair.after)
    if (was, old) == (now, new) or (old == 0 and new == 0):
        return None
    return LineChange(
        kind=_kind(pair, old, new),
        instruction=pair.instruction,
        before_amount=None if pair.before is None else old,
        amount=None if pair.after is None else new,
        grown_amount=None if old is None or new is None else new - old,
        of_base=of_base,
    )


def _kind(pair: Pair, old: int | None, new: int | None) -> ChangeKind:
    if pair.before is None:
        return "added"
    if pair.after is None:
        return "removed"
    if old is None or new is None or old == new:
        return "replaced"
    return "grown" if new > old else "shrunk"


def _amount(
    image: WeighedImage, line: WeighedLine | None, quantity: Quantity
) -> int | None:
    return 0 if line is None else line_amount(image, line, quantity)


def _layer(image: WeighedImage, line: WeighedLine | None) -> Digest | None:
    if line is None or line.layer is None:
        return None
    return image.layers[line.layer].digest


def _of(
    heaviest: WeighedLine | None,
    before: WeighedImage,
    after: WeighedImage,
    total: int,
    base: int,
) -> CauseOf:
    part, of = _MOST
    if total > 0 and base * of >= total * part:
        return "base"
    if "unresolved" in (before.history_alignment, after.history_alignment):
        return "unknown"
    if heaviest is not None and heaviest.instruction == SQUASHED:
        return "unknown"
    return "both" if total > 0 and base * of >= total * (of - part) else "own"


def _growth(changes: Iterable[LineChange]) -> int:
    """Of what is known."""
    return sum(change.grown_amount or 0 for change in changes)


def _key(heaviest: WeighedLine | None, after: WeighedImage) -> bytes | None:
    """A layer is the same bytes in whatever repository it is: whoever got the same
    one as the heaviest that is new has got it from the same build."""
    if heaviest is None or heaviest.layer is None:
        return None
    digest = after.layers[heaviest.layer].digest
    return hashlib.sha256(b"layer " + raw(digest)).digest()


def _listed(cause: Cause) -> Cause:
    """In their order, and no more than are kept."""
    ordered = sorted(cause.changes, key=lambda change: _rank(change, cause.quantity))
    left_out = _growth(ordered[CHANGES:])
    return replace(cause, changes=tuple(ordered[:CHANGES]), other_grown_amount=left_out)


def _rank(change: LineChange, quantity: Quantity) -> tuple[int, int]:
    """What added most first, then what is not known, then what took most away. Where
    one layer is limited, the heaviest that there is comes first."""
    grown = change.grown_amount
    if quantity == "layer_compressed_bytes" and change.amount is not None:
        return 0, -change.amount
    if grown is None:
        return 1, 0
    return (0, -grown) if grown > 0 else (2, grown)


def cause_json(cause: Cause) -> dict[str, object]:
    """As the API and `check` give it: amounts are integers in `quantity`, unknown is
    null."""
    return {
        "of": cause.of,
        "quantity": cause.quantity,
        "grown_amount": cause.grown_amount,
        "base_grown_amount": cause.base_grown_amount,
        "unknown_lines": cause.unknown_lines,
        "changes": [asdict(change) for change in cause.changes],
    }


MOST_CELLS: Final = 250_000
"""Where two images have more pairs of lines that may be the same than this, the rest
is compared without regard to order: whoever pushes decides how many lines there are."""
_LONGEST: Final = 2_000
"""Characters of an instruction by which it is known."""


def align_lines(before: WeighedImage, after: WeighedImage) -> list[Pair]:
    """The lines of both images in their order, each once.

    Lines are the same where their text is, but for numbers and hashes in it. Between
    two that are the same, lines of the same instruction stand for one that was
    changed.
    """
    is_known = "unresolved" not in (before.history_alignment, after.history_alignment)
    old = [_name(before, line, is_known=is_known) for line in before.lines]
    new = [_name(after, line, is_known=is_known) for line in after.lines]
    pairs: list[Pair] = []
    i = j = 0
    for a, b in [*_matches(old, new), (len(old), len(new))]:
        pairs += _between(before.lines[i:a], after.lines[j:b])
        if a < len(old):
            pairs.append(Pair(before.lines[a], after.lines[b]))
        i, j = a + 1, b + 1
    return pairs


def _name(image: WeighedImage, line: WeighedLine, *, is_known: bool) -> str:
    """By what a line is known: its text, or where texts say nothing its layer."""
    if is_known or line.layer is None:
        return without_numbers(line.instruction[:_LONGEST])
    return image.layers[line.layer].digest


def _matches(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    """Places that are the same, both ascending: the longest such list."""
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[~end] == new[~end]:
        end += 1
    leading = [(n, n) for n in range(start)]
    trailing = [(len(old) - n, len(new) - n) for n in range(end, 0, -1)]
    middle = _longest_common(
        old[start : len(old) - end], new[start : len(new) - end], start
    )
    return [*leading, *middle, *trailing]


def _longest_common(
    old: Sequence[str], new: Sequence[str], offset: int
) -> Iterator[tuple[int, int]]:
    """The longest common subsequence, by the table of all pairs; nothing at all where
    that table would be too large."""
    if len(old) * len(new) > MOST_CELLS:
        return
    lengths = [[0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for i in range(len(old) - 1, -1, -1):
        for j in range(len(new) - 1, -1, -1):
            lengths[i][j] = (
                lengths[i + 1][j + 1] + 1
                if old[i] == new[j]
                else max(lengths[i + 1][j], lengths[i][j + 1])
            )
    i = j = 0
    while i < len(old) and j < len(new):
        if old[i] == new[j]:
            yield i + offset, j + offset
            i, j = i + 1, j + 1
        elif lengths[i + 1][j] >= lengths[i][j + 1]:
            i += 1
        else:
            j += 1


def _between(
    before: Sequence[WeighedLine], after: Sequence[WeighedLine]
) -> Iterator[Pair]:
    """What lies between two lines that are the same: one that was changed has the
    same instruction, RUN for RUN, in the same order."""
    waiting: dict[str, deque[int]] = {}
    for place, line in enumerate(before):
        waiting.setdefault(_kind_of_line(line), deque()).append(place)
    for line in after:
        alike = waiting.get(_kind_of_line(line))
        yield Pair(before[alike.popleft()] if alike else None, line)
    for place in sorted(place for places in waiting.values() for place in places):
        yield Pair(before[place], None)


def _kind_of_line(line: WeighedLine) -> str:
    return f"{keyword(line.instruction)} {line.layer is not None}"
