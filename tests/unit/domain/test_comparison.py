"""Two images beside each other: what both have, what one has, and what changed."""

import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from support.images import a_digest, a_layer, an_image
from support.read_model import (
    ARM,
    a_weighed_image,
    a_weighed_layer,
    a_weighing,
    measured,
)
from weighbridge.domain.comparison.comparison import (
    ImageComparison,
    compare_two,
    compare_weighings,
)
from weighbridge.domain.image.document import HistoryEntry
from weighbridge.domain.image.image_base import ImageBase
from weighbridge.domain.image.image_config import align
from weighbridge.domain.image.platform import DEFAULT, Platform
from weighbridge.domain.size.weigh_image import weigh_image
from weighbridge.domain.size.weighing import WeighedImage, WeighedLayer

MB = 1_000_000
DEBIAN = a_weighed_layer("debian", 50 * MB, measured(120 * MB))
PIP = a_weighed_layer("pip", 40 * MB, measured(90 * MB))
APP = a_weighed_layer("app", 3 * MB, measured(5 * MB))
APP_AGAIN = a_weighed_layer("app again", 4 * MB, measured(6 * MB))
TORCH = a_weighed_layer("torch", 600 * MB, measured(1300 * MB))
I386 = Platform("linux", "386")
WINDOWS = Platform("windows", "amd64", "", "10.0.17763.100")

Step = tuple[str, WeighedLayer | None]


def image_of(*steps: Step, platform: Platform = DEFAULT) -> WeighedImage:
    layers = [layer for _, layer in steps if layer is not None]
    lines: list[tuple[str, int | None]] = []
    number = 0
    for text, layer in steps:
        lines.append((text, None if layer is None else number))
        number += layer is not None
    image = a_weighed_image(layers, lines, platform=platform)
    return replace(image, digest=a_digest(steps))


BEFORE = image_of(
    ("ADD debian /", DEBIAN),
    ("RUN pip install -r requirements.txt", PIP),
    ("COPY . /app", APP),
    ("CMD app", None),
)
AFTER = image_of(
    ("ADD debian /", DEBIAN),
    ("RUN pip install -r requirements.txt", PIP),
    ("RUN pip install torch", TORCH),
    ("COPY . /app", APP_AGAIN),
    ("CMD app", None),
)


def changes(comparison: ImageComparison) -> list[tuple[str, str]]:
    return [(line.change, line.instruction) for line in comparison.lines]


def test_layers_are_in_both_or_in_one() -> None:
    found = compare_two(BEFORE, AFTER)

    assert found.shared.layers == (DEBIAN, PIP)
    assert found.shared.compressed_bytes == 90 * MB
    assert found.shared.uncompressed.uncompressed_bytes == 210 * MB
    assert found.only_before.layers == (APP,)
    assert found.only_after.layers == (TORCH, APP_AGAIN)
    assert found.pull_bytes == 604 * MB
    assert (found.grown_bytes, found.grown_uncompressed_bytes) == (601 * MB, 1301 * MB)


def test_lines_stand_side_by_side() -> None:
    found = compare_two(BEFORE, AFTER)

    assert changes(found) == [
        ("same", "ADD debian /"),
        ("same", "RUN pip install -r requirements.txt"),
        ("added", "RUN pip install torch"),
        ("rebuilt", "COPY . /app"),
        ("same", "CMD app"),
    ]
    assert [line.grown_bytes for line in found.lines] == [0, 0, 600 * MB, MB, 0]


def test_what_grew_is_ordered_by_bytes() -> None:
    cause = compare_two(BEFORE, AFTER).cause

    assert [(c.kind, c.grown_amount) for c in cause.changes] == [
        ("added", 600 * MB),
        ("grown", MB),
    ]


def test_a_line_that_stands_above_others_has_them_pulled_again() -> None:
    again = compare_two(BEFORE, AFTER).pulled_again

    assert again is not None
    assert (again.lines, again.compressed_bytes) == (1, 4 * MB)
    assert again.because is not None
    assert again.because.instruction == "RUN pip install torch"


def test_nothing_is_blamed_where_nothing_changed_above() -> None:
    before = image_of(("ADD debian /", DEBIAN), ("COPY . /app", APP))
    after = image_of(("ADD debian /", DEBIAN), ("COPY . /app", APP_AGAIN))

    again = compare_two(before, after).pulled_again

    assert again is not None
    assert again.because is None


def test_lines_that_went_away_keep_their_order() -> None:
    before = image_of(
        ("RUN make", APP), ("COPY a /", PIP), ("RUN make clean", TORCH), ("CMD a", None)
    )

    assert changes(compare_two(before, image_of(("CMD a", None)))) == [
        ("removed", "RUN make"),
        ("removed", "COPY a /"),
        ("removed", "RUN make clean"),
        ("same", "CMD a"),
    ]


def test_another_text_in_the_place_of_a_line_is_a_change() -> None:
    before = image_of(("RUN apt-get install -y git", APP))
    after = image_of(("RUN apt-get install -y git texlive", TORCH))

    assert changes(compare_two(before, after)) == [
        ("changed", "RUN apt-get install -y git texlive")
    ]


