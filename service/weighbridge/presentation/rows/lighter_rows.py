"""What the API says would make an image lighter, for the OpenAPI description."""

from dataclasses import dataclass
from datetime import datetime

from weighbridge.domain.advice.own_lines import AdviceKind
from weighbridge.domain.base.variants import VariantKind
from weighbridge.domain.image.digest import Digest


@dataclass(frozen=True, slots=True)
class EvidenceAnswer:
    """A line that an advice is about: `line` as pages number it, `layer` an index into
    the image's layers."""

    line: int | None
    layer: int | None
    digest: Digest | None
    instruction: str
    compressed_bytes: int | None


@dataclass(frozen=True, slots=True)
class AdviceAnswer:
    """What could be left out of the image. `saved_bytes` is null where it is not
    known; `basis` says how it is known, or why it is not."""

    code: AdviceKind
    text: str
    saved_bytes: int | None
    is_estimate: bool
    basis: str
    evidence: list[EvidenceAnswer]
    tags: list[str]


@dataclass(frozen=True, slots=True)
class FleetSavingAnswer:
    """What a variant would save if all images on the base stood on it: in storage each
    layer counts once a storage scope."""

    images: int
    repositories: int
    stored_bytes: int | None


@dataclass(frozen=True, slots=True)
class SavingAnswer:
    """A slimmer variant of the base, measured for the same platform. `saved_bytes` is
    what a pull of this image moves less."""

    kind: VariantKind
    base: str
    base_compressed_bytes: int
    variant: str
    variant_compressed_bytes: int
    variant_seen_at: datetime
    saved_bytes: int
    fleet: FleetSavingAnswer | None
    patch: str
    caution: str
