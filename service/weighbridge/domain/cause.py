"""Why an image weighs more than the one before it: its lines compared with those."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from weighbridge.domain.digest import Digest, raw
from weighbridge.domain.history import SQUASHED
from weighbridge.domain.line_alignment import Pair, align_lines
from weighbridge.domain.weighing import WeighedImage, WeighedLine

CHANGES: Final = 20
"""Changed lines that are kept of a cause; what the others add up to is one number."""
_MOST: Final = (9, 10)
"""What makes up this part of the growth is its cause alone."""

ChangeKind: TypeAlias = Literal["added", "removed", "grown", "shrunk", "replaced"]
"""What became of a line. `replaced`: the same instruction with another layer of the
same weight."""
CauseOf: TypeAlias = Literal["base", "own", "both", "unknown"]
"""`base`: the leading run of layers was replaced by another one, which another
repository has seen too; `own`: what comes after it; `unknown`: lines cannot be told
apart (no history, or one that fits no layers)."""


@dataclass(frozen=True, slots=True)
class LineChange:
    """One line that is not what it was. None: there was no such line, or it is not
    known what it weighs.

    grown_bytes: compressed; below 0 where it got lighter
    of_base:     whether it is part of the leading run that others share
    """

    kind: ChangeKind
    instruction: str
    before_compressed_bytes: int | None
    compressed_bytes: int | None
    grown_bytes: int
    of_base: bool = False


@dataclass(frozen=True, slots=True)
class Cause:
    """What changed between two images: what added most first.

    key:         what it is to have the same cause, 32 bytes: of the layer that added
                 most. None where nothing was added
    changes:     at most `CHANGES` of them
    grown_bytes: compressed bytes of the image, against the one before
    base_grown_bytes: of that, the leading run that others share
    other_grown_bytes: of that, changed lines that are not among `changes`
    """

    of: CauseOf
    key: bytes | None
    changes: tuple[LineChange, ...]
    grown_bytes: int
    base_grown_bytes: int = 0
    other_grown_bytes: int = 0


def compare_images(
    before: WeighedImage, after: WeighedImage, *, shared_layers: int = 0
) -> Cause:
    """What made `after` another weight than `before`.

    shared_layers: the leading layers of `after` that another repository's image got
        in the same way (see `shared_leading_run`); 0: none is known that did
    """
    pairs = align_lines(before, after)
    of_base = _base_length(pairs, shared_layers)
    changed = [
        change
        for place, pair in enumerate(pairs)
        if (change := _change(pair, before, after, of_base=place < of_base))
    ]
    base = sum(change.grown_bytes for change in changed if change.of_base)
    total = sum(change.grown_bytes for change in changed)
    return _listed(
        Cause(
            of=_of(pairs, before, after, total, base),
            key=_key(pairs, before, after),
            changes=tuple(changed),
            grown_bytes=total,
            base_grown_bytes=base,
        )
    )


def whole_image(image: WeighedImage) -> Cause:
    """Of an image that has nothing to be compared with, or did not grow: its lines as
    if all were new."""
    changes = [
        LineChange("added", line.instruction, None, size, size)
        for line in image.lines
        if (size := line.compressed_bytes)
    ]
    total = sum(change.grown_bytes for change in changes)
    of: CauseOf = "own" if image.history_alignment != "unresolved" else "unknown"
    return _listed(Cause(of, None, tuple(changes), total))


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
    pair: Pair, before: WeighedImage, after: WeighedImage, *, of_base: bool
) -> LineChange | None:
    """None where nothing changed that weighs anything."""
    old, new = _bytes(pair.before), _bytes(pair.after)
    was, now = _layer(before, pair.before), _layer(after, pair.after)
    if was == now or not (old or new):
        return None
    return LineChange(
        kind=_kind(pair, old, new),
        instruction=pair.instruction,
        before_compressed_bytes=None if pair.before is None else old,
        compressed_bytes=None if pair.after is None else new,
        grown_bytes=new - old,
        of_base=of_base,
    )


def _kind(pair: Pair, old: int, new: int) -> ChangeKind:
    if pair.before is None:
        return "added"
    if pair.after is None:
        return "removed"
    if old == new:
        return "replaced"
    return "grown" if new > old else "shrunk"


def _bytes(line: WeighedLine | None) -> int:
    return 0 if line is None else line.compressed_bytes or 0


def _layer(image: WeighedImage, line: WeighedLine | None) -> tuple[Digest, int] | None:
    """A layer, and what its line weighs: of one that is there twice the second line
    weighs nothing."""
    if line is None or line.layer is None:
        return None
    return image.layers[line.layer].digest, _bytes(line)


def _of(
    pairs: Sequence[Pair],
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
    if _is_squashed(_heaviest(pairs)):
        return "unknown"
    return "both" if total > 0 and base * of >= total * (of - part) else "own"


def _is_squashed(pair: Pair | None) -> bool:
    line = None if pair is None else pair.after
    return line is not None and line.instruction == SQUASHED


def _heaviest(pairs: Sequence[Pair]) -> Pair | None:
    """The line that added most; None where none added anything."""
    found = max(pairs, key=_added, default=None)
    return None if found is None or _added(found) <= 0 else found


def _added(pair: Pair) -> int:
    return _bytes(pair.after) - _bytes(pair.before)


def _key(
    pairs: Sequence[Pair], before: WeighedImage, after: WeighedImage
) -> bytes | None:
    """A layer is the same bytes in whatever repository it is: whoever got the same
    one as the heaviest that is new has got it from the same build."""
    heaviest = _heaviest(pairs)
    if heaviest is None or heaviest.after is None or heaviest.after.layer is None:
        return None
    digest = after.layers[heaviest.after.layer].digest
    return hashlib.sha256(b"layer " + raw(digest)).digest()


def _listed(cause: Cause) -> Cause:
    """What added most first, what took most away behind that, and no more than are
    kept."""
    ordered = sorted(
        cause.changes, key=lambda c: (c.grown_bytes <= 0, -abs(c.grown_bytes))
    )
    left_out = sum(change.grown_bytes for change in ordered[CHANGES:])
    return replace(cause, changes=tuple(ordered[:CHANGES]), other_grown_bytes=left_out)


def cause_json(cause: Cause) -> dict[str, object]:
    """As the API and `check` tell it: bytes are integers, unknown is null."""
    return {
        "of": cause.of,
        "grown_bytes": cause.grown_bytes,
        "base_grown_bytes": cause.base_grown_bytes,
        "changes": [
            {
                "kind": change.kind,
                "instruction": change.instruction,
                "before_compressed_bytes": change.before_compressed_bytes,
                "compressed_bytes": change.compressed_bytes,
                "grown_bytes": change.grown_bytes,
                "of_base": change.of_base,
            }
            for change in cause.changes
        ],
    }
