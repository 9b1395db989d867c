"""The plan asks each tag the cheapest question that is safe."""

from datetime import UTC, datetime

import pytest

from support.images import a_digest
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.registry.listing import TagSeen
from weighbridge.engine.tags.tag_request import plan, wants_head_first
from weighbridge.store.tags.applying import KnownTag

OLD = a_digest("old")
NEW = a_digest("new")
PUSHED = datetime(2026, 3, 1, tzinfo=UTC)


def known(
    digest: Digest | None = OLD,
    error_code: str | None = None,
    error_digest: Digest | None = None,
    pushed_at: datetime | None = None,
) -> KnownTag:
    return KnownTag(digest, error_code, error_digest, pushed_at)


def asked(
    tag: TagSeen, before: KnownTag | None = None, *, head_first: bool = False
) -> tuple[str, Digest | None]:
    """What the plan asks of a tag."""
    known = {} if before is None else {tag.name: before}
    (question,) = plan([tag], known, head_first=head_first)
    assert question.tag == tag
    return question.kind, question.digest


def test_a_tag_never_seen_is_fetched_straight_away() -> None:
    assert asked(TagSeen("a")) == ("get", None)


def test_a_tag_never_seen_is_asked_by_head_where_tags_are_mostly_aliases() -> None:
    assert asked(TagSeen("a"), head_first=True) == ("head", None)


def test_a_known_tag_is_asked_by_head() -> None:
    assert asked(TagSeen("a"), known()) == ("head", None)


def test_a_tag_that_was_never_read_is_fetched_again() -> None:
    assert asked(TagSeen("a"), known(None, "deadline")) == ("get", None)


def test_a_refused_tag_is_asked_by_head_first() -> None:
    refused = known(None, "invalid_size", NEW)

    assert asked(TagSeen("a"), refused) == ("head", None)


def test_a_listing_with_digests_needs_no_question_for_what_did_not_change() -> None:
    assert asked(TagSeen("a", OLD), known()) == ("same", None)


@pytest.mark.parametrize("before", [None, PUSHED.replace(year=2025)])
def test_a_push_of_what_was_there_is_noted_without_a_question(
    before: datetime | None,
) -> None:
    tag = TagSeen("a", OLD, pushed_at=PUSHED)

    assert asked(tag, known(pushed_at=before)) == ("pushed", OLD)


@pytest.mark.parametrize("listed", [None, PUSHED, PUSHED.replace(year=2025)])
def test_a_push_that_is_no_later_is_no_news(listed: datetime | None) -> None:
    tag = TagSeen("a", OLD, pushed_at=listed)

    assert asked(tag, known(pushed_at=PUSHED)) == ("same", None)


@pytest.mark.parametrize("before", [None, known(NEW), known(OLD, "deadline")])
def test_a_listed_digest_that_the_tag_did_not_have_is_fetched(
    before: KnownTag | None,
) -> None:
    assert asked(TagSeen("a", OLD), before) == ("get", OLD)


def test_questions_come_in_the_order_of_the_listing() -> None:
    seen = [TagSeen("b", OLD), TagSeen("a"), TagSeen("c")]

    todo = plan(seen, {"b": known(), "c": known()}, head_first=False)

    assert [(q.tag.name, q.kind) for q in todo] == [
        ("b", "same"),
        ("a", "get"),
        ("c", "head"),
    ]


@pytest.mark.parametrize(
    ("tags", "manifests", "expected"),
    [(0, 0, False), (10, 10, False), (20, 10, False), (21, 10, True)],
)
def test_head_comes_first_above_two_tags_a_digest(
    tags: int, manifests: int, expected: bool
) -> None:
    assert wants_head_first(tags, manifests) is expected


def test_f02_a_tag_whose_last_look_failed_is_asked_after_all_others() -> None:
    seen = [TagSeen("a"), TagSeen("b"), TagSeen("c")]
    before = {"a": known(OLD, "deadline"), "b": known()}

    questions = list(plan(seen, before, head_first=False))

    assert [question.tag.name for question in questions] == ["b", "c", "a"]


def test_a_tag_that_nobody_has_pushed_to_since_needs_no_question() -> None:
    tag = TagSeen("a", pushed_at=PUSHED)

    assert asked(tag, known(pushed_at=PUSHED), head_first=True) == ("same", None)


@pytest.mark.parametrize(
    "before",
    [
        known(pushed_at=PUSHED.replace(day=2)),
        known(pushed_at=None),
        known(OLD, "deadline", pushed_at=PUSHED),
        known(None, "invalid_size", NEW, pushed_at=PUSHED),
    ],
    ids=["pushed since", "never told", "in error", "never read"],
)
def test_a_push_time_alone_answers_nothing_else(before: KnownTag) -> None:
    assert asked(TagSeen("a", pushed_at=PUSHED), before) == ("head", None)


def test_no_push_time_is_not_the_same_push_time() -> None:
    assert asked(TagSeen("a"), known(pushed_at=None)) == ("head", None)
