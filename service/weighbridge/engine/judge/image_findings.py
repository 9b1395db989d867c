"""Holds limits against an image as the database has it."""

from msgspec.structs import replace

from weighbridge.domain.policy.policy import Limits
from weighbridge.domain.policy.verdict import (
    Finding,
    LimitedNumbers,
    limits_images,
    measured_image,
    verdict,
)
from weighbridge.store.streams.stream_images import ScopedImages, StreamImage


def needs_layers(limits: Limits, image: StreamImage) -> bool:
    """Whether its totals do not say all that its limits are about."""
    if limits.max_layer_compressed_bytes is not None:
        return True
    is_estimate = image.uncompressed_confidence in ("estimate", "unknown")
    return limits.max_uncompressed_bytes is not None and is_estimate


def waits_for_size(limits: Limits, image: StreamImage) -> bool:
    """Whether a limit is about a size that is still to be measured."""
    is_limited = limits.max_uncompressed_bytes is not None
    return is_limited and image.uncompressed_confidence is None


def waits_for_word(limits: Limits, image: StreamImage) -> bool:
    """Whether a limit is about bytes, and the registry was not asked about all of the
    image's layers yet: it is judged by what its manifest claims, and again later."""
    return not image.is_whole and limits_images(replace(limits, max_layers=None))


def findings_of(
    limits: Limits,
    image: StreamImage,
    images: ScopedImages,
    scope_id: int,
    baseline: int | None,
) -> tuple[Finding, ...]:
    """What each limit says of it.

    images:   layers are asked for only where totals do not say it
    baseline: compressed bytes of the images before it, None: growth is not judged
    """
    if needs_layers(limits, image):
        known = images.weighed(scope_id, image.id)
        if known is not None:
            return verdict(limits, measured_image(known, baseline))
    measured = LimitedNumbers(
        compressed_bytes=image.compressed_bytes,
        uncompressed_bytes=image.uncompressed_bytes,
        layers=image.layers,
        baseline_compressed_bytes=baseline,
    )
    return verdict(limits, measured)