def test_layers_without_known_lines_are_not_called_the_same_line() -> None:
    def unknown(name: str) -> WeighedImage:
        history = [HistoryEntry(f"RUN {name} {n}") for n in range(3)]
        lines, alignment = align(history, 2)
        layers = [a_layer("debian", MB), a_layer(name, 2 * MB)]
        image = an_image(layers, lines=lines, history_alignment=alignment)
        return weigh_image(image, {})

    found = compare_two(unknown("one"), unknown("two"))

    assert found.before.history_alignment == "unresolved"
    with_layers = [line.change for line in found.lines if line.has_layer]
    assert with_layers == ["same", "changed"]


def test_a_size_that_is_not_known_gives_no_difference() -> None:
    unmeasured = a_weighed_layer("torch", 600 * MB)
    after = replace(
        image_of(("ADD debian /", DEBIAN), ("RUN pip install torch", unmeasured)),
        uncompressed=BEFORE.uncompressed,
    )
    after = replace(
        after, uncompressed=replace(after.uncompressed, uncompressed_bytes=None)
    )

    found = compare_two(BEFORE, after)

    assert found.grown_uncompressed_bytes is None
    assert found.only_after.uncompressed.uncompressed_bytes is None
    assert found.grown_bytes == 557 * MB


def test_each_side_weighs_a_layer_by_its_own_word() -> None:
    claimed = a_weighed_layer("debian", 90 * MB, claim_reason="not_asked")
    disputed = a_weighed_layer("debian", 50 * MB, claimed_bytes=1)

    found = compare_two(
        image_of(("ADD debian /", claimed)), image_of(("ADD debian /", disputed))
    )

    assert found.shared_before.compressed_bytes == 90 * MB
    assert found.shared_before.compressed_confidence == "claimed"
    assert found.shared.compressed_bytes == 50 * MB
    assert found.shared.compressed_confidence == "disputed"
    assert found.pull_bytes == 0
    assert found.grown_bytes == -40 * MB


def on_base(image: WeighedImage, layers: int, name: str = "debian:10") -> WeighedImage:
    base = ImageBase(name, (), layers, 50 * MB, 0.5, "base", "layers")
    return replace(image, base=base)


def test_a_base_of_both_is_told_with_its_lines() -> None:
    found = compare_two(on_base(BEFORE, 1), on_base(AFTER, 1))

    assert (found.base_layers, found.base_bytes) == (1, 50 * MB)
    assert [found.is_of_base(line) for line in found.lines] == [True, *[False] * 4]


@pytest.mark.parametrize(
    "other",
    [
        AFTER,
        on_base(AFTER, 1, "ubuntu:22.04"),
        on_base(replace(AFTER, layers=(TORCH, *AFTER.layers)), 1),
        replace(
            AFTER,
            base=ImageBase("debian:10", (), None, None, None, "base", "annotation"),
        ),
        replace(
            AFTER, base=ImageBase("debian:10", (), 1, 1, 0.1, "relative", "layers")
        ),
    ],
    ids=["unknown", "other", "moved", "said", "relative"],
)
def test_no_base_is_told_that_only_one_stands_on(other: WeighedImage) -> None:
    found = compare_two(on_base(BEFORE, 1), other)

    assert (found.base_layers, found.base_bytes) == (0, 0)
    assert not any(map(found.is_of_base, found.lines))


def test_each_common_platform_is_compared_the_headline_first() -> None:
    arm = [replace(image, platform=ARM) for image in (BEFORE, AFTER)]
    other = replace(BEFORE, platform=I386)

    found = compare_weighings(
        a_weighing(arm[0], BEFORE, other), a_weighing(AFTER, arm[1])
    )

    assert [image.platform for image in found.images] == [DEFAULT, ARM]
    assert found.has_common_platform


def test_images_without_a_common_platform_are_compared_by_the_nearest() -> None:
    v6, v7 = Platform("linux", "arm", "v6"), Platform("linux", "arm", "v7")
    before = [replace(BEFORE, platform=p) for p in (DEFAULT, v7)]
    after = [replace(AFTER, platform=p) for p in (WINDOWS, ARM, v6)]

    found = compare_weighings(a_weighing(*before), a_weighing(*after))

    assert not found.has_common_platform
    (image,) = found.images
    assert (image.before.platform, image.after.platform) == (v7, v6)
    assert image.platform is None


def test_revisions_of_one_build_of_windows_are_one_platform() -> None:
    before = replace(BEFORE, platform=WINDOWS)
    after = replace(AFTER, platform=replace(WINDOWS, os_version="10.0.17763.200"))
    other = replace(AFTER, platform=replace(WINDOWS, os_version="10.0.20348.1"))

    found = compare_weighings(a_weighing(before), a_weighing(other, after))

    assert [image.after for image in found.images] == [after]
    assert found.has_common_platform


