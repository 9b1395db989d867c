"""Pages of Docker Hub's API: what is believed, what is counted, what is refused."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.registry.listing import TagSeen
from weighbridge.errors import DocumentError
from weighbridge.registry.kinds.dockerhub.hub_api import (
    parse_hub_repositories,
    parse_hub_tags,
)

INDEX = Digest("sha256:" + "1" * 64)
AMD64 = Digest("sha256:" + "2" * 64)
ARM64 = Digest("sha256:" + "3" * 64)
ONE_IMAGE = "application/vnd.docker.container.image.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
PUSHED = datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=UTC)


def an_image(**changed: object) -> dict[str, object]:
    return {
        "architecture": "amd64",
        "variant": None,
        "digest": AMD64,
        "os": "linux",
        "os_version": None,
        "size": 1000,
        "status": "active",
    } | changed


def an_entry(**changed: object) -> dict[str, object]:
    return {
        "name": "3.7",
        "digest": INDEX,
        "media_type": OCI_INDEX,
        "images": [an_image()],
        "last_updated": "2026-01-01T00:00:00Z",
        "tag_last_pushed": "2026-01-02T03:04:05.123456Z",
        "tag_status": "active",
    } | changed


def a_page(*entries: object, **changed: object) -> bytes:
    page = {"count": len(entries), "next": None, "results": entries}
    return json.dumps(page | changed).encode()


def only_tag(**changed: object) -> TagSeen:
    page = parse_hub_tags(a_page(an_entry(**changed)))
    (tag,) = page.tags
    return tag


def test_a_tag_of_an_index_has_its_digest_and_its_push_time() -> None:
    assert only_tag() == TagSeen("3.7", INDEX, PUSHED, ((AMD64, 1000),))


def test_a_tag_of_an_image_has_the_digest_of_that() -> None:
    tag = only_tag(digest=None, media_type=ONE_IMAGE)

    assert tag.digest == AMD64


@pytest.mark.parametrize(
    "changed",
    [
        {"digest": None},
        {"digest": None, "media_type": None},
        {"digest": None, "media_type": ONE_IMAGE, "images": []},
        {"digest": None, "media_type": ONE_IMAGE, "images": None},
        {"digest": None, "media_type": ONE_IMAGE, "images": [an_image(digest=None)]},
        {"digest": None, "media_type": ONE_IMAGE, "images": [an_image(), an_image()]},
        {"digest": "sha256:short", "media_type": ONE_IMAGE},
        {"digest": 7, "media_type": ONE_IMAGE},
        {"digest": AMD64, "images": [an_image(), an_image(digest=ARM64)]},
        {"digest": AMD64},
        {"digest": None, "media_type": [ONE_IMAGE]},
    ],
    ids=[
        "an index without its digest",
        "no type",
        "no images",
        "null images",
        "an image without a digest",
        "two of one platform",
        "a digest cut off",
        "a number",
        "the digest of one platform",
        "the digest of the only platform of an index",
        "a type that is no text",
    ],
)
def test_what_a_tag_names_is_left_open_where_the_page_leaves_it_open(
    changed: dict[str, object],
) -> None:
    assert only_tag(**changed).digest is None


def test_the_digest_of_an_image_is_that_of_its_tag() -> None:
    assert only_tag(digest=AMD64, media_type=ONE_IMAGE).digest == AMD64
    assert only_tag(digest=AMD64, media_type=None).digest == AMD64


def test_an_attestation_is_no_platform() -> None:
    attestation = an_image(os="unknown", architecture="unknown", digest=ARM64, size=9)

    tag = only_tag(images=[attestation, an_image()])

    assert tag.sizes == ((AMD64, 1000),)


def test_the_first_of_two_images_of_a_platform_stands_for_it() -> None:
    tag = only_tag(images=[an_image(size=5), an_image(size=6, digest=ARM64)])

    assert tag.sizes == ((AMD64, 5),)


@pytest.mark.parametrize("size", [0, -1, None, "12", 1.5, True, 2**60])
def test_a_size_that_says_nothing_is_none(size: object) -> None:
    assert only_tag(images=[an_image(size=size)]).sizes == ()


def test_every_platform_of_a_tag_has_the_size_that_the_listing_names() -> None:
    arm = an_image(architecture="arm64", digest=ARM64, size=900)
    old = an_image(os="windows", digest=None, size=800)

    tag = only_tag(images=[an_image(), arm, old])

    assert tag.sizes == ((AMD64, 1000), (ARM64, 900))


def test_an_image_that_nobody_pulls_is_still_there() -> None:
    tag = only_tag(images=[an_image(status="inactive")], tag_status="inactive")

    assert tag.digest == INDEX
    assert tag.sizes == ((AMD64, 1000),)


@pytest.mark.parametrize(
    ("pushed", "expected"),
    [
        ("2026-01-02T03:04:05.123456789Z", PUSHED),
        ("2026-01-02T05:04:05.123456+02:00", PUSHED),
        ("0001-01-01T00:00:00Z", datetime(2026, 1, 1, tzinfo=UTC)),
        (None, datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-W01-1", datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-02-31T00:00:00Z", datetime(2026, 1, 1, tzinfo=UTC)),
        (1767323045, datetime(2026, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_push_time_that_cannot_be_read_gives_way_to_the_last_change(
    pushed: object, expected: datetime
) -> None:
    assert only_tag(tag_last_pushed=pushed).pushed_at == expected


def test_entries_that_are_no_tags_are_counted_registry_list_012_to_017() -> None:
    names = ["good", "../../etc/passwd", "a" * 129, "latest\nX: y", "üñ", None, 7]
    entries = [an_entry(name=name) for name in names]

    page = parse_hub_tags(a_page(*entries, None, [], "text"))

    assert page.names == ("good",)
    assert page.invalid == 9
    assert page.entries == 10


def test_a_tag_that_comes_twice_counts_once_registry_list_020() -> None:
    page = parse_hub_tags(a_page(an_entry(), an_entry(digest=ARM64)))

    assert page.as_tags().tags == (TagSeen("3.7", INDEX, PUSHED, ((AMD64, 1000),)),)
    assert page.as_tags().invalid == 0


def test_names_of_another_namespace_are_none_of_this_one_registry_list_021() -> None:
    entries = [
        {"name": "python", "namespace": "library"},
        {"name": "api", "namespace": "acme"},
        {"name": "..", "namespace": "library"},
        {"name": "Upper", "namespace": "library"},
        {"name": "a" * 300, "namespace": "library"},
        {"name": "a/b?x=1", "namespace": "library"},
        {"name": None, "namespace": "library"},
        {"namespace": "library"},
        "python",
    ]

    page = parse_hub_repositories(a_page(*entries), "library")

    assert page.as_repositories().names == ("library/python",)
    assert page.as_repositories().invalid == 8


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"<html>",
        b'{"detail":"Rate limit exceeded","error":false}',
        a_page(results=None),
        a_page(results={}),
        b'{"results":[]}',
        a_page(next=""),
        a_page(next=7),
        b'{"next":null,"next":"x","results":[]}',
    ],
)
def test_a_page_that_is_none_is_not_an_empty_one(raw: bytes) -> None:
    for parse in (parse_hub_tags, lambda page: parse_hub_repositories(page, "acme")):
        with pytest.raises(DocumentError):
            parse(raw)


def test_a_page_without_a_count_says_no_total() -> None:
    assert parse_hub_tags(a_page(count=None)).total is None
    assert parse_hub_tags(a_page(count=True)).total is None
    assert parse_hub_tags(a_page(count=12)).total == 12


_LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=20)
_VALUES: st.SearchStrategy[Any] = st.recursive(
    _LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*an_entry(), *an_image(), "results", "count", "next"]),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_page_or_our_error(raw: bytes) -> None:
    for parse in (parse_hub_tags, lambda page: parse_hub_repositories(page, "acme")):
        try:
            parse(raw)
        except DocumentError:
            continue


@given(st.lists(_VALUES, max_size=4))
def test_any_entries_give_good_names_and_count_the_others(entries: list[Any]) -> None:
    raw = a_page(*entries)

    tags = parse_hub_tags(raw)
    repositories = parse_hub_repositories(raw, "acme")

    for page in (tags, repositories):
        assert page.entries <= len(entries)
    assert all(name.startswith("acme/") for name in repositories.names)
    for tag in tags.as_tags().tags:
        assert all(size > 0 for _, size in tag.sizes)
        assert tag.pushed_at is None or tag.pushed_at.tzinfo is not None


@given(st.dictionaries(st.sampled_from([*an_entry()]), _VALUES, max_size=3))
def test_any_value_in_a_good_entry_leaves_a_tag_or_none(
    changed: dict[str, Any],
) -> None:
    page = parse_hub_tags(a_page(an_entry(**changed)))

    assert page.entries == 1
    for tag in page.tags:
        assert tag.digest in (INDEX, AMD64, None) or "digest" in changed
