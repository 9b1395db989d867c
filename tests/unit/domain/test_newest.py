"""Which image is the newest, by which rule, and what those before it weighed."""

from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from support.images import a_digest
from weighbridge.domain.growth.newest import (
    Candidate,
    baseline,
    find_version,
    leading,
    natural_key,
    newest_images,
    ranked,
)

NOW = datetime(2026, 9, 22, 9, 40, tzinfo=UTC)


def day(n: int) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=n)


def a_candidate(
    tag: str,
    *,
    pushed: int | None = None,
    moved: int | None = None,
    created: datetime | None = None,
    compressed_bytes: int = 100,
    digest: str | None = None,
) -> Candidate:
    return Candidate(
        tag=tag,
        digest=a_digest(digest or tag),
        pushed_at=None if pushed is None else day(pushed),
        moved_at=None if moved is None else day(moved),
        created_at=created,
        compressed_bytes=compressed_bytes,
    )


def order(*candidates: Candidate) -> list[str]:
    return [place.candidate.tag for place in ranked(candidates, NOW)]


def test_the_last_push_wins_over_everything() -> None:
    older = a_candidate("latest", pushed=1, moved=9, created=day(9))
    newer = a_candidate("0.1", pushed=2)

    ranking = ranked([older, newer], NOW)

    assert [place.candidate for place in ranking] == [newer, older]
    assert ranking[0].by == "pushed"


def test_a_tag_with_a_push_time_beats_one_without() -> None:
    assert order(a_candidate("a", pushed=1), a_candidate("latest", moved=200))[0] == "a"


def test_a_tag_seen_moving_beats_those_of_the_first_crawl() -> None:
    ranking = ranked([a_candidate("latest"), a_candidate("a", moved=3)], NOW)

    assert ranking[0].candidate.tag == "a"
    assert ranking[0].by == "moved"


def test_equal_push_times_are_settled_by_the_next_rule() -> None:
    ranking = ranked(
        [a_candidate("1.5.0", pushed=1), a_candidate("latest", pushed=1)], NOW
    )

    assert [place.candidate.tag for place in ranking] == ["latest", "1.5.0"]
    assert ranking[0].by == "latest"


def test_a_push_of_one_image_under_two_tags_is_decided_by_neither_tag() -> None:
    before = a_candidate("1.4.2", moved=1)
    both = [a_candidate(tag, moved=2, digest="new") for tag in ("1.5.0", "latest")]

    ranking = ranked([before, *both], NOW)

    assert [place.candidate.tag for place in ranking] == ["latest", "1.5.0", "1.4.2"]
    assert [place.by for place in ranking] == ["moved"] * 3


def test_two_images_that_moved_at_once_are_settled_by_the_next_rule() -> None:
    ranking = ranked(
        [
            a_candidate("latest", moved=1, digest="new"),
            a_candidate("1.5.0", moved=1, digest="new"),
            a_candidate("2.0", moved=1, digest="other"),
        ],
        NOW,
    )

    assert [place.candidate.tag for place in ranking] == ["latest", "2.0", "1.5.0"]
    assert ranking[0].by == "latest"


def test_after_latest_comes_the_highest_version() -> None:
    tags = ["1.9.0", "1.10.0", "main", "1.10.0-rc.2", "v1.10.0-rc.10", "1.10.0-alpine"]

    ranking = ranked([a_candidate(tag) for tag in tags], NOW)

    assert [place.candidate.tag for place in ranking] == [
        "1.10.0",
        "1.10.0-alpine",
        "v1.10.0-rc.10",
        "1.10.0-rc.2",
        "1.9.0",
        "main",
    ]
    assert ranking[0].by == "version"


def test_without_versions_the_creation_decides() -> None:
    ranking = ranked(
        [a_candidate("b", created=day(1)), a_candidate("a", created=day(2))], NOW
    )

    assert ranking[0].candidate.tag == "a"
    assert ranking[0].by == "created"


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param(datetime(1, 1, 1, tzinfo=UTC), id="config_blob-010-year-1"),
        pytest.param(
            datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
            id="config_blob-010-year-9999",
        ),
        pytest.param(datetime(1970, 1, 1, tzinfo=UTC), id="epoch"),
        pytest.param(
            datetime(1980, 1, 1, 0, 0, 1, tzinfo=UTC), id="reproducible-build"
        ),
        pytest.param(NOW + timedelta(days=1, seconds=1), id="after-tomorrow"),
    ],
)
def test_a_creation_that_cannot_be_true_is_not_one(moment: datetime) -> None:
    assert order(
        a_candidate("b", created=moment), a_candidate("a", created=day(1))
    ) == [
        "a",
        "b",
    ]


