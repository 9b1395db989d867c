"""What policy says of one image: each limit with how it is kept."""

from collections.abc import Sequence
from typing import Literal, TypeAlias

from msgspec import Struct

from weighbridge.domain.policy.policy import IMAGE_KEYS, LimitKey, Limits
from weighbridge.domain.size.weighing import WeighedImage

LimitState: TypeAlias = Literal["kept", "over", "maybe", "unknown"]
"""`maybe`: an estimate whose low bound keeps it and whose high bound does not;
`unknown`: nothing is known that could be compared."""


class LimitedNumbers(Struct, frozen=True):
    """The numbers of an image, or of a repository, that limits are about. None: it is
    not known, or not of this.

    uncompressed_low_bytes, uncompressed_high_bytes: bounds of an estimate; the value
        itself where it is sure. high None: it has no bound
    baseline_compressed_bytes: what images before it weighed, None below three
    """

    compressed_bytes: int | None = None
    uncompressed_bytes: int | None = None
    uncompressed_low_bytes: int | None = None
    uncompressed_high_bytes: int | None = None
    layers: int | None = None
    largest_layer_compressed_bytes: int | None = None
    baseline_compressed_bytes: int | None = None
    deduplicated_bytes: int | None = None


class Finding(Struct, frozen=True):
    """One limit held against one number.

    amount:       bytes, or a number of layers; None where it is not known. Of an
                  estimate its low bound, where that is over the limit
    limit_amount: the same of the limit. Of `max_growth` the most compressed bytes that
                  the image might have
    """

    key: LimitKey
    keeping: LimitState
    amount: int | None
    limit_amount: int

    @property
    def excess(self) -> int:
        """How much it is over the limit; 0 where it is not."""
        return max((self.amount or 0) - self.limit_amount, 0)


def measured_image(image: WeighedImage, baseline: int | None = None) -> LimitedNumbers:
    """The numbers of a weighed image."""
    size = image.uncompressed
    return LimitedNumbers(
        compressed_bytes=image.compressed_bytes,
        uncompressed_bytes=size.uncompressed_bytes,
        uncompressed_low_bytes=size.low_bytes,
        uncompressed_high_bytes=size.high_bytes,
        layers=len(image.layers),
        largest_layer_compressed_bytes=max(
            (layer.compressed_bytes for layer in image.layers), default=0
        ),
        baseline_compressed_bytes=baseline,
    )


def verdict(limits: Limits, measured: LimitedNumbers) -> tuple[Finding, ...]:
    """A finding for each limit that is set, in the order of `LIMIT_KEYS`. Growth
    without a baseline and `max_deduplicated` of an image are left out: these limits
    say nothing of it."""
    found = (
        _most("max_compressed", measured.compressed_bytes, limits.max_compressed_bytes),
        _uncompressed(limits, measured),
        _growth(limits, measured),
        _most("max_layers", measured.layers, limits.max_layers),
        _most(
            "max_layer_compressed",
            measured.largest_layer_compressed_bytes,
            limits.max_layer_compressed_bytes,
        ),
        _of_repository(limits, measured),
    )
    return tuple(finding for finding in found if finding is not None)


def limits_images(limits: Limits) -> bool:
    """Whether any of them is about an image."""
    values = limits.by_key
    return any(values[key] is not None for key in IMAGE_KEYS)


def is_exceeded(findings: Sequence[Finding]) -> bool:
    """Whether any limit is."""
    return any(finding.keeping == "over" for finding in findings)


def _most(key: LimitKey, amount: int | None, limit: int | None) -> Finding | None:
    if limit is None:
        return None
    if amount is None:
        return Finding(key, "unknown", None, limit)
    return Finding(key, _kept(amount, limit), amount, limit)


def _kept(amount: int, limit: int) -> LimitState:
    """An image of exactly its limit is not over it."""
    return "over" if amount > limit else "kept"


def _uncompressed(limits: Limits, measured: LimitedNumbers) -> Finding | None:
    limit = limits.max_uncompressed_bytes
    if limit is None:
        return None
    value = measured.uncompressed_bytes
    low = measured.uncompressed_low_bytes
    high = measured.uncompressed_high_bytes
    low = value if low is None else low
    if low is not None and low > limit:
        return Finding(
            "max_uncompressed", "over", low if value is None else value, limit
        )
    if value is None:
        return Finding("max_uncompressed", "unknown", None, limit)
    if high is not None and high > limit:
        return Finding("max_uncompressed", "maybe", value, limit)
    return Finding("max_uncompressed", _kept(value, limit), value, limit)


def _growth(limits: Limits, measured: LimitedNumbers) -> Finding | None:
    baseline = measured.baseline_compressed_bytes
    share = limits.max_growth
    if share is None or baseline is None or measured.compressed_bytes is None:
        return None
    least = limits.min_growth_bytes or 0
    most_growth = max(int(baseline * share), least)
    grown = measured.compressed_bytes - baseline
    # `max_growth` is exceeded above it, `min_growth` is reached at it.
    is_over = grown > int(baseline * share) and grown >= least and grown > 0
    return Finding(
        "max_growth",
        "over" if is_over else "kept",
        measured.compressed_bytes,
        baseline + most_growth,
    )


def _of_repository(limits: Limits, measured: LimitedNumbers) -> Finding | None:
    if measured.deduplicated_bytes is None:
        return None
    return _most(
        "max_deduplicated", measured.deduplicated_bytes, limits.max_deduplicated_bytes
    )
