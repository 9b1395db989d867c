"""What tags led to over time: aliases, the newest image of each moment, growth."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from support.images import a_digest
from weighbridge.domain.growth.newest import Candidate, ranked
from weighbridge.domain.growth.tag_history import (
    TOGETHER,
    StepSize,
    TagMove,
    arrivals,
    growth_of,
    newest_over_time,
)

T0: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY: Final = timedelta(days=1)


def a_move(
    tag: str,
    target: int,
    day: float,
    until: float | None = None,
    *,
    pushed: float | None = None,
    is_first: bool = False,
) -> TagMove:
    """Days are counted from T0."""
    return TagMove(
        tag,
        target,
        T0 + DAY * day,
        None if until is None else T0 + DAY * until,
        None if pushed is None else T0 + DAY * pushed,
        is_first,
    )


def newest(moves: Sequence[TagMove], tag: str | None = None) -> list[object]:
    """By, target and day of each step."""
    return [
        (step.by, step.arrival.target, (step.at - T0) / DAY)
        for step in newest_over_time(moves, tag)
    ]


def test_tags_that_come_to_one_target_together_are_one_arrival() -> None:
    moves = [a_move(tag, 7, 1) for tag in ("latest", "1.10", "1.9")]

    (found,) = arrivals([*moves])

    assert found.tags == ("1.9", "1.10", "latest")


def test_a_tag_that_comes_later_is_an_arrival_of_its_own() -> None:
    later = TOGETHER / DAY + 1e-4
    moves = [a_move("1.9", 7, 1), a_move("stable", 7, 1 + later)]

    assert [found.tags for found in arrivals(moves)] == [("1.9",), ("stable",)]


def test_an_arrival_ends_when_its_last_tag_leaves() -> None:
    both = [a_move("a", 7, 1, until=2), a_move("b", 7, 1, until=5)]

    assert arrivals(both)[0].until == T0 + 5 * DAY
    assert arrivals([*both, a_move("c", 7, 1)])[0].until is None


def test_what_moved_last_is_the_newest() -> None:
    moves = [
        a_move("1.0", 1, 0, is_first=True),
        a_move("1.1", 2, 3),
        a_move("0.9.8", 3, 5),
    ]

    assert newest(moves) == [("first_seen", 1, 0), ("moved", 2, 3), ("moved", 3, 5)]


def test_an_alias_of_the_newest_is_no_step() -> None:
    moves = [a_move("1.0", 1, 0), a_move("latest", 1, 4)]

    assert newest(moves) == [("moved", 1, 0)]


def test_the_newest_that_is_deleted_gives_way_to_the_one_before() -> None:
    moves = [a_move("1.0", 1, 0, is_first=True), a_move("1.1", 2, 3, until=6)]

    assert newest(moves) == [("first_seen", 1, 0), ("moved", 2, 3), ("deleted", 1, 6)]


def test_nothing_is_the_newest_while_there_is_no_tag() -> None:
    moves = [a_move("a", 1, 0, until=2), a_move("a", 1, 5)]

    found = newest_over_time(moves)

    assert [step.until for step in found] == [T0 + 2 * DAY, None]
    assert [step.at for step in found] == [T0, T0 + 5 * DAY]


def test_a_first_crawl_is_told_apart_by_push_times() -> None:
    moves = [
        a_move("1.0", 1, 0, pushed=-30, is_first=True),
        a_move("1.1", 2, 0, pushed=-10, is_first=True),
    ]

    assert newest(moves) == [("first_seen", 1, -30), ("first_seen", 2, -10)]


def test_push_times_that_cannot_be_true_put_nothing_in_another_place() -> None:
    year_1 = a_move("old", 1, 0, is_first=True)
    year_1 = TagMove("old", 1, T0, None, datetime(1, 1, 1, tzinfo=UTC), is_first=True)
    year_9999 = TagMove(
        "new", 2, T0, None, datetime(9999, 1, 1, tzinfo=UTC), is_first=True
    )

    assert [move.at for move in (year_1, year_9999)] == [T0, T0]


def test_of_a_first_crawl_without_push_times_the_version_decides() -> None:
    moves = [a_move(tag, n, 0, is_first=True) for n, tag in enumerate(["1.9", "1.10"])]

    assert newest(moves) == [("first_seen", 1, 0)]


def test_the_tag_that_is_the_newest_now_was_so_among_its_equals() -> None:
    moves = [a_move(tag, n, 0, is_first=True) for n, tag in enumerate(["b", "a", "c"])]

    assert newest(moves, "a") == [("first_seen", 1, 0)]
    assert newest(moves) == [("first_seen", 2, 0)]


MOVES: Final = st.builds(
    lambda tag, target, day, length, pushed, is_first: a_move(
        tag,
        target,
        day,
        None if length is None else day + length,
        pushed=pushed,
        is_first=is_first,
    ),
    st.sampled_from(["latest", "1.0", "1.1", "main", "2.0-slim"]),
    st.integers(0, 3),
    st.integers(0, 6),
    st.none() | st.integers(1, 5),
    st.none() | st.integers(-9, 9),
    st.booleans(),
)


@given(moves=st.lists(MOVES, max_size=12, unique_by=lambda m: (m.tag, m.seen_at)))
def test_merging_aliases_loses_no_move_and_makes_none_up(moves: list[TagMove]) -> None:
    merged = arrivals(moves)

    for move in moves:
        assert any(
            arrival.target == move.target
            and move.tag in arrival.tags
            and arrival.at <= move.at <= arrival.at + TOGETHER
            for arrival in merged
        )
    assert {(a.target, tag) for a in merged for tag in a.tags} == {
        (move.target, move.tag) for move in moves
    }
    assert [a.at for a in merged] == sorted(a.at for a in merged)


@given(moves=st.lists(MOVES, max_size=12, unique_by=lambda m: (m.tag, m.seen_at)))
def test_at_each_moment_the_newest_is_the_first_of_all_that_are_there(
    moves: list[TagMove],
) -> None:
    steps = newest_over_time(moves)

    for moment in {t for m in moves for t in (m.at, m.until) if t is not None}:
        there = [
            m for m in moves if m.at <= moment and (m.until is None or m.until > moment)
        ]
        now = [
            step
            for step in steps
            if step.at <= moment and (step.until is None or step.until > moment)
        ]
        assert len(now) <= 1
        # Two entries of one tag cannot hold at once; which of them wins is no matter.
        if len({m.tag for m in there}) != len(there):
            continue
        by_rule = ranked(
            [
                Candidate(
                    m.tag,
                    a_digest(m.target),
                    m.pushed_at,
                    None if m.is_first else m.seen_at,
                    None,
                    0,
                )
                for m in there
            ],
            T0,
        )
        expected = [place.candidate.digest for place in by_rule[:1]]
        assert [a_digest(step.arrival.target) for step in now] == expected
    for before, after in pairwise(steps):
        assert before.at < after.at
        assert before.until is not None
        assert before.until <= after.at


SIZES: Final = st.none() | st.builds(
    lambda platform, n, size: StepSize(platform, a_digest((n, size)), size),
    st.sampled_from(["linux/amd64", "linux/arm64"]),
    st.integers(0, 5),
    st.integers(0, 10**12),
)


@given(sizes=st.lists(SIZES, max_size=20))
def test_the_steps_add_up_to_the_last_less_the_first(
    sizes: list[StepSize | None],
) -> None:
    growth = growth_of(sizes)

    for platform in ("linux/amd64", "linux/arm64"):
        mine = [(s, g) for s, g in zip(sizes, growth, strict=True) if s is not None]
        mine = [(s, g) for s, g in mine if s.platform == platform]
        if mine:
            whole = mine[-1][0].compressed_bytes - mine[0][0].compressed_bytes
            assert sum(g.grown_bytes or 0 for _, g in mine) == whole
            assert mine[0][1].grown_bytes is None


def test_a_step_without_a_size_has_no_growth_and_hides_none() -> None:
    sizes = [
        StepSize("linux/amd64", a_digest(n), size) if size else None
        for n, size in enumerate([100, None, 130])
    ]

    assert [g.grown_bytes for g in growth_of(sizes)] == [None, None, 30]
    assert growth_of(sizes)[2].before == 0


def test_the_baseline_is_the_median_of_the_ten_distinct_images_before() -> None:
    sizes = [StepSize("linux/amd64", a_digest(n), n) for n in range(1, 14)]
    again = [*sizes[:2], sizes[0], sizes[2]]

    found = [g.baseline_bytes for g in growth_of(sizes)]
    assert found[:4] == [None, None, None, 2]
    assert found[12] == 7  # of 3 to 12
    assert [g.baseline_bytes for g in growth_of(again)] == [None] * 4
