"""Layers are given to the lines that made them, or to no line."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.data import documents
from support.replica.records import Record, recorded, written
from weighbridge.domain.image.document import HistoryEntry
from weighbridge.domain.image.image_config import (
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


def entries_of(record: Record) -> list[HistoryEntry]:
    return [
        HistoryEntry(str(line["created_by"]), None, is_empty(line))
        for line in record.history or ()
    ]


def is_empty(line: Mapping[str, object]) -> bool | None:
    said = line["empty_layer"]
    return None if said is None else bool(said)


def layers_in(record: Record) -> list[object]:
    """The layer of each line; None where that is not known."""
    return [line.get("layer") for line in record.history or ()]


@pytest.fixture(
    params=["written", pytest.param("recorded", marks=pytest.mark.long)], scope="module"
)
def kind(request: pytest.FixtureRequest) -> str:
    """Images of `tests/data`, or all that were recorded."""
    return str(request.param)


@pytest.fixture
def records(kind: str) -> list[Record]:
    """Those of which each line's layer was written down."""
    return [
        record
        for record in (written() if kind == "written" else recorded())
        if record.history and record.history_alignment != "none"
    ]


def test_all_whole_configs_are_aligned_by_counting(
    records: list[Record], kind: str
) -> None:
    configs = [json.loads(r.raw_config) for r in records if r.raw_config]

    found = [
        alignment(history_of(config), len(config["rootfs"]["diff_ids"]))
        for config in configs
    ]

    assert found == ["exact"] * {"written": 3, "recorded": 164}[kind]


def test_histories_are_aligned_as_they_were_written_down(
    records: list[Record], kind: str
) -> None:
    wrong = []
    exact = 0
    for record in records:
        os = record.platform["os"]
        lines, sureness = align(entries_of(record), len(record.layers), os)
        if sureness != "unresolved":
            exact += 1
            if [line.layer for line in lines] != layers_in(record):
                wrong.append(record)

    assert wrong == []
    assert exact > {"written": 9, "recorded": 3_300}[kind]


def test_histories_without_empty_layer_are_right_or_unresolved(
    records: list[Record], kind: str
) -> None:
    wrong = []
    resolved = 0
    for record in records:
        stripped = [HistoryEntry(entry.created_by) for entry in entries_of(record)]
        lines, sureness = align(stripped, len(record.layers), record.platform["os"])
        if "unresolved" in (sureness, record.history_alignment):
            continue
        resolved += 1
        if [line.layer for line in lines] != layers_in(record):
            wrong.append(record)

    assert wrong == []
    assert resolved > {"written": 7, "recorded": 2_700}[kind]


def history_of(config: Mapping[str, Any]) -> list[HistoryEntry]:
    return [
        HistoryEntry(
            line.get("created_by", ""),
            empty_layer=line.get("empty_layer"),
            comment=line.get("comment", ""),
        )
        for line in config.get("history", [])
    ]


@pytest.mark.parametrize(
    ("name", "layers", "sureness"),
    [
        ("buildkit", 5, "exact"),
        ("classic builder", 3, "exact"),
        ("server", 5, "exact"),
        ("squashed", 1, "exact"),
        ("more lines than layers", 1, "unresolved"),
        ("no history", 2, "unresolved"),
    ],
)
def test_sample_configs_are_aligned(name: str, layers: int, sureness: str) -> None:
    history = history_of(documents("configs")[name])

    assert alignment(history, layers) == sureness
