"""Which of the bases that are known an image stands on, and what of it is certain.

Layers decide, as nobody can make them up: an image that begins with the layers of a
base holds that base. What an annotation says is the word of whoever pushed the image:
it confirms what the layers show, and it is all that is known of a base that we have
never seen.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Final, TypeAlias

from msgspec import Struct

from weighbridge.domain.base.chain import layer_chains, line_chains
from weighbridge.domain.image.document import Image, Line
from weighbridge.domain.image.image_base import FoundBy, Relation
from weighbridge.domain.image.image_config import HISTORY_MISMATCH, keyword

LEAST_BYTES: Final = 512
"""Layers that come to less are those of an empty folder, which anybody's image may
begin with."""
_PAUSE: Final = timedelta(minutes=1)


class KnownBase(Struct, frozen=True):
    """A base as far as it is compared: see `store.models.bases.base_chains`.

    history, line_count: of its lines; empty and 0 where they tell nothing
    """

    id: int
    chain: bytes
    layer_count: int
    platform_id: int | None
    history: bytes
    line_count: int


Bases: TypeAlias = Mapping[bytes, Sequence[KnownBase]]
"""By their layers, or by their lines."""


class NamedBases(Struct, frozen=True):
    """The bases that are known under what an annotation says; both empty: none is.

    by_digest: those of the manifest or index with its digest
    by_name:   those that its name led to at any time, or at least one of them and all
               on which the image may stand
    """

    by_digest: Collection[int] = ()
    by_name: Collection[int] = ()

    @property
    def ids(self) -> set[int]:
        return {*self.by_digest, *self.by_name}


class FoundBase(Struct, frozen=True):
    """What an image stands on, and how many of its layers that are. `base_id` and
    `layers` None: nothing but the annotation says it."""

    base_id: int | None
    relation: Relation
    found_by: FoundBy
    layers: int | None = None


class BaseQuestion(Struct, frozen=True):
    """What is to be looked up for an image.

    platform_id: as the database numbers it
    layers:      its chains, the longest last; see `domain.base.chain`
    lines:       the same of its lines
    """

    image: Image
    platform_id: int
    layers: Sequence[bytes]
    lines: Sequence[bytes]

    @classmethod
    def of(cls, image: Image, platform_id: int) -> "BaseQuestion":
        digests = (layer.digest for layer in image.layers)
        return cls(image, platform_id, layer_chains(digests), line_chains(image.lines))


def find_base(
    asked: BaseQuestion,
    by_layers: Bases,
    by_lines: Bases,
    named: NamedBases,
) -> FoundBase | None:
    """What an image stands on, by what is known of bases. None: that is not known.

    1. The longest chain of its layers that is a base's. All of its layers may be: it is
       that base itself if it has the base's lines, or where these tell nothing; it was
       built on that base if it has other ones. With fewer lines it may be what that
       base was built on, so that they are relatives.
    2. Where an annotation names that same base, it is the base. Any other name counts
       for nothing: one that nobody can confirm would hide what the image holds.
    3. Else what was found is a relative where the image's own lines show that another
       image lies between.
    4. Where no layers are known: a base whose lines, with their times, are the image's
       first ones, for the same platform. A relative, where an annotation names a base
       that is not known: both are the pusher's word.
    5. At last what the annotation says, if it names a base that we do not know.
    """
    is_stranger = asked.image.manifest.base is not None and not named.ids
    found = _by_layers(asked, by_layers)
    if found is not None and found.id in named.ids:
        return FoundBase(found.id, "base", "annotation", found.layer_count)
    found_by: FoundBy = "layers"
    if found is None:
        found, found_by = _by_lines(asked, by_lines), "history"
    if found is None:
        return FoundBase(None, "base", "annotation") if is_stranger else None
    is_contradicted = is_stranger and found_by == "history"
    is_relative = (
        is_contradicted
        or _may_be_below(asked, found)
        or has_inner_end(_own_lines(asked, found))
    )
    relation: Relation = "relative" if is_relative else "base"
    return FoundBase(found.id, relation, found_by, found.layer_count)


def _by_layers(asked: BaseQuestion, known: Bases) -> KnownBase | None:
    layers, sizes, least = asked.image.layers, 0, 0
    while least < len(asked.layers) and sizes < LEAST_BYTES:
        sizes += layers[least].compressed_bytes
        least += 1
    if sizes < LEAST_BYTES:
        return None
    for count in range(len(asked.layers), least - 1, -1):
        bases = known.get(asked.layers[count - 1], ())
        below = [base for base in bases if _begins_with(asked, base)]
        if below:
            return max(below, key=lambda base: base.line_count)
        if bases and (count < len(layers) or _is_another(asked, bases)):
            return min(bases, key=lambda base: (base.line_count, base.id))
    return None


def _begins_with(asked: BaseQuestion, base: KnownBase) -> bool:
    """Whether the lines of a base are the first of the image, and others follow."""
    count = base.line_count
    return 0 < count < len(asked.lines) and asked.lines[count - 1] == base.history


def _is_another(asked: BaseQuestion, bases: Sequence[KnownBase]) -> bool:
    """Whether an image with just the layers of these bases is none of them. Not where
    nobody knows: its config was not read, or lines of one tell nothing."""
    faults = {problem.code for problem in asked.image.problems} - {HISTORY_MISMATCH}
    if faults or not asked.lines:
        return False
    return all(base.line_count and base.history != asked.lines[-1] for base in bases)


def _may_be_below(asked: BaseQuestion, base: KnownBase) -> bool:
    """Whether a base may have been built on the image, by adding lines alone."""
    image = asked.image
    return (
        base.layer_count == len(image.layers)
        and image.history_alignment != "unresolved"
        and len(image.lines) < base.line_count
    )


def _by_lines(asked: BaseQuestion, known: Bases) -> KnownBase | None:
    for chain in reversed(asked.lines[:-1]):
        for base in known.get(chain, ()):
            if (
                _begins_with(asked, base)
                and base.platform_id == asked.platform_id
                and base.layer_count <= len(asked.image.layers)
            ):
                return base
    return None


def _own_lines(asked: BaseQuestion, base: KnownBase) -> Sequence[Line]:
    """The lines after those of a base whose layers it has; none where they cannot be
    told."""
    lines = asked.image.lines
    if _begins_with(asked, base):
        return lines[base.line_count :]
    for place, line in enumerate(lines):
        # The base's own CMD stands before it.
        if line.layer is not None and line.layer >= base.layer_count:
            return lines[place:]
    return ()


def has_inner_end(own: Sequence[Line]) -> bool:
    """Whether there is an image between a base and the lines that follow it: a CMD
    among them, after which nothing was built for a minute or more, and then layers
    were. One build writes its CMD within the same second as what follows; and of 3,468
    inner CMDs of official images 3,348 are the last line of an image that others stand
    on."""
    layers = [place for place, line in enumerate(own) if line.layer is not None]
    last_layer = layers[-1] if layers else 0
    return any(
        keyword(line.instruction) == "CMD" and _paused(line, after)
        for line, after in pairwise(own[: last_layer + 1])
    )


def _paused(line: Line, after: Line) -> bool:
    if line.created_at is None or after.created_at is None:
        return False
    return after.created_at - line.created_at >= _PAUSE
