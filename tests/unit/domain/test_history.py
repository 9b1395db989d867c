"""Layers are given to the lines that made them, or to no line."""

import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.shared import shared_path
from weighbridge.domain.image.document import HistoryEntry
from weighbridge.domain.image.history import (
    LINE_UNKNOWN,
    NOT_IN_HISTORY,
    SQUASHED,
    align,
)

NOP = "/bin/sh -c #(nop) "


def entries(*lines: str | tuple[str, bool]) -> list[HistoryEntry]:
    """A line alone has no `empty_layer`; a pair says it."""
    return [
        HistoryEntry(line)
        if isinstance(line, str)
        else HistoryEntry(line[0], empty_layer=line[1])
        for line in lines
    ]


def layers_of(history: Sequence[HistoryEntry], layers: int) -> list[int | None]:
    lines, _ = align(history, layers)
    return [line.layer for line in lines]


def alignment(history: Sequence[HistoryEntry], layers: int, os: str = "linux") -> str:
    return align(history, layers, os)[1]


def test_lines_that_are_not_empty_take_the_layers_in_order() -> None:
    history = entries(
        f"{NOP} ADD file:aa in / ",
        (f'{NOP} CMD ["bash"]', True),
        "|1 A=b /bin/sh -c make",
        ("/bin/sh -c true", True),
        ("COPY . /app # buildkit", False),
    )

    assert layers_of(history, 3) == [0, None, 1, None, 2]
    assert alignment(history, 3) == "exact"


def test_a_squashed_image_gives_its_layer_to_the_merge() -> None:
    history = [
        *entries(("ADD file:aa in /", True), ("/bin/sh -c apt-get update", True)),
        HistoryEntry("", comment="merge sha256:aa to sha256:bb"),
    ]

    lines, sureness = align(history, 1)

    assert [line.layer for line in lines] == [None, None, 0]
    assert lines[2].instruction == "merge sha256:aa to sha256:bb"
    assert sureness == "exact"


def test_counting_is_not_believed_where_metadata_would_make_a_layer() -> None:
    history = entries("ADD file:aa in /", "ENV A=b", ("RUN make", True))

    assert alignment(history, 2) == "unresolved"


def test_every_line_of_a_windows_image_may_make_a_layer() -> None:
    history = entries("Apply image 10.0.1", "cmd /S /C #(nop) ENV A=b")

    assert alignment(history, 2, "windows") == "exact"
    assert alignment(history, 2, "linux") == "unresolved"


def test_without_empty_layer_metadata_is_left_out() -> None:
    history = entries("ADD file:aa in /", 'CMD ["bash"]', "RUN make", "WORKDIR /app")

    assert layers_of(history, 3) == [0, None, 1, 2]
    assert layers_of(history, 2) == [0, None, 1, None]
    assert {alignment(history, n) for n in (2, 3)} == {"inferred"}


def test_a_line_that_did_nothing_leaves_the_history_unresolved() -> None:
    history = entries("ADD file:aa in /", "RUN true", "RUN make")

    lines, sureness = align(history, 2)

    assert sureness == "unresolved"
    assert [line.layer for line in lines] == [None, None, None, 0, 1]
    assert [line.instruction for line in lines[3:]] == [LINE_UNKNOWN, LINE_UNKNOWN]


def test_a_workdir_that_is_said_to_make_a_layer_is_not_argued_with() -> None:
    history = entries("ADD file:aa in /", ("WORKDIR /a", False), ("ENV A=b", True))

    assert alignment(history, 1) == "unresolved"


def test_a_short_history_moves_no_size_to_a_wrong_line_config_blob_005() -> None:
    # `docker import` leaves no history, so one entry may stand for the last layer.
    history = entries("RUN make")

    lines, sureness = align(history, 3)

    assert sureness == "unresolved"
    assert [(line.instruction, line.layer) for line in lines] == [
        ("RUN make", None),
        (LINE_UNKNOWN, 0),
        (LINE_UNKNOWN, 1),
        (LINE_UNKNOWN, 2),
    ]


def test_an_image_without_history_still_shows_its_layers() -> None:
    lines, sureness = align([], 2)

    assert [(line.instruction, line.layer) for line in lines] == [
        (NOT_IN_HISTORY, 0),
        (NOT_IN_HISTORY, 1),
    ]
    assert sureness == "unresolved"


def test_an_image_of_nothing_has_nothing_to_resolve() -> None:
    assert align([], 0) == ((), "exact")
    assert alignment(entries("ENV A=b"), 0) == "inferred"


def test_more_lines_than_layers_are_not_guessed_at() -> None:
    assert alignment(entries("RUN a", "RUN b", "RUN c"), 1) == "unresolved"


