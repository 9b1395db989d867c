"""The plan asks each tag the cheapest question that is safe."""

import pytest

from support.images import a_digest
from weighbridge.audit.plan import plan, wants_head_first
from weighbridge.domain.digest import Digest
from weighbridge.domain.listing import TagSeen
from weighbridge.store.tags import KnownTag

OLD = a_digest("old")
NEW = a_digest("new")


def known(
    digest: Digest | None = OLD,
    error_code: str | None = None,
    error_digest: Digest | None = None,
) -> KnownTag:
    return KnownTag(digest, error_code, error_digest)


def test_a_tag_never_seen_is_fetched_straight_away() -> None:
    todo = plan([TagSeen("a")], {}, head_first=False)

    assert [t.name for t in todo.get] == ["a"]
    assert [todo.head, todo.fetch, todo.same] == [(), (), ()]


def test_a_tag_never_seen_is_asked_by_head_where_tags_are_mostly_aliases() -> None:
    todo = plan([TagSeen("a")], {}, head_first=True)

    assert [t.name for t in todo.head] == ["a"]


def test_a_known_tag_is_asked_by_head() -> None:
    todo = plan([TagSeen("a")], {"a": known()}, head_first=False)

    assert [t.name for t in todo.head] == ["a"]


def test_a_tag_that_was_never_read_is_fetched_again() -> None:
    todo = plan([TagSeen("a")], {"a": known(None, "deadline")}, head_first=False)

    assert [t.name for t in todo.get] == ["a"]


def test_a_refused_tag_is_asked_by_head_first() -> None:
    refused = known(None, "invalid_size", NEW)

    todo = plan([TagSeen("a")], {"a": refused}, head_first=False)

    assert [t.name for t in todo.head] == ["a"]


def test_a_listing_with_digests_needs_no_question_for_what_did_not_change() -> None:
    todo = plan([TagSeen("a", OLD)], {"a": known()}, head_first=False)

    assert [t.name for t in todo.same] == ["a"]
    assert [todo.head, todo.fetch, todo.get] == [(), (), ()]


@pytest.mark.parametrize("before", [None, known(NEW), known(OLD, "deadline")])
def test_a_listed_digest_that_the_tag_did_not_have_is_fetched(
    before: KnownTag | None,
) -> None:
    tags = {} if before is None else {"a": before}

    todo = plan([TagSeen("a", OLD)], tags, head_first=False)

    assert [(t.name, d) for t, d in todo.fetch] == [("a", OLD)]


@pytest.mark.parametrize(
    ("tags", "manifests", "expected"),
    [(0, 0, False), (10, 10, False), (20, 10, False), (21, 10, True)],
)
def test_head_comes_first_above_two_tags_a_digest(
    tags: int, manifests: int, expected: bool
) -> None:
    assert wants_head_first(tags, manifests) is expected
