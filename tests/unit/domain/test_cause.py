"""Why an image weighs more than the one before it."""

import time
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from support.images import a_layer, an_image
from weighbridge.domain.growth.cause import (
    CHANGES,
    Cause,
    LineChange,
    compare_images,
    explain_growth,
    layers_of,
    shared_leading_run,
    whole_image,
)
from weighbridge.domain.image.document import HistoryEntry, Layer, Line
from weighbridge.domain.image.image_config import align
from weighbridge.domain.size.confidence import MeasuredBlob, Uncompressed
from weighbridge.domain.size.weigh_image import weigh_image
from weighbridge.domain.size.weighing import WeighedImage

MB = 1_000_000
BASE = a_layer("debian", 50 * MB)
JAVA_8 = a_layer("java 8", 70 * MB)
JAVA_9 = a_layer("java 9", 180 * MB)
ENV = ("ENV A=b", None)

Step = tuple[str, Layer | None]


def weighed(*steps: Step) -> WeighedImage:
    """An image with these lines, and the layers of those that have one."""
    layers = [layer for _, layer in steps if layer is not None]
    lines, number = [], 0
    for text, layer in steps:
        lines.append(Line(text, None, None if layer is None else number))
        number += layer is not None
    return weigh_image(an_image(layers, lines=lines), {})


def without_history(*layers: Layer) -> WeighedImage:
    lines, alignment = align([], len(layers))
    image = an_image(layers, lines=lines, history_alignment=alignment)
    return weigh_image(image, {})


def added_up(cause: Cause) -> int:
    return sum(c.grown_amount or 0 for c in cause.changes) + cause.other_grown_amount


def test_the_line_that_added_most_comes_first() -> None:
    before = weighed(("FROM debian", BASE), ("RUN make", a_layer("made", MB)))
    after = weighed(
        ("FROM debian", BASE),
        ("COPY models /models", a_layer("models", 600 * MB)),
        ENV,
        ("RUN make", a_layer("made again", 3 * MB)),
    )

    cause = compare_images(before, after)

    assert cause.of == "own"
    assert cause.changes == (
        LineChange("added", "COPY models /models", None, 600 * MB, 600 * MB),
        LineChange("grown", "RUN make", MB, 3 * MB, 2 * MB),
    )
    assert cause.grown_amount == 602 * MB
    assert cause.key is not None


def test_a_line_that_was_edited_has_grown() -> None:
    before = weighed(("RUN apt-get install -y git", a_layer("git", 20 * MB)))
    after = weighed(("RUN apt-get install -y git texlive", a_layer("tex", 420 * MB)))

    (change,) = compare_images(before, after).changes

    assert change == LineChange(
        "grown", "RUN apt-get install -y git texlive", 20 * MB, 420 * MB, 400 * MB
    )


def test_a_line_of_another_version_is_the_same_line() -> None:
    before = weighed(
        ("RUN install go 1.20.3", a_layer("go", 90 * MB)),
        ("COPY dir:0123456789abcdef in /", a_layer("dir", MB)),
    )
    after = weighed(
        ("RUN clean", a_layer("clean", 10)),
        ("RUN install go 1.21.0", a_layer("go 2", 95 * MB)),
        ("COPY dir:fedcba9876543210 in /", a_layer("dir 2", MB)),
    )

    kinds = [(c.kind, c.grown_amount) for c in compare_images(before, after).changes]

    assert kinds == [("grown", 5 * MB), ("added", 10), ("replaced", 0)]


def test_lines_that_went_away_come_last() -> None:
    before = weighed(("FROM debian", BASE), ("ADD big /", a_layer("big", 300 * MB)))
    after = weighed(("FROM debian", BASE), ("RUN make", a_layer("made", 9 * MB)))

    cause = compare_images(before, after)

    assert [c.kind for c in cause.changes] == ["added", "removed"]
    assert cause.grown_amount == -291 * MB


def test_what_did_not_change_is_no_cause() -> None:
    image = weighed(("FROM debian", BASE), ENV, ("RUN make", a_layer("made", MB)))

    cause = compare_images(image, image)

    assert (cause.changes, cause.grown_amount, cause.key) == ((), 0, None)


def test_without_a_history_layers_speak_for_themselves() -> None:
    before = without_history(BASE, JAVA_8)
    after = without_history(BASE, JAVA_9, a_layer("more", MB))

    cause = compare_images(before, after)

    assert cause.of == "unknown"
    assert sorted(c.grown_amount or 0 for c in cause.changes) == [MB, 110 * MB]
    assert cause.grown_amount == 111 * MB