@given(
    st.lists(
        st.builds(
            HistoryEntry,
            created_by=st.sampled_from(
                ["RUN a", "ENV A=b", "WORKDIR /a", "COPY . /", "", f"{NOP} CMD x", "?"]
            ),
            empty_layer=st.none() | st.booleans(),
        ),
        max_size=12,
    ),
    st.integers(0, 12),
    st.sampled_from(["linux", "windows", ""]),
)
def test_every_layer_is_on_one_line_in_order(
    history: list[HistoryEntry], layers: int, os: str
) -> None:
    lines, sureness = align(history, layers, os)

    placed = [line.layer for line in lines if line.layer is not None]
    assert placed == list(range(layers))
    if sureness == "unresolved":
        assert all(line.layer is None for line in lines[: len(history)])
    else:
        squashed = [line for line in lines if line.instruction == SQUASHED]
        assert len(lines) == len(history) + len(squashed)
        assert sureness == "inferred" or not squashed


def test_buildahs_one_layer_of_several_lines_is_on_no_single_line() -> None:
    history = entries(
        ("/bin/sh -c #(nop) COPY file:aa in /a ", True),
        ("/bin/sh -c #(nop) ENV X=1", True),
        ("/bin/sh -c #(nop) COPY file:bb in /b ", True),
        '/bin/sh -c #(nop) CMD ["/b"]',
    )

    lines, sureness = align(history, 1)

    assert sureness == "inferred"
    assert [(line.instruction, line.layer) for line in lines if line.layer == 0] == [
        (SQUASHED, 0)
    ]


def test_a_copy_that_is_marked_empty_is_in_the_layer_that_follows() -> None:
    history = entries(
        "ADD rootfs.tar /",
        ("COPY a /a", True),
        "RUN b",
    )

    lines, sureness = align(history, 2)

    assert sureness == "inferred"
    assert [line.layer for line in lines] == [0, None, None, 1]
    assert lines[-1].instruction == SQUASHED


def test_a_run_that_changed_nothing_does_not_make_a_layer_shared() -> None:
    history = entries("ADD rootfs.tar /", ("RUN true", True), "RUN b")

    lines, sureness = align(history, 2)

    assert sureness == "exact"
    assert [line.layer for line in lines] == [0, None, 1]


@dataclass(frozen=True, slots=True)
class Recorded:
    """One real image with the layer of each line, None where that is not known."""

    history: list[HistoryEntry]
    layer_of: list[int | None]
    layers: int
    os: str
    was: str


def recorded_images() -> Iterator[Recorded]:
    with gzip.open(shared_path("dataset/images.jsonl.gz"), "rt") as records:
        for record in map(json.loads, records):
            if record["history"] and record["history_alignment"] != "none":
                yield Recorded(
                    history=[
                        HistoryEntry(line["created_by"], None, line["empty_layer"])
                        for line in record["history"]
                    ],
                    layer_of=[line.get("layer") for line in record["history"]],
                    layers=len(record["layers"]),
                    os=record["platform"]["os"],
                    was=record["history_alignment"],
                )


def raw_configs() -> Iterator[tuple[list[HistoryEntry], int]]:
    with gzip.open(shared_path("dataset/images.jsonl.gz"), "rt") as records:
        for record in map(json.loads, records):
            if "raw_config" in record:
                config = json.loads(record["raw_config"])
                history = [
                    HistoryEntry(
                        line["created_by"],
                        empty_layer=line.get("empty_layer"),
                        comment=line.get("comment", ""),
                    )
                    for line in config["history"]
                ]
                yield history, len(config["rootfs"]["diff_ids"])


def test_all_raw_configs_are_aligned_by_counting() -> None:
    found = [alignment(history, layers) for history, layers in raw_configs()]

    assert found == ["exact"] * 164


def test_real_histories_are_aligned_as_they_were_recorded() -> None:
    wrong = []
    exact = 0
    for image in recorded_images():
        lines, sureness = align(image.history, image.layers, image.os)
        if sureness != "unresolved":
            exact += 1
            if [line.layer for line in lines] != image.layer_of:
                wrong.append(image)

    assert wrong == []
    assert exact > 3_300


def test_real_histories_without_empty_layer_are_right_or_unresolved() -> None:
    wrong = []
    resolved = 0
    for image in recorded_images():
        stripped = [HistoryEntry(entry.created_by) for entry in image.history]
        lines, sureness = align(stripped, image.layers, image.os)
        if sureness == "unresolved" or image.was == "unresolved":
            continue
        resolved += 1
        if [line.layer for line in lines] != image.layer_of:
            wrong.append(image)

    assert wrong == []
    assert resolved > 2_700


@pytest.mark.parametrize(
    ("name", "layers", "sureness"),
    [
        ("buildkit_python_synthetic", 5, "exact"),
        ("classic_builder_synthetic", 3, "exact"),
        ("ci-schema2-config", 5, "exact"),
        ("mismatch_squashed_synthetic", 1, "exact"),
        ("mismatch_more_history_than_layers_synthetic", 1, "unresolved"),
        ("mismatch_no_history_synthetic", 2, "unresolved"),
    ],
)
def test_sample_configs_are_aligned(name: str, layers: int, sureness: str) -> None:
    path = shared_path(f"samples/configs/{name}.json")
    history = [
        HistoryEntry(
            line.get("created_by", ""),
            empty_layer=line.get("empty_layer"),
            comment=line.get("comment", ""),
        )
        for line in json.loads(path.read_text()).get("history", [])
    ]

    assert alignment(history, layers) == sureness
