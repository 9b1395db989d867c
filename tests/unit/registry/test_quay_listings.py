"""Pages of Quay's API: what is believed, what is counted, what is refused."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.answer_shapes import Member, misfits
from support.data import documents
from support.quay_replica.schema import (
    PROBLEM,
    REPOSITORIES,
    TAGS,
)
from weighbridge.domain.image.digest import Digest, digest_of
from weighbridge.domain.registry.listing import TagSeen
from weighbridge.errors import DocumentError
from weighbridge.registry.kinds.quay.quay_api import (
    parse_quay_repositories,
    parse_quay_tags,
    read_mail_date,
)

PAGES: Final = documents("quay_pages")
DIGEST = Digest("sha256:" + "1" * 64)
STARTED = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def page_of(name: str) -> bytes:
    return json.dumps(PAGES[name]).encode()


def an_entry(**changed: object) -> dict[str, object]:
    return {
        "name": "3.7",
        "reversion": False,
        "start_ts": int(STARTED.timestamp()),
        "manifest_digest": DIGEST,
        "is_manifest_list": False,
        "size": 1000,
        "last_modified": "Wed, 04 Mar 2026 05:06:07 -0000",
    } | changed


def a_page(*entries: object, **changed: object) -> bytes:
    page = {"tags": entries, "page": 1, "has_additional": False}
    return json.dumps(page | changed).encode()


def a_list(*entries: object, **changed: object) -> bytes:
    return json.dumps({"repositories": entries} | changed).encode()


def only_tag(**changed: object) -> TagSeen:
    (tag,) = parse_quay_tags(a_page(an_entry(**changed))).tags
    return tag


@pytest.mark.parametrize(
    ("name", "schema"),
    [
        ("repositories of a namespace", REPOSITORIES),
        ("repositories of everybody", REPOSITORIES),
        ("tags", TAGS),
        ("a refusal", PROBLEM),
    ],
)
def test_the_pages_here_are_as_quay_writes_them(
    name: str, schema: Mapping[str, Member]
) -> None:
    assert misfits(PAGES[name], schema) == []


def test_a_page_of_tags_as_quay_serves_it() -> None:
    page = parse_quay_tags(page_of("tags"))

    image, index = digest_of(b"quay image"), digest_of(b"quay index")
    assert page.tags == (
        TagSeen("latest", image, STARTED, ((image, 25529703),)),
        TagSeen("3.12", index, STARTED.replace(second=0)),
    )
    assert (page.next, page.invalid) == (None, 0)


def test_repositories_as_quay_serves_them() -> None:
    page = parse_quay_repositories(page_of("repositories of a namespace"), "shop")

    assert page.names == ("shop/cart", "shop/tools/say")
    assert page.next is None


def test_the_next_page_of_repositories_is_whatever_quay_calls_it() -> None:
    page = parse_quay_repositories(page_of("repositories of everybody"))

    assert page.next == "gAAAAABpq1x5c2F5LXNvbWV0aGluZy1lbHNl+/8="


@pytest.mark.parametrize("size", [None, 0, 5])
def test_the_size_of_a_list_says_nothing_of_an_image(size: object) -> None:
    assert only_tag(is_manifest_list=True, size=size) == TagSeen("3.7", DIGEST, STARTED)


@pytest.mark.parametrize("size", [None, 0, -1, "12", 1.5, True, 2**60])
def test_a_size_that_says_nothing_is_none(size: object) -> None:
    """Null is that of an image that a cache has never fetched."""
    assert only_tag(size=size).sizes == ()


@pytest.mark.parametrize("told", [None, "false", 0])
def test_a_size_counts_only_for_what_is_called_an_image(told: object) -> None:
    assert only_tag(is_manifest_list=told).sizes == ()


@pytest.mark.parametrize("digest", [None, 7, "sha256:short", "", DIGEST.upper()])
def test_a_tag_without_a_digest_is_asked_for(digest: object) -> None:
    assert only_tag(manifest_digest=digest) == TagSeen("3.7", None, STARTED)


@pytest.mark.parametrize("started", [None, 0, -5, "x", True, 2.5, 10**15])
def test_a_time_that_is_none_gives_way_to_the_date(started: object) -> None:
    assert only_tag(start_ts=started).pushed_at == STARTED
    assert only_tag(start_ts=started, last_modified=None).pushed_at is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Wed, 04 Mar 2026 05:06:07 -0000", STARTED),
        ("Wed, 4 Mar 2026 05:06:07 GMT", STARTED),
        ("Wed, 04 Mar 2026 07:06:07 +0200", STARTED),
        ("Wed, 31 Feb 2026 05:06:07 -0000", None),
        ("Wed, 04 Mar 2026 25:06:07 -0000", None),
        ("Wed, 04 Mar 0001 05:06:07 -0000", None),
        ("2026-03-04T05:06:07Z", None),
        (1772600767, None),
        (None, None),
    ],
)
def test_dates_are_those_of_mail(text: object, expected: datetime | None) -> None:
    assert read_mail_date(text) == expected


def test_entries_that_are_no_tags_are_counted() -> None:
    names = ["good", "../../etc/passwd", "a" * 129, "latest\nX: y", "üñ", None, 7]
    entries = [an_entry(name=name) for name in names]

    page = parse_quay_tags(a_page(*entries, None, [], "text"))

    assert (page.names, page.invalid, page.entries) == (("good",), 9, 10)


def test_names_of_another_namespace_are_none_of_this_one() -> None:
    entries = [
        {"name": "api", "namespace": "acme"},
        {"name": "python", "namespace": "library"},
        {"name": "..", "namespace": "acme"},
        {"name": "Upper", "namespace": "acme"},
        {"name": "a/b?x=1", "namespace": "acme"},
        {"name": None, "namespace": "acme"},
        {"name": "api"},
        {"name": "b", "namespace": "acme/a"},
        "python",
    ]

    page = parse_quay_repositories(a_list(*entries), "acme")

    assert (page.names, page.invalid) == (("acme/api",), 8)
    everybody = parse_quay_repositories(a_list(*entries))
    assert everybody.names == ("acme/api", "library/python")


def test_what_holds_no_images_is_left_out() -> None:
    entries = [
        {"name": "chart", "namespace": "acme", "kind": "application"},
        {"name": "old", "namespace": "acme", "state": "MARKED_FOR_DELETION"},
        {"name": "api", "namespace": "acme", "kind": "image", "state": "READ_ONLY"},
    ]

    page = parse_quay_repositories(a_list(*entries), "acme")

    assert (page.names, page.invalid) == (("acme/api",), 0)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"<html>",
        page_of("a refusal"),
        a_page(tags=None),
        a_page(tags={}),
        b'{"tags": []}',
        a_page(has_additional=None),
        a_page(has_additional="no"),
        b'{"tags":[],"has_additional":true,"has_additional":false}',
    ],
)
def test_a_page_that_is_none_is_not_an_empty_one(raw: bytes) -> None:
    with pytest.raises(DocumentError):
        parse_quay_tags(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"{}",
        page_of("a refusal"),
        b'{"repositories": null}',
        a_list(next_page=""),
        a_list(next_page=7),
        a_list(next_page="a b"),
        a_list(next_page="x" * 5000),
    ],
)
def test_a_list_that_is_none_is_not_an_empty_one(raw: bytes) -> None:
    with pytest.raises(DocumentError):
        parse_quay_repositories(raw)


_KEYS = [*an_entry(), "namespace", "kind", "state", "next_page", "tags", "page"]
_LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=20)
_VALUES: st.SearchStrategy[Any] = st.recursive(
    _LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=6)
    ),
    max_leaves=20,
)


@given(st.binary(max_size=200) | _VALUES.map(lambda v: json.dumps(v).encode()))
def test_any_bytes_are_a_page_or_our_error(raw: bytes) -> None:
    for parse in (parse_quay_tags, parse_quay_repositories):
        try:
            parse(raw)
        except DocumentError:
            continue


@given(st.lists(_VALUES, max_size=4))
def test_any_entries_give_good_names_and_count_the_others(entries: list[Any]) -> None:
    tags = parse_quay_tags(a_page(*entries))
    repositories = parse_quay_repositories(a_list(*entries), "acme")

    assert tags.entries <= len(entries)
    assert repositories.entries <= len(entries)
    assert all(name.startswith("acme/") for name in repositories.names)


@given(st.dictionaries(st.sampled_from([*an_entry()]), _VALUES, max_size=3))
def test_any_value_in_a_good_entry_leaves_a_tag_or_none(
    changed: dict[str, Any],
) -> None:
    page = parse_quay_tags(a_page(an_entry(**changed)))

    assert page.entries == 1
    for tag in page.tags:
        assert tag.digest in (DIGEST, None)
        assert tag.pushed_at is None or tag.pushed_at.tzinfo is not None
