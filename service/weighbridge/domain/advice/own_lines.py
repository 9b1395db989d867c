"""The lines that an image adds to its base, and what is said of them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import asdict, replace

from weighbridge.domain.advice.shell import Command, commands
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.image_config import (
    LINE_UNKNOWN,
    NOT_IN_HISTORY,
    SQUASHED,
    keyword,
)
from weighbridge.domain.size.weighing import WeighedImage, WeighedLine

AdviceKind: TypeAlias = Literal[
    "package_lists",
    "package_cache",
    "build_tools",
    "written_twice",
    "large_copy",
    "commit_tags",
]

WORTH_BYTES: Final = 1_000_000
"""Less than this is nobody's time."""

_CUT: Final = "…"
"""In the texts of lines that are not all there."""
_NO_LINE: Final = frozenset({LINE_UNKNOWN, NOT_IN_HISTORY, SQUASHED})


class Evidence(Struct, frozen=True):
    """The line that an advice is about, secrets masked, and its layer.

    line:  its number as pages and tables show it, from 1
    layer: its place among the image's layers, from 0; None: it made none
    """

    line: int | None
    layer: int | None
    digest: Digest | None
    instruction: str
    compressed_bytes: int | None


class Advice(Struct, frozen=True):
    """One thing that would make an image, or its repository, lighter.

    text:        a sentence
    saved_bytes: of the image's compressed bytes; None where that is not known
    is_estimate: whether `saved_bytes` is one
    basis:       how `saved_bytes` is known, or why it is not
    tags:        of `commit_tags`: those that are builds of the same commit
    """

    kind: AdviceKind
    text: str
    saved_bytes: int | None
    is_estimate: bool
    basis: str
    evidence: tuple[Evidence, ...] = ()
    tags: tuple[str, ...] = ()


class OwnLine(Struct, frozen=True):
    """One line behind the base.

    layer:    None for a line that made none
    commands: of a RUN
    is_whole: whether the text is all there; else nothing follows from what it lacks
    """

    keyword: str
    text: str
    layer: int | None
    digest: Digest | None
    compressed_bytes: int
    commands: tuple[Command, ...]
    is_whole: bool

    @property
    def evidence(self) -> Evidence:
        return Evidence(
            line=None if self.layer is None else self.layer + 1,
            layer=self.layer,
            digest=self.digest,
            instruction=self.text,
            compressed_bytes=self.compressed_bytes,
        )

    @property
    def name(self) -> str:
        """`Line 5`, as pages and tables number it."""
        return "A line" if self.layer is None else f"Line {self.layer + 1}"


def own_lines(image: WeighedImage, base_layers: int = 0) -> tuple[OwnLine, ...]:
    """The lines behind the first `base_layers` layers, and behind the last CMD that is
    followed by more work: where bases are not known, that is where one ends (96.5 % of
    3,468 images with a known FROM).

    None at all where it is not known which line made which layer; and none of those
    that were committed as one layer, as another one of them may undo what one does.
    """
    if image.history_alignment == "unresolved":
        return ()
    found: list[OwnLine] = []
    for line in image.lines[_own_start(image, base_layers) :]:
        if line.instruction == SQUASHED:
            # What came before it without a layer may have its work in this one.
            while found and found[-1].layer is None:
                found.pop()
        elif line.instruction not in _NO_LINE:
            found.append(_own_line(image, line))
    return tuple(found)


def _own_start(image: WeighedImage, base_layers: int) -> int:
    """The place of the first line that is none of the base's."""
    start = last_command = 0
    for place, line in enumerate(image.lines):
        if line.layer is not None:
            # Only a CMD that is followed by more work ends a base.
            start = max(start, last_command)
            if line.layer < base_layers:
                start = place + 1
        elif keyword(line.instruction) == "CMD":
            last_command = place + 1
    return start


def _own_line(image: WeighedImage, line: WeighedLine) -> OwnLine:
    layer = line.layer
    word, _, rest = line.instruction.partition(" ")
    return OwnLine(
        keyword=keyword(line.instruction),
        text=line.instruction,
        layer=layer,
        digest=None if layer is None else image.layers[layer].digest,
        compressed_bytes=line.compressed_bytes or 0,
        commands=commands(rest) if word == "RUN" else (),
        is_whole=_CUT not in line.instruction,
    )


def bounded(found: Iterable[Advice], layers: Mapping[int, int]) -> list[Advice]:
    """The advice, most bytes first, what is not known last; no layer's bytes are
    saved twice: what one advice takes of it is no other's any more.

    layers: compressed bytes by the place of the layer, those of a line
    """
    left = dict(layers)
    kept: list[Advice] = []
    for advice in sorted(found, key=_rank):
        saved = advice.saved_bytes
        if saved is not None and advice.evidence:
            first = advice.evidence[0].layer
            if first is None:
                continue
            saved = min(saved, left.get(first, 0))
            if saved < WORTH_BYTES:
                continue
            left[first] -= saved
            advice = replace(advice, saved_bytes=saved)
        kept.append(advice)
    return sorted(kept, key=_rank)


def _rank(advice: Advice) -> tuple[bool, int, bool]:
    """What is measured comes before an estimate of as much."""
    return advice.saved_bytes is None, -(advice.saved_bytes or 0), advice.is_estimate


def advice_json(found: Sequence[Advice]) -> list[dict[str, object]]:
    """As the API and `inspect -o json` give it; unknown is null."""
    return [
        {
            "code": advice.kind,
            "text": advice.text,
            "saved_bytes": advice.saved_bytes,
            "is_estimate": advice.is_estimate,
            "basis": advice.basis,
            "evidence": [asdict(each) for each in advice.evidence],
            "tags": list(advice.tags),
        }
        for advice in found
    ]
