"""Which tags the rules for reclaiming keep."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.images import a_digest
from weighbridge.domain.growth.newest import Candidate
from weighbridge.domain.reclaim.keep_rules import (
    AgedTag,
    KeepRules,
    not_kept,
    subject_of,
)

NOW = datetime(2026, 9, 22, 9, 40, tzinfo=UTC)
NOTHING = KeepRules(newest=None, days=None, patterns=("keep-me",))


def days_ago(n: int) -> datetime:
    return NOW - timedelta(days=n)


def a_tag(
    name: str,
    *,
    pushed: int | None = None,
    moved: int | None = None,
    created: datetime | None = None,
    seen: int = 0,
    digest: str | None = None,
    pulled: int | None = None,
) -> AgedTag:
    """Times in days before now."""
    return AgedTag(
        Candidate(
            tag=name,
            digest=a_digest(digest or name),
            pushed_at=None if pushed is None else days_ago(pushed),
            moved_at=None if moved is None else days_ago(moved),
            created_at=created,
            compressed_bytes=0,
        ),
        first_seen_at=days_ago(seen),
        pulled_at=None if pulled is None else days_ago(pulled),
    )


def names(rules: KeepRules, *tags: AgedTag) -> list[str]:
    return [tag.candidate.tag for tag in not_kept(rules, tags, NOW)]


def test_so_many_of_the_newest_images_are_kept_with_all_of_their_tags() -> None:
    rules = KeepRules(newest=2, days=None, patterns=())
    tags = [
        a_tag("1", pushed=4),
        a_tag("2", pushed=3),
        a_tag("3", pushed=2, digest="new"),
        a_tag("latest", pushed=2, digest="new"),
    ]

    assert names(rules, *tags) == ["1"]


def test_what_came_to_its_place_within_the_days_is_kept() -> None:
    rules = KeepRules(newest=None, days=90, patterns=())

    tags = [a_tag("old", pushed=91), a_tag("new", pushed=89), a_tag("moved", moved=1)]

    assert names(rules, *tags) == ["old"]


def test_a_tag_of_the_first_crawl_is_as_old_as_its_image() -> None:
    rules = KeepRules(newest=None, days=90, patterns=())

    assert names(rules, a_tag("a", created=days_ago(200), seen=1)) == ["a"]


@pytest.mark.parametrize("year", [1, 1970, 9999])
def test_a_clock_in_year_1_or_9999_makes_nothing_old(year: int) -> None:
    rules = KeepRules(newest=None, days=90, patterns=())
    created = datetime(year, 1, 1, tzinfo=UTC)

    assert names(rules, a_tag("a", created=created, seen=1)) == []
    assert names(rules, a_tag("a", created=created, seen=91)) == ["a"]


def test_names_that_a_pattern_fits_are_kept() -> None:
    rules = KeepRules(newest=None, days=None, patterns=("latest", "v*"))

    assert names(rules, *map(a_tag, ["latest", "v1", "pr-1"])) == ["pr-1"]


def test_signatures_and_lists_of_referrers_have_no_age_of_their_own() -> None:
    hexes = "0" * 64
    tags = [f"sha256-{hexes}", f"sha256-{hexes}.sig", f"sha256-{hexes}.att"]

    assert names(NOTHING, *map(a_tag, tags)) == []
    assert [subject_of(tag) for tag in tags] == [f"sha256:{hexes}"] * 3


@pytest.mark.parametrize("tag", ["latest", "sha256-00", f"sha256-{'A' * 64}", ""])
def test_any_other_tag_belongs_to_nothing(tag: str) -> None:
    assert subject_of(tag) is None


@given(
    ages=st.lists(st.integers(0, 400), max_size=30),
    newest=st.none() | st.integers(1, 12),
    days=st.none() | st.integers(1, 365),
)
def test_one_rule_more_never_keeps_less(
    ages: list[int], newest: int | None, days: int | None
) -> None:
    tags = [a_tag(f"t{n}", pushed=age) for n, age in enumerate(ages)]
    both = set(names(KeepRules(newest, days, ()), *tags))

    assert both == set(names(KeepRules(newest, None, ()), *tags)) & set(
        names(KeepRules(None, days, ()), *tags)
    )
    assert len(tags) - len(both) >= min(newest or 0, len(tags))


def test_rules_are_written_as_people_say_them() -> None:
    assert str(KeepRules()) == "keep newest 10, keep 90 days, keep latest, v*"


def test_what_was_pulled_lately_is_kept_and_two_days_are_added() -> None:
    rules = KeepRules(newest=None, days=None, patterns=(), pulled_days=30)
    tags = [
        a_tag("used", seen=400, pulled=30),
        a_tag("nearly", seen=400, pulled=32),
        a_tag("old", seen=400, pulled=33),
        a_tag("never", seen=400),
    ]

    assert names(rules, *tags) == ["old", "never"]
    assert str(rules) == "keep pulled in 30 days"


def test_without_such_a_rule_a_pull_keeps_nothing() -> None:
    rules = KeepRules(newest=None, days=30, patterns=())

    assert names(rules, a_tag("used", seen=400, pulled=0)) == ["used"]
