"""Bounds of an on-disk size, where they tell a person something."""

from typing import Final

from weighbridge.domain.size.confidence import Uncompressed
from weighbridge.domain.size.weighing import WeighedImage
from weighbridge.domain.text.units import format_bytes

_TELLING: Final = 100
"""Nothing but zeros shrinks to a hundredth, though gzip allows a thousandth."""


def bounds_in_words(
    size: Uncompressed, compressed_bytes: int, *, iec: bool = False
) -> str:
    """`1.50 GB to 2.10 GB`, `at least 8.15 GB`, or "".

    A low bound below what is compressed says nothing, as tar files hardly grow by
    being compressed; nor does a high bound that only the format sets.
    """
    low, high = size.low_bytes, size.high_bytes
    least = "" if low is None or low < compressed_bytes else format_bytes(low, iec=iec)
    most = (
        ""
        if high is None or high > _TELLING * compressed_bytes
        else format_bytes(high, iec=iec)
    )
    if least and most:
        return f"{least} to {most}"
    return f"at least {least}" if least else f"at most {most}" if most else ""


def least_bytes(image: WeighedImage) -> int:
    """What the image has on disk at the least: its total, or the known layers."""
    if image.uncompressed.uncompressed_bytes is not None:
        return image.uncompressed.uncompressed_bytes
    return sum(
        layer.uncompressed.low_bytes or 0 if layer.uncompressed else 0
        for layer in image.layers
    )
