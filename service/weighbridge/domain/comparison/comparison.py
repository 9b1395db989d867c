"""Two references compared, platform by platform: what both images have, what only one
of them has, their lines side by side, and what made the difference.

Layers are the same where their digests are, in whatever registry they lie. What a layer
weighs is each side's own word: its registry's, else its manifest's claim, so that sums
are those of either image alone.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import product
from typing import Final, Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from weighbridge.domain.growth.cause import (
    MOST_CELLS,
    Cause,
    Pair,
    align_lines,
    compare_images,
    layers_of,
    shared_leading_run,
)
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.image_config import (
    LINE_UNKNOWN,
    NOT_IN_HISTORY,
    SQUASHED,
)
from weighbridge.domain.image.platform import (
    DEFAULT,
    Platform,
    matches,
    reference_platform,
)
from weighbridge.domain.size.confidence import CompressedConfidence, Uncompressed
from weighbridge.domain.size.weigh_image import image_total, weakest_word
from weighbridge.domain.size.weighing import (
    WeighedImage,
    WeighedLayer,
    WeighedLine,
    Weighing,
)

Change: TypeAlias = Literal["same", "rebuilt", "changed", "added", "removed"]
"""What became of a line. `same`: the same layer, or the same text and no layer;
`rebuilt`: the same text with another layer; `changed`: another text in its place."""


class LayersPart(Struct, frozen=True):
    """Layers of one image, in its order.

    layers: each distinct one once
    compressed_bytes: of these
    uncompressed: of every occurrence, as of an image
    """

    layers: tuple[WeighedLayer, ...]
    compressed_bytes: int
    compressed_confidence: CompressedConfidence
    uncompressed: Uncompressed


class ComparedLine(Struct, frozen=True):
    """A line of both images, or of one. None: the other has none in its place."""

    change: Change
    before: WeighedLine | None
    after: WeighedLine | None

    @property
    def instruction(self) -> str:
        """As it is in the second image, else as in the first."""
        line = self.after or self.before
        return "" if line is None else line.instruction

    @property
    def has_layer(self) -> bool:
        """Whether it made a layer in one of them."""
        lines = (self.before, self.after)
        return any(line is not None and line.layer is not None for line in lines)

    @property
    def grown_bytes(self) -> int | None:
        """How much more of what is pulled; None where it is not known of one."""
        was, now = pulled_by(self.before), pulled_by(self.after)
        return None if was is None or now is None else now - was


class PulledAgain(Struct, frozen=True):
    """Lines whose text is the same and whose layers are others.

    compressed_bytes: of their layers in the second image
    because: the last line above all of them that is not the same; None: there is none,
             the image was built without a cache
    """

    lines: int
    compressed_bytes: int
    because: ComparedLine | None


class ImageComparison(Struct, frozen=True):
    """Two images, of one platform where `platform` is not None.

    shared:        the layers that both have, as the second weighs them
    shared_before: the same as the first weighs them; their bytes differ only where two
                   registries, or two manifests that nobody confirms, contradict
    lines:         of both in their order, each once
    cause:         what made the difference in compressed bytes, most first
    """

    before: WeighedImage
    after: WeighedImage
    shared: LayersPart
    shared_before: LayersPart
    only_before: LayersPart
    only_after: LayersPart
    lines: tuple[ComparedLine, ...]
    cause: Cause

    @property
    def platform(self) -> Platform | None:
        """The one that both are pulled for."""
        for name in _SAME_PLATFORM:
            if name(self.before.platform) == name(self.after.platform):
                return self.after.platform
        return None

    @property
    def is_same(self) -> bool:
        """Whether it is one image under two names."""
        return self.before.digest == self.after.digest

    @property
    def grown_bytes(self) -> int:
        """How much more a pull of the second moves where nothing is there yet."""
        return self.after.compressed_bytes - self.before.compressed_bytes

    @property
    def grown_uncompressed_bytes(self) -> int | None:
        """How much larger it is on disk; None where it is not known of one."""
        was = self.before.uncompressed.uncompressed_bytes
        now = self.after.uncompressed.uncompressed_bytes
        return None if was is None or now is None else now - was

    @property
    def pull_bytes(self) -> int:
        """What pulling the second moves where the first is present."""
        return self.only_after.compressed_bytes

    @property
    def base_layers(self) -> int:
        """How many leading layers are a base that both stand on; 0: there is none, or
        it is not known."""
        one, other = self.before.base, self.after.base
        if one is None or other is None or one.reference != other.reference:
            return 0
        if one.relation != "base" or other.relation != "base":
            return 0
        both = min(one.layers or 0, other.layers or 0)
        leading = shared_leading_run(layers_of(self.before), layers_of(self.after))
        return both if both <= leading else 0

    @property
    def base_bytes(self) -> int:
        """What a pull of that base moves, as the second image weighs it."""
        layers = self.after.layers[: self.base_layers]
        return sum({y.digest: y.compressed_bytes for y in layers}.values())

    def is_of_base(self, line: ComparedLine) -> bool:
        """Whether it made a layer of that base."""
        place = None if line.after is None else line.after.layer
        is_same = line.change == "same" and place is not None
        return is_same and (place or 0) < self.base_layers

    @property
    def pulled_again(self) -> PulledAgain | None:
        """None where every line of the same text has its old layer, and where the
        images have nothing in common that a cache could have kept."""
        if not self.shared.layers:
            return None
        rebuilt = [n for n, line in enumerate(self.lines) if line.change == "rebuilt"]
        if not rebuilt:
            return None
        above = (self.lines[n] for n in range(rebuilt[0] - 1, -1, -1))
        return PulledAgain(
            len(rebuilt),
            sum(pulled_by(self.lines[n].after) or 0 for n in rebuilt),
            next((line for line in above if line.change != "same"), None),
        )


class Comparison(Struct, frozen=True):
    """Two references. images: one entry a platform that both have, the one that speaks
    for all first; else one of two platforms, see `has_common_platform`; none where
    one of them has no image. left_out: platforms that both have and that are too many,
    or whose images are too large, to be compared at once. third: beside both, None
    where there is none."""

    before: Weighing
    after: Weighing
    images: tuple[ImageComparison, ...]
    left_out: tuple[Platform, ...] = ()
    third: Weighing | None = None

    @property
    def has_common_platform(self) -> bool:
        """Whether what is compared runs on the same machines."""
        return any(image.platform is not None for image in self.images)


def compare_weighings(
    before: Weighing,
    after: Weighing,
    preferred: Sequence[Platform] = (DEFAULT,),
    platform: Platform | None = None,
) -> Comparison:
    """Each platform that both have; where there is none, the two images whose
    platforms are nearest: the same system and architecture, else the same system, else
    the same architecture, else those that speak for their indexes.

    preferred: in the order in which one of them speaks for an index
    platform:  of this one only
    """
    old, new = (
        [i for i in each.images if platform is None or matches(i.platform, platform)]
        for each in (before, after)
    )
    pairs = _common(old, new)
    if not pairs and platform is None:
        pairs = _nearest(_in_order(old, preferred), _in_order(new, preferred))
    order = [one.platform for one in _in_order([one for one, _ in pairs], preferred)]
    pairs.sort(key=lambda pair: order.index(pair[0].platform))
    few = _affordable(pairs)
    return Comparison(
        before,
        after,
        tuple(compare_two(*pair) for pair in pairs[:few]),
        tuple(one.platform for one, _ in pairs[few:]),
    )


_MOST_WORK: Final = 1_000_000
"""Pairs of lines that are looked at for one comparison, about half a second; a layer
takes as long as fifty of them."""
_LAYER_WORK: Final = 50


def _affordable(pairs: "_Pairs") -> int:
    """How many of the pairs are compared; the first in any case. Whoever pushes
    decides how many platforms, lines and layers there are."""
    work = 0
    for number, (before, after) in enumerate(pairs):
        work += min(len(before.lines) * len(after.lines), MOST_CELLS)
        work += _LAYER_WORK * (len(before.layers) + len(after.layers))
        if number and work > _MOST_WORK:
            return number
    return len(pairs)


def compare_two(before: WeighedImage, after: WeighedImage) -> ImageComparison:
    """One image of each."""
    old = {layer.digest for layer in before.layers}
    new = {layer.digest for layer in after.layers}
    return ImageComparison(
        before=before,
        after=after,
        shared=_part(after, old & new),
        shared_before=_part(before, old & new),
        only_before=_part(before, old - new),
        only_after=_part(after, new - old),
        lines=tuple(
            ComparedLine(_change(pair, before, after), pair.before, pair.after)
            for pair in align_lines(before, after)
        ),
        cause=compare_images(before, after),
    )


class Split(Struct, frozen=True):
    """The layers of an image by how many of three have them, as this one weighs them.

    in_one: in one of the two others
    alone:  in this one only: what pulling it moves where the two others are present
    """

    in_all: LayersPart
    in_one: LayersPart
    alone: LayersPart


def split_of(image: WeighedImage, one: WeighedImage, other: WeighedImage) -> Split:
    """Of a first image beside two others."""
    own, first, second = (
        {layer.digest for layer in each.layers} for each in (image, one, other)
    )
    return Split(
        in_all=_part(image, own & first & second),
        in_one=_part(image, own & (first ^ second)),
        alone=_part(image, own - first - second),
    )


def third_image(images: ImageComparison, third: Weighing | None) -> WeighedImage | None:
    """The one for the platform of two that are compared; None where there is none."""
    pairs = _common([images.after], () if third is None else third.images)
    return pairs[0][1] if pairs else None


def pulled_by(line: WeighedLine | None) -> int | None:
    """What is pulled for a line: 0 where there is none, None where it is not known."""
    return 0 if line is None else line.compressed_bytes


def _part(image: WeighedImage, wanted: set[Digest]) -> LayersPart:
    layers = [layer for layer in image.layers if layer.digest in wanted]
    distinct = {layer.digest: layer for layer in layers}
    return LayersPart(
        layers=tuple(distinct.values()),
        compressed_bytes=sum(y.compressed_bytes for y in distinct.values()),
        compressed_confidence=weakest_word(layers),
        uncompressed=image_total(layers),
    )


_NO_TEXTS: Final = frozenset({LINE_UNKNOWN, NOT_IN_HISTORY, SQUASHED})
"""What stands for lines that are not known: it is the same of different ones."""


def _change(pair: Pair, before: WeighedImage, after: WeighedImage) -> Change:
    old, new = pair.before, pair.after
    if old is None:
        return "added"
    if new is None:
        return "removed"
    was = None if old.layer is None else before.layers[old.layer].digest
    now = None if new.layer is None else after.layers[new.layer].digest
    if was is not None and was == now:
        return "same"
    if old.instruction != new.instruction or new.instruction in _NO_TEXTS:
        return "changed"
    return "same" if was == now else "rebuilt"


def _itself(platform: Platform) -> Platform:
    return platform


def _of_one_build(platform: Platform) -> Platform:
    """Without the revision of Windows: hosts of a build run every revision of it."""
    build = ".".join(platform.os_version.split(".")[:3])
    return replace(platform, os_version=build)


_SAME_PLATFORM: Final[Sequence[Callable[[Platform], Platform]]] = (
    _itself,
    _of_one_build,
)
_Pairs: TypeAlias = list[tuple[WeighedImage, WeighedImage]]


def _common(before: Iterable[WeighedImage], after: Iterable[WeighedImage]) -> _Pairs:
    old, new, pairs = list(before), list(after), []
    for name in _SAME_PLATFORM:
        by_name = {name(image.platform): image for image in reversed(new)}
        for image in list(old):
            other = by_name.pop(name(image.platform), None)
            if other is not None:
                pairs.append((image, other))
                old.remove(image)
                new.remove(other)
    return pairs


def _nearest(before: Sequence[WeighedImage], after: Sequence[WeighedImage]) -> _Pairs:
    """No pair where one of both is empty. Which is nearest does not depend on which
    is named first."""

    def distance(places: tuple[int, int]) -> tuple[object, ...]:
        one, other = before[places[0]].platform, after[places[1]].platform
        return (
            one.os != other.os,
            one.architecture != other.architecture,
            sum(places),
            sorted((one, other)),
        )

    every = product(range(len(before)), range(len(after)))
    nearest = min(every, key=distance, default=None)
    return [] if nearest is None else [(before[nearest[0]], after[nearest[1]])]


def _in_order(
    images: Iterable[WeighedImage], preferred: Sequence[Platform]
) -> list[WeighedImage]:
    """The one that speaks for all, then by platform."""
    every = sorted(images, key=lambda image: image.platform)
    first = reference_platform([image.platform for image in every], preferred)
    return sorted(every, key=lambda image: image.platform != first)
