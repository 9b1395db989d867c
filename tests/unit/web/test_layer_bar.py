"""The bar of layers: its parts are the whole, whatever the layers are."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from weighbridge.web.views.charts import (
    JOIN_BELOW_BYTES,
    MAX_SEGMENTS,
    MIN_SHARE,
    Label,
    Segment,
    bar_labels,
    layer_bar,
    row_share,
)


def some_parts(*compressed_bytes: int) -> list[Segment]:
    """Parts of these sizes; the first of the largest is the heaviest."""
    heaviest = compressed_bytes.index(max(compressed_bytes))
    return [
        Segment(
            f"l{i + 1}", f"RUN step-{i}", f"line {i + 1}", n, is_heaviest=i == heaviest
        )
        for i, n in enumerate(compressed_bytes)
    ]


PYTHON = some_parts(
    55_025_206,
    5_163_370,
    10_876_737,
    54_583_611,
    196_877_237,
    6_291_002,
    15_949_846,
    235,
    2_886_092,
)


def test_widths_are_the_shares_of_the_bytes() -> None:
    segments = layer_bar(PYTHON)

    assert [s.width for s in segments] == [
        15.83,
        1.49,
        3.13,
        15.70,
        56.17,
        1.81,
        4.59,
        0.45,
        0.83,
    ]


def test_what_small_layers_gain_is_taken_from_the_largest() -> None:
    heaviest, tiny = layer_bar(some_parts(999_999_000, 1_000))

    assert (heaviest.width, tiny.width) == (99.55, 0.45)
    assert (heaviest.x, tiny.x) == (0, 99.55)


def test_small_layers_that_touch_are_one_segment() -> None:
    segments = layer_bar(some_parts(900_000_000, 92, 1_204, 41_000_000, 300))

    assert [s.text for s in segments] == [
        "RUN step-0",
        "2 smaller layers",
        "RUN step-3",
        "RUN step-4",
    ]
    assert segments[1].compressed_bytes == 92 + 1_204
    assert segments[1].key == "l2"


def test_small_layers_with_a_large_one_between_them_stay_apart() -> None:
    segments = layer_bar(some_parts(100, 900_000_000, 100))

    assert [s.parts for s in segments] == [1, 1, 1]


def test_an_image_of_small_layers_only_still_has_a_segment_each() -> None:
    segments = layer_bar(some_parts(600_000, 300_000, 100_000))

    assert [s.width for s in segments] == [60, 30, 10]


def test_an_image_without_bytes_has_no_bar() -> None:
    assert layer_bar(some_parts(0, 0)) == []


def test_thousands_of_large_layers_are_joined_until_they_can_be_seen() -> None:
    segments = layer_bar(some_parts(*[JOIN_BELOW_BYTES + i for i in range(4_096)]))

    assert len(segments) <= MAX_SEGMENTS
    assert sum(s.parts for s in segments) == 4_096


@given(st.lists(st.integers(0, 2**44), min_size=1, max_size=300))
def test_the_parts_are_the_whole(compressed_bytes: list[int]) -> None:
    segments = layer_bar(some_parts(*compressed_bytes))

    total = sum(compressed_bytes)
    assert sum(s.compressed_bytes for s in segments) == total
    assert bool(segments) == bool(total)
    if segments:
        assert sum(round(s.width * 100) for s in segments) == 10_000
        assert min(s.width for s in segments) >= MIN_SHARE
        ends = [round((s.x + s.width) * 100) for s in segments]
        assert [round(s.x * 100) for s in segments] == [0, *ends[:-1]]


def test_the_heaviest_line_is_named_and_small_ones_are_not() -> None:
    labels = bar_labels(layer_bar(PYTHON))

    assert [label.text for label in labels] == [
        "55.0 MB",
        "54.6 MB",
        "◆ line 5 · 197 MB",
    ]


def test_a_label_that_has_no_room_is_left_to_wider_windows() -> None:
    labels = bar_labels(layer_bar(some_parts(90, 80, 80, 80, 80, 80, 80, 80)))

    assert labels[0].is_heaviest
    assert labels[0].css == ""
    assert "p3" in {label.css for label in labels}


@given(st.lists(st.integers(1, 10**10), min_size=1, max_size=40))
def test_labels_never_run_into_one_another(compressed_bytes: list[int]) -> None:
    labels = bar_labels(layer_bar(some_parts(*compressed_bytes)))

    for width, hidden in ((318, {"p2", "p3"}), (560, {"p3"}), (880, set[str]())):
        ends = [_ends(label, width) for label in labels if label.css not in hidden]
        assert all(left >= 0 and right <= width for left, right in ends)
        gaps = zip(sorted(ends), sorted(ends)[1:], strict=False)
        assert all(one[1] < other[0] for one, other in gaps)


def _ends(label: Label, width: int) -> tuple[float, float]:
    """A digit of the font is 6.7 px wide at most."""
    pixels = len(label.text) * 6.7
    at = label.x * width / 100
    return (at - pixels, at) if label.is_end else (at, at + pixels)


def test_a_bar_of_something_is_never_nothing() -> None:
    assert row_share(1, 10**12) == 0.6
    assert row_share(0, 10**12) == 0
    assert row_share(5, 10) == 50
    assert row_share(5, 0) == 0


@given(
    st.lists(st.integers(1, 10**9), min_size=1, max_size=40),
    st.integers(0, 40),
)
def test_no_part_is_of_the_base_and_of_the_image(sizes: list[int], base: int) -> None:
    parts = [
        replace(part, is_base=place < base)
        for place, part in enumerate(some_parts(*sizes))
    ]

    segments = layer_bar(parts)

    of_base = sum(s.compressed_bytes for s in segments if s.is_base)
    assert of_base == sum(sizes[:base])
    # The heaviest of all is apart, so that its base is in three parts at most.
    assert sum(s.is_base for s in segments) <= 3
    assert round(sum(s.width for s in segments), 2) == 100
