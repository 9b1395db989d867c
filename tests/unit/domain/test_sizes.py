"""An image weighs what its layers weigh, and is as sure as the weakest that matters."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from support.images import a_digest, a_layer, an_image, some_layers
from weighbridge.domain.image.document import HistoryAlignment, Layer, Line
from weighbridge.domain.image.image_config import SQUASHED
from weighbridge.domain.size.confidence import (
    CONFIDENCES,
    Confidence,
    MeasuredBlob,
    Uncompressed,
)
from weighbridge.domain.size.weigh_image import image_total, weigh_image
from weighbridge.domain.size.weighing import WeighedImage, WeighedLayer

MB = 1_000_000


def sure(n: int, confidence: Confidence = "exact") -> Uncompressed:
    return Uncompressed(confidence, n, n, n)


def weighed(uncompressed: Uncompressed | None, compressed: int = MB) -> WeighedLayer:
    return WeighedLayer(
        digest=a_digest(),
        media_type="x.tar+gzip",
        compressed_bytes=compressed,
        is_foreign=False,
        uncompressed=uncompressed,
        claimed_bytes=compressed,
        compressed_confidence="known",
    )


def total_of(*sizes: Uncompressed | None) -> Uncompressed:
    return image_total([weighed(size) for size in sizes])


def test_a_total_is_the_sum_and_as_sure_as_its_weakest_layer() -> None:
    assert total_of(sure(5), sure(7)) == sure(12)
    assert total_of(sure(5), sure(7, "trailer")) == sure(12, "trailer")
    assert total_of(sure(5, "trailer"), sure(7, "trailer")) == sure(12, "trailer")


def test_an_estimate_that_matters_makes_the_total_an_estimate() -> None:
    estimate = Uncompressed("estimate", 60, 50, 90, "ambiguous_isize")

    assert total_of(sure(100, "trailer"), estimate) == Uncompressed(
        "estimate", 160, 150, 190, "ambiguous_isize"
    )


def test_an_unknown_layer_that_matters_leaves_no_total() -> None:
    unknown = Uncompressed("unknown", None, 3, 900, "zstd_without_size")

    assert total_of(sure(100), unknown) == Uncompressed(
        "unknown", None, 103, 1000, "zstd_without_size"
    )


def test_bounds_closer_than_half_a_percent_of_the_total_do_not_count() -> None:
    at_the_edge = Uncompressed("unknown", None, 0, 5 * MB, "corrupt_gzip")
    beyond = Uncompressed("unknown", None, 0, 5 * MB + 1, "corrupt_gzip")

    assert total_of(sure(1000 * MB, "trailer"), at_the_edge) == Uncompressed(
        "trailer", 1000 * MB, 1000 * MB, 1005 * MB
    )
    assert total_of(sure(1000 * MB, "trailer"), beyond).uncompressed_bytes is None


def test_a_mislabelled_tar_with_tight_bounds_keeps_the_total() -> None:
    tight = Uncompressed("unknown", None, 400, 400, "format_mismatch")

    assert total_of(sure(100), tight) == sure(500)
    assert total_of(tight) == Uncompressed("estimate", 400, 400, 400)


def test_a_layer_not_yet_measured_is_unknown() -> None:
    size = total_of(sure(100), None)

    assert (size.confidence, size.reason) == ("unknown", "not_measured")
    assert (size.low_bytes, size.high_bytes) == (100, 100 + 1032 * MB)


def test_bounds_that_nobody_knows_have_no_sum() -> None:
    size = total_of(sure(100), Uncompressed("unknown", None, None, None, "x"))

    assert size == Uncompressed("unknown", None, 100, None, "x")


def test_an_image_of_no_layers_weighs_nothing_for_certain() -> None:
    assert image_total([]) == sure(0)


def test_the_reason_is_that_of_the_layer_with_the_widest_bounds() -> None:
    narrow = Uncompressed("unknown", None, 0, 500, "multi_member")
    wide = Uncompressed("unknown", None, 0, 900, "zstd_without_size")

    assert total_of(narrow, wide, sure(1)).reason == "zstd_without_size"


@st.composite
def some_sizes(draw: st.DrawFn) -> tuple[Uncompressed, int]:
    """A size and the truth that its bounds hold."""
    low, truth, high = sorted(
        draw(st.lists(st.integers(0, 10**6), min_size=3, max_size=3))
    )
    confidence = draw(st.sampled_from(CONFIDENCES))
    if confidence in ("exact", "trailer"):
        return sure(truth, confidence), truth
    value = None if confidence == "unknown" else draw(st.integers(low, high))
    return Uncompressed(confidence, value, low, high, "because"), truth


@given(st.lists(some_sizes(), max_size=8))
def test_the_bounds_of_a_total_hold_the_truth(
    sizes: list[tuple[Uncompressed, int]],
) -> None:
    total = total_of(*(size for size, _ in sizes))

    assert total.low_bytes is not None
    assert total.high_bytes is not None
    assert total.low_bytes <= sum(truth for _, truth in sizes) <= total.high_bytes
    assert (total.uncompressed_bytes is None) == (total.confidence == "unknown")
    if total.uncompressed_bytes is not None:
        assert total.low_bytes <= total.uncompressed_bytes <= total.high_bytes


def weigh(
    layers: Sequence[Layer],
    lines: Sequence[Line] | None = None,
    measured: Mapping[str, int] | None = None,
    alignment: HistoryAlignment = "exact",
) -> WeighedImage:
    image = an_image(layers, lines=lines, history_alignment=alignment)
    claims = {layer.digest: layer.compressed_bytes for layer in layers}
    sizes = {
        a_digest(name): MeasuredBlob(claims.get(a_digest(name)), sure(n))
        for name, n in (measured or {}).items()
    }
    return weigh_image(image, sizes)


def test_a_repeated_layer_is_pulled_once_and_unpacked_each_time() -> None:
    layers = [a_layer("a", 100), a_layer("b", 10), a_layer("a", 100)]

    image = weigh(layers, measured={"a": 300, "b": 20})

    assert image.compressed_bytes == 110
    assert image.uncompressed == sure(620)
    assert [line.compressed_bytes for line in image.lines] == [100, 10, 0]
    assert [line.uncompressed_bytes for line in image.lines] == [300, 20, 300]
    assert sum(line.compressed_bytes or 0 for line in image.lines) == 110


def test_a_line_without_a_layer_weighs_nothing() -> None:
    moment = datetime(2024, 1, 2, tzinfo=UTC)
    lines = [Line("ENV A=b", moment, None), Line("RUN make", None, 0)]

    image = weigh([a_layer("a", 100)], lines, {"a": 300})

    first, second = image.lines
    assert (first.compressed_bytes, first.uncompressed_bytes) == (0, 0)
    assert first.created_at == moment
    assert (second.compressed_bytes, second.uncompressed_bytes) == (100, 300)


def test_a_line_whose_layer_is_not_known_has_no_weight_config_blob_005() -> None:
    lines = [Line("RUN make", None, None), Line("(line unknown)", None, 0)]

    image = weigh([a_layer("a", 100)], lines, alignment="unresolved")

    assert image.lines[0].compressed_bytes is None
    assert image.lines[0].uncompressed_bytes is None
    assert image.lines[1].compressed_bytes == 100
    assert image.lines[1].uncompressed_bytes is None


def test_foreign_layers_count_in_a_pull() -> None:
    image = weigh([a_layer("a", 100), a_layer("base", 900, is_foreign=True)])

    assert image.compressed_bytes == 1000
    assert [layer.is_foreign for layer in image.layers] == [False, True]


def test_what_a_line_adds_to_a_shared_layer_is_not_known() -> None:
    lines = [
        Line("COPY a /a", None, None),
        Line("ENV A=b", None, None),
        Line("RUN b", None, None),
        Line(SQUASHED, None, 0),
        Line("CMD c", None, None),
    ]
    image = an_image(some_layers(900), lines=lines, history_alignment="inferred")

    weighed = weigh_image(image, {})

    assert [line.compressed_bytes for line in weighed.lines] == [None, 0, None, 900, 0]


def test_the_registrys_word_beats_the_claim_in_both_directions() -> None:
    layers = [a_layer("light", 1), a_layer("heavy", 2**44), a_layer("true", 7)]
    words = {"light": 3 * MB, "heavy": 5, "true": 7}
    answers = {a_digest(k): MeasuredBlob(n, sure(n)) for k, n in words.items()}

    image = weigh_image(an_image(layers), answers)

    assert image.compressed_bytes == 3 * MB + 12
    assert image.claimed_bytes == 2**44 + 8
    assert image.compressed_confidence == "disputed"
    assert [y.compressed_confidence for y in image.layers] == [
        "disputed",
        "disputed",
        "known",
    ]
    assert [line.compressed_bytes for line in image.lines] == [3 * MB, 5, 7]


def test_one_layer_that_is_only_claimed_makes_the_image_claimed() -> None:
    layers = [a_layer("light", 1), a_layer("asked", 7), a_layer("new", 9)]
    unknown = Uncompressed("unknown", None, 0, 9, "no_length")
    answers = {
        a_digest("light"): MeasuredBlob(MB, sure(MB)),
        a_digest("asked"): MeasuredBlob(None, unknown, "no_length"),
    }

    image = weigh_image(an_image(layers), answers)

    assert image.compressed_confidence == "claimed"
    assert [y.claim_reason for y in image.layers] == ["", "no_length", "not_asked"]


def test_a_foreign_layer_that_the_registry_holds_is_an_ordinary_one() -> None:
    layers = [a_layer(n, 5, is_foreign=True) for n in ("here", "far", "new")]
    answers = {
        a_digest("here"): MeasuredBlob(5, sure(9)),
        a_digest("far"): MeasuredBlob(None, sure(9), "not_found"),
    }

    image = weigh_image(an_image(layers), answers)

    assert [y.is_foreign for y in image.layers] == [False, True, True]
    assert [y.claim_reason for y in image.layers] == ["", "foreign", "not_asked"]