def test_a_squashed_layer_that_grew_is_nobody_s_line() -> None:
    history = [
        HistoryEntry("COPY a /a", None, empty_layer=True),
        HistoryEntry("RUN b", None, empty_layer=False),
    ]
    lines, alignment = align(history, 1)

    def squashed(size: int) -> WeighedImage:
        layers = [a_layer(("squashed", size), size)]
        image = an_image(layers, lines=lines, history_alignment=alignment)
        return weigh_image(image, {})

    assert compare_images(squashed(MB), squashed(5 * MB)).of == "unknown"


def test_images_that_got_the_same_layer_have_the_same_cause() -> None:
    def built(java: Layer, app: str) -> WeighedImage:
        own = a_layer((app, java.digest), 3 * MB)
        return weighed(("FROM", BASE), ("RUN java", java), ("COPY app /", own))

    one = compare_images(built(JAVA_8, "tomcat"), built(JAVA_9, "tomcat"))
    other = compare_images(built(JAVA_8, "jetty"), built(JAVA_9, "jetty"))
    own = compare_images(
        built(JAVA_9, "jetty"),
        weighed(("FROM", BASE), ("RUN java", JAVA_9), ("COPY app /", a_layer(0, MB))),
    )

    assert one.key == other.key is not None
    assert own.key != one.key


def test_a_base_that_others_share_is_told_apart_from_what_is_own() -> None:
    old = weighed(("FROM", BASE), ("RUN java", JAVA_8), ("COPY app /", a_layer(1, MB)))
    new = weighed(
        ("FROM", BASE), ("RUN java", JAVA_9), ("COPY app /", a_layer(2, 61 * MB))
    )
    other = weighed(("FROM", BASE), ("RUN java", JAVA_9), ("ADD x", a_layer(3, MB)))
    shared = shared_leading_run(layers_of(new), layers_of(other))

    cause = compare_images(old, new, shared_layers=shared)

    assert shared == 2
    assert (cause.of, cause.grown_amount) == ("both", 170 * MB)
    assert cause.base_grown_amount == 110 * MB
    assert [c.of_base for c in cause.changes] == [True, False]


def test_what_only_the_base_did_is_the_base_s() -> None:
    old = weighed(("FROM", BASE), ("RUN java", JAVA_8), ("COPY app /", a_layer(1, MB)))
    new = weighed(("FROM", BASE), ("RUN java", JAVA_9), ("COPY app /", a_layer(2, MB)))

    assert compare_images(old, new, shared_layers=2).of == "base"
    assert compare_images(old, new).of == "own"


def test_an_image_with_nothing_before_it_is_told_by_its_lines() -> None:
    image = weighed(("FROM debian", BASE), ENV, ("RUN java", JAVA_9))

    cause = whole_image(image)

    assert [c.instruction for c in cause.changes] == ["RUN java", "FROM debian"]
    assert (cause.key, cause.grown_amount) == (None, 230 * MB)


def test_t11_thousands_of_lines_are_compared_in_bounded_time() -> None:
    def many(name: str) -> WeighedImage:
        steps = [
            (f"RUN {name}{chr(97 + n % 26)}{'x' * (n // 26)}", n) for n in range(4_096)
        ]
        return weighed(*((text, a_layer((name, n), n)) for text, n in steps))

    one, other = many("p"), many("q")
    began = time.process_time()
    cause = compare_images(one, other)

    assert time.process_time() - began < 5
    assert len(cause.changes) <= CHANGES
    assert added_up(cause) == cause.grown_amount


NAMES = st.integers(0, 5)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["RUN a", "RUN b 1", "RUN b 2", "COPY x /", "ENV A=b", ""]),
        st.none() | st.tuples(NAMES, st.integers(0, 2**40)),
    ),
    max_size=40,
)


def image_of(steps: Sequence[tuple[str, tuple[int, int] | None]]) -> WeighedImage:
    return weighed(
        *(
            (text, None if layer is None else a_layer(layer, layer[1]))
            for text, layer in steps
        )
    )


@given(STEPS, STEPS, st.integers(0, 50))
@settings(max_examples=300)
def test_any_two_images_have_a_cause_that_adds_up(
    one: Sequence[tuple[str, tuple[int, int] | None]],
    other: Sequence[tuple[str, tuple[int, int] | None]],
    shared: int,
) -> None:
    before, after = image_of(one), image_of(other)

    cause = compare_images(before, after, shared_layers=shared)

    assert cause.grown_amount == after.compressed_bytes - before.compressed_bytes
    assert added_up(cause) == cause.grown_amount
    assert len(cause.changes) <= CHANGES
    first = [grown for c in cause.changes if (grown := c.grown_amount or 0) > 0]
    assert first == sorted(first, reverse=True)


