"""What policy says of an image: over, just below, below, or not known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.images import a_layer, an_image
from weighbridge.domain.policy.policy import (
    LIMIT_KEYS,
    NO_LIMITS,
    Finding,
    LimitedNumbers,
    Limits,
    LimitState,
    is_exceeded,
    limits_images,
    measured_image,
    verdict,
)
from weighbridge.domain.size import confidence
from weighbridge.domain.size.confidence import Uncompressed
from weighbridge.domain.size.weigh_image import weigh_image

MB = 1_000_000
SIZES = st.integers(0, 2**63 - 1)
SOME = st.none() | SIZES
LIMITS = st.builds(
    Limits,
    max_compressed_bytes=SOME,
    max_uncompressed_bytes=SOME,
    max_growth=st.none() | st.floats(0, 1_000),
    min_growth_bytes=SOME,
    max_layers=SOME,
    max_layer_compressed_bytes=SOME,
    max_deduplicated_bytes=SOME,
)
MEASURED = st.builds(
    LimitedNumbers,
    compressed_bytes=SOME,
    uncompressed_bytes=SOME,
    uncompressed_low_bytes=SOME,
    uncompressed_high_bytes=SOME,
    layers=SOME,
    largest_layer_compressed_bytes=SOME,
    baseline_compressed_bytes=SOME,
    deduplicated_bytes=SOME,
)
GROWTH = Limits(max_growth=0.25, min_growth_bytes=50 * MB)


def only(limits: Limits, measured: LimitedNumbers) -> Finding:
    (finding,) = verdict(limits, measured)
    return finding


@pytest.mark.parametrize(
    ("amount", "keeping"),
    [
        (949, "kept"),
        (950, "kept"),
        (1_000, "kept"),
        (1_001, "over"),
    ],
)
def test_an_image_of_exactly_its_limit_keeps_it(
    amount: int, keeping: LimitState
) -> None:
    found = only(
        Limits(max_compressed_bytes=1_000), LimitedNumbers(compressed_bytes=amount)
    )

    assert found == Finding("max_compressed", keeping, amount, 1_000)
    assert found.excess == max(amount - 1_000, 0)


@pytest.mark.parametrize(
    ("value", "low", "high", "keeping", "amount"),
    [
        (900, None, None, "kept", 900),
        (900, 900, 900, "kept", 900),
        (1_100, 1_001, 1_200, "over", 1_100),
        (990, 900, 1_100, "maybe", 990),
        (1_050, 900, 1_100, "maybe", 1_050),
        (990, 980, 1_000, "kept", 990),
        (None, 1_001, None, "over", 1_001),
        (None, 900, 1_100, "unknown", None),
        (None, None, None, "unknown", None),
    ],
)
def test_of_an_estimate_both_bounds_count(
    value: int | None,
    low: int | None,
    high: int | None,
    keeping: LimitState,
    amount: int | None,
) -> None:
    measured = LimitedNumbers(
        uncompressed_bytes=value,
        uncompressed_low_bytes=low,
        uncompressed_high_bytes=high,
    )

    found = only(Limits(max_uncompressed_bytes=1_000), measured)

    assert (found.keeping, found.amount) == (keeping, amount)


@pytest.mark.parametrize(
    ("size", "baseline", "keeping", "limit"),
    [
        # A quarter more of 400 MB; 50 MB more of 100 MB.
        (500, 400, "kept", 500),
        (501, 400, "over", 500),
        (479, 400, "kept", 500),
        (480, 400, "kept", 500),
        (149, 100, "kept", 150),
        (150, 100, "over", 150),
        (139, 100, "kept", 150),
        (50, 100, "kept", 150),
        (100, 100, "kept", 150),
    ],
)
def test_growth_is_too_much_by_share_and_by_bytes(
    size: int, baseline: int, keeping: LimitState, limit: int
) -> None:
    measured = LimitedNumbers(
        compressed_bytes=size * MB, baseline_compressed_bytes=baseline * MB
    )

    found = only(GROWTH, measured)

    assert (found.keeping, found.limit_amount) == (keeping, limit * MB)


def test_growth_without_a_baseline_says_nothing() -> None:
    assert verdict(GROWTH, LimitedNumbers(compressed_bytes=9_000 * MB)) == ()


def test_a_limit_of_the_repository_says_nothing_of_an_image() -> None:
    limits = Limits(max_deduplicated_bytes=1)

    assert verdict(limits, LimitedNumbers(compressed_bytes=100)) == ()
    assert not limits_images(limits)
    assert only(limits, LimitedNumbers(deduplicated_bytes=2)).keeping == "over"


def test_an_image_has_all_numbers_that_limits_are_about() -> None:
    layers = [a_layer("a", 100), a_layer("b", 30), a_layer("a", 100)]
    exact = Uncompressed("exact", 500, 500, 500)
    sizes = {layers[0].digest: confidence.MeasuredBlob(100, exact)}

    measured = measured_image(weigh_image(an_image(layers), sizes), 90)

    assert measured.compressed_bytes == 130
    assert measured.layers == 3
    assert measured.largest_layer_compressed_bytes == 100
    assert measured.baseline_compressed_bytes == 90
    assert measured.uncompressed_bytes is None
    assert measured.uncompressed_low_bytes == 1_000


def test_without_limits_nothing_is_said() -> None:
    assert verdict(NO_LIMITS, LimitedNumbers(compressed_bytes=1, layers=1)) == ()
    assert not limits_images(NO_LIMITS)


@given(LIMITS, MEASURED)
def test_any_limits_find_something_of_any_numbers(
    limits: Limits, measured: LimitedNumbers
) -> None:
    found = verdict(limits, measured)

    keys = [finding.key for finding in found]
    assert keys == [key for key in LIMIT_KEYS if key in keys]
    assert all(limits.by_key[key] is not None for key in keys)
    assert is_exceeded(found) == any(f.keeping == "over" for f in found)
    for finding in found:
        assert (finding.amount is None) == (finding.keeping == "unknown")


@given(SIZES, SIZES)
def test_heavier_is_never_kept_better(limit: int, amount: int) -> None:
    order = ("kept", "over")
    limits = Limits(max_compressed_bytes=limit)

    lighter = only(limits, LimitedNumbers(compressed_bytes=amount))
    heavier = only(limits, LimitedNumbers(compressed_bytes=amount + 1))

    assert order.index(lighter.keeping) <= order.index(heavier.keeping)


@given(SIZES, SIZES, st.floats(0, 100), SIZES)
def test_more_growth_is_never_kept_better(
    size: int, baseline: int, share: float, least: int
) -> None:
    order = ("kept", "over")
    limits = Limits(max_growth=share, min_growth_bytes=least)

    def keeping(amount: int) -> int:
        measured = LimitedNumbers(
            compressed_bytes=amount, baseline_compressed_bytes=baseline
        )
        return order.index(only(limits, measured).keeping)

    assert keeping(size) <= keeping(size + 1)
