"""The shape of what the API tells a gate about one image."""

from dataclasses import dataclass

from weighbridge.domain.image.digest import Digest
from weighbridge.presentation.rows.policy_rows import PolicyDecision


@dataclass(frozen=True, slots=True)
class ImageLimit(PolicyDecision):
    """One key of policies. `waived_until`: until then it is waived; null: it is not."""

    waived_until: str | None


@dataclass(frozen=True, slots=True)
class EarlierImageRow:
    """An image that a tag like this one has pointed to, compressed. Of a tag without
    any platform that is configured it is its reference image."""

    platform: str
    digest: Digest
    compressed_bytes: int


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """What holds for an image; `images` are those before it, of each platform that is
    configured (`platforms`) the latest first. Growth is counted from the median of ten.
    `images_known`: whether there are no others, since the repository was crawled to its
    end, or the registry does not have it."""

    registry: str
    repository: str
    tag: str | None
    items: list[ImageLimit]
    images: list[EarlierImageRow]
    images_known: bool
    platforms: list[str]