def test_what_a_pusher_made_too_large_is_compared_one_at_a_time() -> None:
    lines = [(f"RUN {number}", None) for number in range(450)]
    platforms = [Platform("linux", f"cpu{number:02}") for number in range(12)]
    before = a_weighing(*(replace(image_of(*lines), platform=p) for p in platforms))
    after = image_of(*reversed(lines))
    began = time.process_time()

    found = compare_weighings(
        before, a_weighing(*(replace(after, platform=p) for p in platforms))
    )

    assert time.process_time() - began < 4
    assert 0 < len(found.images) < 12
    assert len(found.images) + len(found.left_out) == 12
    (alone,) = compare_weighings(before, found.after, platform=platforms[11]).images
    assert alone.platform == platforms[11]


def test_of_one_platform_alone_nothing_nearest_is_taken() -> None:
    before = a_weighing(BEFORE, replace(BEFORE, platform=ARM))

    found = compare_weighings(before, a_weighing(AFTER), platform=ARM)

    assert found.images == ()


def test_what_has_no_image_is_compared_with_nothing() -> None:
    assert compare_weighings(a_weighing(), a_weighing(AFTER)).images == ()


POOL = [
    a_weighed_layer(("pool", n), size * MB, measured(3 * size * MB))
    for n, size in enumerate((1, 2, 5, 80, 300))
]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["RUN make", "RUN make all", "COPY . /", "ENV A=1", "ADD x /"]),
        st.none() | st.sampled_from(POOL),
    ),
    max_size=8,
)
PLATFORMS = st.lists(
    st.sampled_from([DEFAULT, ARM, I386, Platform("linux", "arm", "v7"), WINDOWS]),
    unique=True,
    min_size=1,
    max_size=3,
)


def weighed(steps: Sequence[Step]) -> WeighedImage:
    """As real images are: of a layer that is there twice the first line has the
    bytes."""
    image = image_of(*steps)
    pulled: set[int | str] = set()
    lines = []
    for line in image.lines:
        digest = None if line.layer is None else image.layers[line.layer].digest
        if digest is not None and digest in pulled:
            line = replace(line, compressed_bytes=0)
        if digest is not None:
            pulled.add(digest)
        lines.append(line)
    return replace(image, lines=tuple(lines))


IMAGES = STEPS.map(weighed)


@given(IMAGES)
def test_an_image_compared_with_itself_shows_no_change(image: WeighedImage) -> None:
    found = compare_two(image, image)

    assert found.is_same
    assert found.only_before.layers == found.only_after.layers == ()
    assert found.shared.compressed_bytes == image.compressed_bytes
    assert (found.pull_bytes, found.grown_bytes) == (0, 0)
    assert {line.change for line in found.lines} <= {"same"}
    assert found.cause.changes == ()
    assert found.pulled_again is None


@given(IMAGES, IMAGES)
def test_the_parts_sum_to_the_images_and_lines_to_the_difference(
    before: WeighedImage, after: WeighedImage
) -> None:
    found = compare_two(before, after)

    assert before.compressed_bytes == (
        found.only_before.compressed_bytes + found.shared_before.compressed_bytes
    )
    assert after.compressed_bytes == (
        found.only_after.compressed_bytes + found.shared.compressed_bytes
    )
    assert found.grown_bytes == sum(line.grown_bytes or 0 for line in found.lines)
    assert found.grown_bytes == found.cause.grown_amount
    assert after.uncompressed.uncompressed_bytes == (
        (found.only_after.uncompressed.uncompressed_bytes or 0)
        + (found.shared.uncompressed.uncompressed_bytes or 0)
    )
    assert [line.after for line in found.lines if line.after] == list(after.lines)
    assert sorted(map(id, before.lines)) == sorted(
        id(line.before) for line in found.lines if line.before
    )


@given(IMAGES, IMAGES)
def test_the_other_way_round_it_is_the_mirror_image(
    before: WeighedImage, after: WeighedImage
) -> None:
    one, other = compare_two(before, after), compare_two(after, before)

    assert one.shared == other.shared_before
    assert (one.only_before, one.only_after) == (other.only_after, other.only_before)
    assert one.grown_bytes == -other.grown_bytes
    assert one.cause.grown_amount == -other.cause.grown_amount
    assert sum(line.grown_bytes or 0 for line in one.lines) == -sum(
        line.grown_bytes or 0 for line in other.lines
    )


@given(PLATFORMS, PLATFORMS)
def test_the_same_platforms_are_compared_either_way(
    before: list[Platform], after: list[Platform]
) -> None:
    one = a_weighing(*(replace(BEFORE, platform=p) for p in before))
    other = a_weighing(*(replace(AFTER, platform=p) for p in after))

    there, back = compare_weighings(one, other), compare_weighings(other, one)

    assert [(i.before.platform, i.after.platform) for i in there.images] == [
        (i.after.platform, i.before.platform) for i in back.images
    ]
    assert len(there.images) == (len(set(before) & set(after)) or 1)