def test_at_last_the_name_decides_in_natural_order() -> None:
    ranking = ranked([a_candidate("build-9"), a_candidate("build-10")], NOW)

    assert ranking[0].candidate.tag == "build-10"
    assert ranking[0].by == "name"


@pytest.mark.parametrize(
    ("candidate", "by"),
    [
        (a_candidate("latest", pushed=1), "pushed"),
        (a_candidate("latest", moved=1), "moved"),
        (a_candidate("latest", created=day(1)), "latest"),
        (a_candidate("1.2", created=day(1)), "version"),
        (a_candidate("main", created=day(1)), "created"),
        (a_candidate("main"), "name"),
    ],
)
def test_a_single_image_is_newest_by_the_first_rule_that_applies(
    candidate: Candidate, by: str
) -> None:
    assert [place.by for place in ranked([candidate], NOW)] == [by]


def test_a_repository_without_images_has_no_newest() -> None:
    assert ranked([], NOW) == []
    assert baseline([]) is None


CANDIDATES = st.lists(
    st.builds(
        Candidate,
        tag=st.sampled_from(["latest", "1.0", "v1.0", "1.0-rc1", "1.0-slim", "a", "a1"])
        | st.text(min_size=1),
        digest=st.sampled_from([a_digest(n) for n in range(6)]),
        pushed_at=st.none() | st.datetimes(timezones=st.just(UTC)),
        moved_at=st.none() | st.sampled_from([day(1), day(2)]),
        created_at=st.none() | st.datetimes(timezones=st.just(UTC)),
        compressed_bytes=st.integers(0, 2**44),
    ),
    max_size=12,
    unique_by=lambda candidate: candidate.tag,
)


@given(CANDIDATES)
def test_the_order_does_not_depend_on_the_order_given(
    candidates: list[Candidate],
) -> None:
    ranking = ranked(candidates, NOW)

    assert ranked(list(reversed(candidates)), NOW) == ranking
    assert ranked([place.candidate for place in ranking], NOW) == ranking
    assert {place.candidate.tag for place in ranking} == {c.tag for c in candidates}


@given(CANDIDATES)
def test_leaving_one_out_leaves_the_others_in_order(
    candidates: list[Candidate],
) -> None:
    full = order(*candidates)

    for left_out in candidates:
        rest = order(*(c for c in candidates if c is not left_out))
        assert rest == [tag for tag in full if tag != left_out.tag]


def one_of_many(
    image: int,
    tag: str,
    pushed: int | None,
    moved: int | None,
    created: datetime | None,
) -> Candidate:
    """What an image weighs is its own, whatever its tag."""
    return a_candidate(
        tag,
        pushed=pushed,
        moved=moved,
        created=created,
        digest=str(image),
        compressed_bytes=image**3,
    )


MANY: Final = st.lists(
    st.builds(
        one_of_many,
        tag=st.integers(0, 99).map(str)
        | st.integers(0, 99).map("main-{}".format)
        | st.just("latest"),
        pushed=st.none() | st.integers(1, 3),
        moved=st.none() | st.integers(1, 3),
        created=st.none() | st.sampled_from([day(1), day(2), NOW + timedelta(days=9)]),
        image=st.integers(0, 25),
    ),
    min_size=1,
    max_size=60,
    unique_by=lambda candidate: candidate.tag,
)


@given(MANY)
def test_the_leading_ones_say_as_much_as_all(candidates: list[Candidate]) -> None:
    few, all_of_them = (ranked(c, NOW) for c in (leading(candidates, NOW), candidates))

    assert few[0] == all_of_them[0]
    assert baseline(few) == baseline(all_of_them)


