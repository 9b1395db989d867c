"""What a comparison's JSON consists of (`comparison_rows` writes it), for the API's
description."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from weighbridge.domain.comparison.comparison import Change
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.document import HistoryAlignment
from weighbridge.domain.size.confidence import CompressedConfidence, Confidence
from weighbridge.presentation.rows.base_rows import ImageBaseAnswer
from weighbridge.presentation.rows.policy_rows import CauseRow


@dataclass(frozen=True, slots=True)
class UncompressedSize:
    """Bytes after decompression. Null is unknown, never 0; the reason says why."""

    uncompressed_bytes: int | None
    uncompressed_confidence: Confidence
    uncompressed_low_bytes: int | None
    uncompressed_high_bytes: int | None
    uncompressed_reason: str | None


@dataclass(frozen=True, slots=True)
class ComparedReference:
    """What was asked for; `platforms` are all that it lists."""

    reference: str
    registry: str
    repository: str
    tag: str | None
    digest: Digest
    media_type: str
    kind: Literal["image", "index", "artifact", "unweighable"]
    platforms: list[str]


@dataclass(frozen=True, slots=True)
class ComparedImage(UncompressedSize):
    """One of both images; `layers` is how many it has."""

    platform: str
    digest: Digest
    created_at: datetime | None
    compressed_bytes: int
    compressed_confidence: CompressedConfidence
    claimed_bytes: int
    layers: int
    history_alignment: HistoryAlignment
    base: ImageBaseAnswer | None


@dataclass(frozen=True, slots=True)
class ComparedLayer(UncompressedSize):
    """One layer as its image weighs it."""

    digest: Digest
    compressed_bytes: int
    compressed_confidence: CompressedConfidence
    claimed_bytes: int
    foreign: bool


@dataclass(frozen=True, slots=True)
class LayersSummed(UncompressedSize):
    """Layers, each distinct one once, and their sums."""

    compressed_bytes: int
    compressed_confidence: CompressedConfidence
    layers: list[ComparedLayer]


@dataclass(frozen=True, slots=True)
class ThirdImage(ComparedImage):
    """A third image: the layers that all three have, as it weighs them, and those that
    it alone has, which pulling it moves where both others are."""

    in_all: LayersSummed
    only_c: LayersSummed


@dataclass(frozen=True, slots=True)
class LineOfImage:
    """A line in one of both images. `line` is the number that pages show, `layer`
    counts from 0; null: it has no layer."""

    line: int | None
    layer: int | None
    digest: Digest | None
    instruction: str
    compressed_bytes: int | None
    compressed_confidence: CompressedConfidence | None
    uncompressed_bytes: int | None


@dataclass(frozen=True, slots=True)
class LinePair:
    """A line of both, or of one: null where the other image has none in its place."""

    change: Change
    instruction: str
    a: LineOfImage | None
    b: LineOfImage | None
    grown_compressed_bytes: int | None


@dataclass(frozen=True, slots=True)
class LinesPulledAgain:
    """Lines of the same text with another layer; `because`: the line above all of them
    that changed, null where there is none."""

    lines: int
    compressed_bytes: int
    because: str | None


@dataclass(frozen=True, slots=True)
class ComparedImages:
    """Two images, of one platform where `platform` is not null. `shared` has the layers
    of both as `b` weighs them; `pull_bytes` is what pulling `b` moves where `a` is."""

    platform: str | None
    is_same: bool
    a: ComparedImage
    b: ComparedImage
    c: ThirdImage | None
    grown_compressed_bytes: int
    grown_uncompressed_bytes: int | None
    pull_bytes: int
    shared: LayersSummed
    only_a: LayersSummed
    only_b: LayersSummed
    lines: list[LinePair]
    cause: CauseRow
    pulled_again: LinesPulledAgain | None


@dataclass(frozen=True, slots=True)
class ComparisonAnswer:
    """Two references side by side, platform by platform. Where they have none in common
    `images` has the two whose platforms are nearest. `c`: a third one beside both."""

    schema: Literal["weighbridge.compare/1"]
    a: ComparedReference
    b: ComparedReference
    c: ComparedReference | None
    has_common_platform: bool
    images: list[ComparedImages]
    cost: None
    warnings: list[str]