@given(st.lists(NAMES, max_size=20), st.lists(NAMES, max_size=20))
def test_images_without_a_history_add_up_too(
    one: Sequence[int], other: Sequence[int]
) -> None:
    before = without_history(*(a_layer(n, 10**n) for n in one))
    after = without_history(*(a_layer(n, 10**n) for n in other))

    cause = compare_images(before, after)

    assert added_up(cause) == after.compressed_bytes - before.compressed_bytes


@given(st.lists(NAMES), st.lists(NAMES), st.lists(NAMES))
def test_the_shared_run_is_what_both_begin_with(
    start: list[int], one: list[int], other: list[int]
) -> None:
    mine = [a_layer(n).digest for n in start + one]
    theirs = [a_layer(n).digest for n in start + other]

    count = shared_leading_run(mine, theirs)

    assert count >= len(start)
    assert mine[:count] == theirs[:count]
    assert mine[count : count + 1] != theirs[count : count + 1] or not mine[count:]


def measured(*steps: tuple[str, Layer | None, int | None]) -> WeighedImage:
    """An image whose layers hold so much; None: that is not known."""
    known = {
        layer.digest: MeasuredBlob(
            layer.compressed_bytes, Uncompressed("exact", size, size, size)
        )
        for _, layer, size in steps
        if layer is not None and size is not None
    }
    layers = [layer for _, layer, _ in steps if layer is not None]
    lines, number = [], 0
    for text, layer, _ in steps:
        lines.append(Line(text, None, None if layer is None else number))
        number += layer is not None
    return weigh_image(an_image(layers, lines=lines), known)


ROOT = ("ADD rootfs in /", a_layer("rootfs", 26 * MB), 66 * MB)
ZEROS = ("COPY zeros.img /", a_layer("zeros", MB), 734 * MB)


def test_what_is_over_on_disk_is_the_line_that_added_most_on_disk() -> None:
    before, after = measured(ROOT), measured(ROOT, ZEROS)

    for cause in (
        explain_growth(None, after, "uncompressed_bytes"),
        explain_growth(before, after, "uncompressed_bytes"),
    ):
        assert cause.heaviest is not None
        assert cause.heaviest.instruction == "COPY zeros.img /"
        assert cause.heaviest.grown_amount == 734 * MB
    heaviest = explain_growth(None, after).heaviest
    assert heaviest is not None
    assert heaviest.instruction == "ADD rootfs in /"


def test_a_line_whose_size_is_not_known_is_not_ranked_by_another_one() -> None:
    unknown = ("COPY big /", a_layer("big", 500 * MB), None)

    some = explain_growth(None, measured(ROOT, unknown), "uncompressed_bytes")
    none = explain_growth(None, measured(unknown), "uncompressed_bytes")

    assert [c.grown_amount for c in some.changes] == [66 * MB, None]
    assert (some.unknown_lines, some.grown_amount) == (1, 66 * MB)
    assert (none.heaviest, none.unknown_lines) == (None, 1)


def test_too_many_layers_are_counted_in_layers() -> None:
    before = weighed(("FROM debian", BASE))
    after = weighed(
        ("FROM debian", BASE), ("RUN a", a_layer("a", 1)), ("RUN b", a_layer("b", MB))
    )

    cause = explain_growth(before, after, "layers")

    assert (cause.quantity, cause.grown_amount) == ("layers", 2)
    assert [(c.instruction, c.grown_amount) for c in cause.changes] == [
        ("RUN a", 1),
        ("RUN b", 1),
    ]


def test_one_layer_that_is_too_heavy_is_named_whatever_grew_more() -> None:
    before = weighed(("RUN models", a_layer("models", 290 * MB)))
    after = weighed(
        ("RUN models", a_layer("models 2", 310 * MB)),
        ("RUN new", a_layer("new", 250 * MB)),
    )

    cause = explain_growth(before, after, "layer_compressed_bytes")

    assert cause.heaviest is not None
    assert (cause.heaviest.instruction, cause.heaviest.amount) == (
        "RUN models",
        310 * MB,
    )
    assert cause.grown_amount == 20 * MB


def test_what_is_stored_counts_only_layers_that_nothing_else_has() -> None:
    image = weighed(("FROM debian", BASE), ("RUN java", JAVA_9))

    cause = whole_image(image, "deduplicated_bytes", added={JAVA_9.digest})

    assert [(c.instruction, c.amount) for c in cause.changes] == [
        ("RUN java", 180 * MB)
    ]