@given(MANY, st.integers(0, 20))
def test_the_newest_tags_of_images_say_as_much_as_all_whatever_comes_later(
    candidates: list[Candidate], first: int
) -> None:
    kept = newest_images(candidates[:first], NOW)

    few, all_of_them = (ranked(c, NOW) for c in (kept + candidates[first:], candidates))
    assert len(kept) <= 11
    assert (few[0], baseline(few)) == (all_of_them[0], baseline(all_of_them))


def test_of_thousands_of_tags_few_are_compared_by_their_names() -> None:
    moved = [a_candidate(f"1.{n}", moved=n) for n in range(1, 1_000)]
    first = [a_candidate(f"0.{n}") for n in range(1_000)]

    assert len(leading(first + moved, NOW)) == 11


def test_of_thousands_that_came_at_once_few_are_compared_in_natural_order() -> None:
    versions = [a_candidate(f"1.{n}") for n in range(1_000)]
    builds = [a_candidate(f"build-{n}", created=day(n)) for n in range(1_000)]

    assert len(leading(versions + builds, NOW)) == 11
    assert len(leading(builds, NOW)) == 11


def test_the_tags_of_an_image_behind_the_newest_one_are_not_compared() -> None:
    newest = a_candidate("main", moved=1)
    before = [a_candidate(f"1.{n}", digest="same") for n in range(1_000)]

    assert len(leading([newest, *before], NOW)) == 2


# -- baseline ------------------------------------------------------------------------


def baseline_of(*compressed: int) -> int | None:
    """Of images pushed one a day, the newest first."""
    return baseline(
        ranked(
            [
                a_candidate(f"t{n}", pushed=100 - n, compressed_bytes=size)
                for n, size in enumerate(compressed)
            ],
            NOW,
        )
    )


def test_the_baseline_is_the_median_of_those_before_the_newest() -> None:
    assert baseline_of(999, 10, 30, 20) == 20
    assert baseline_of(999, 10, 30, 20, 41) == 25


def test_fewer_than_three_images_before_make_no_baseline() -> None:
    assert baseline_of(999, 10, 20) is None


def test_only_the_ten_images_before_the_newest_count() -> None:
    assert baseline_of(999, *[10] * 10, *[500] * 30) == 10
    assert baseline_of(999, *[10] * 5, *[20] * 5, *[500] * 30) == 15


def test_tags_of_one_image_count_once() -> None:
    newest = a_candidate("latest", pushed=9, digest="new", compressed_bytes=999)
    alias = replace(newest, tag="1.5.0")
    olds = [
        a_candidate(tag, pushed=5, digest="old", compressed_bytes=10)
        for tag in "abcdef"
    ]
    others = [a_candidate(tag, pushed=3, compressed_bytes=30) for tag in "xy"]

    assert baseline(ranked([newest, alias, *olds], NOW)) is None
    assert baseline(ranked([newest, alias, *olds, *others], NOW)) == 30


# -- versions and natural order ------------------------------------------------------


@pytest.mark.parametrize(
    "ascending",
    [
        ["1.0-dev", "1.0-alpha", "1.0-alpha.1", "1.0b2", "1.0-rc1", "1.0-rc.2", "1.0"],
        ["3.7-rc-slim", "3.7-rc", "3.7-slim", "3.7", "3.7.16", "v3.8", "3.10", "4"],
        ["3.13-SNAPSHOT", "3.13.0a4", "3.13.0rc1", "3.13"],
        ["24.04", "2024.01.15"],
    ],
)
def test_versions_ascend(ascending: list[str]) -> None:
    keys = [find_version(tag) for tag in ascending]

    assert None not in keys
    assert keys == sorted(key for key in keys if key is not None)
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    "tag",
    ["latest", "bookworm", "20240115", "7a31", "1b2", "main-1.2", "1..2", "", "v"],
)
def test_other_tags_are_no_versions(tag: str) -> None:
    assert find_version(tag) is None


@given(st.text(), st.text())
def test_any_two_texts_can_be_compared(a: str, b: str) -> None:
    assert (natural_key(a) <= natural_key(b)) or (natural_key(b) <= natural_key(a))
    assert find_version(a) is None or find_version(a) == find_version(a)


def test_digits_compare_as_numbers() -> None:
    assert sorted(["a10", "a9", "a", "9", "10", "b1"], key=natural_key) == [
        "9",
        "10",
        "a",
        "a9",
        "a10",
        "b1",
    ]
