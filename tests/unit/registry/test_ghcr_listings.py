"""Pages of GitHub's API: what is believed, what is counted, what is refused."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.registry.listing import TagSeen
from weighbridge.errors import DocumentError
from weighbridge.registry.kinds.ghcr.ghcr_api import parse_packages, parse_versions

INDEX = Digest("sha256:" + "1" * 64)
IMAGE = Digest("sha256:" + "2" * 64)
PUSHED = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def a_version(*tags: object, **changed: object) -> dict[str, object]:
    """In the form of the API's OpenAPI description (`package-version`)."""
    return {
        "id": 812_345,
        "name": INDEX,
        "url": "https://api.github.example/users/acme/packages/container/app/versions/8",
        "package_html_url": "https://github.example/acme/app/pkgs/container/app",
        "created_at": "2026-03-04T05:06:07Z",
        "updated_at": "2026-05-06T07:08:09Z",
        "metadata": {"package_type": "container", "container": {"tags": list(tags)}},
    } | changed


def a_package(**changed: object) -> dict[str, object]:
    return {
        "id": 197,
        "name": "app",
        "package_type": "container",
        "owner": {"login": "Acme", "id": 9919, "type": "Organization"},
        "version_count": 3,
        "visibility": "private",
    } | changed


def raw(*entries: object) -> bytes:
    return json.dumps(entries).encode()


def test_a_version_is_a_manifest_and_those_without_tags_are_no_tags() -> None:
    page = parse_versions(raw(a_version("latest", "1.4"), a_version(name=IMAGE)))

    assert page.tags == (
        TagSeen("latest", INDEX, PUSHED),
        TagSeen("1.4", INDEX, PUSHED),
    )
    assert page.invalid == 0


def test_a_page_without_any_tag_is_told_from_others_by_its_first_version() -> None:
    page = parse_versions(raw(a_version(name=IMAGE), a_version()))

    assert page.names == ()
    assert (page.first, page.entries) == (IMAGE, 0)


def test_taking_a_tag_away_is_no_push() -> None:
    """`updated_at` moves with it."""
    (tag,) = parse_versions(raw(a_version("a"))).tags

    assert tag.pushed_at == PUSHED


def test_a_time_that_means_never_is_none() -> None:
    never = "0001-01-01T00:00:00Z"

    (tag,) = parse_versions(raw(a_version("a", created_at=never))).tags

    assert tag.pushed_at is None


@pytest.mark.parametrize("name", [None, 7, "", "sha256:short", "latest"])
def test_a_tag_whose_digest_cannot_be_read_is_asked_for(name: object) -> None:
    (tag,) = parse_versions(raw(a_version("a", name=name))).tags

    assert tag == TagSeen("a", None, PUSHED)


def test_a_tag_that_two_versions_claim_is_asked_for() -> None:
    page = parse_versions(raw(a_version("a"), a_version("a", name=IMAGE)))

    assert [(tag.name, tag.digest) for tag in page.tags] == [("a", None)]


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {},
        {"container": None},
        {"container": {}},
        {"container": {"tags": None}},
        {"container": {"tags": "latest"}},
        {"container": {"tags": {"a": 1}}},
        [],
    ],
)
def test_a_version_without_a_list_of_tags_may_have_any(metadata: object) -> None:
    page = parse_versions(raw(a_version(metadata=metadata), a_version("a")))

    assert page.names == ("a",)
    assert page.invalid == 1


def test_entries_that_are_no_tags_are_counted() -> None:
    names = ["good", "", "../etc", "a" * 129, "a b", "ü", None, 7, INDEX]

    page = parse_versions(raw(a_version(*names), None, "text", []))

    assert page.names == ("good",)
    assert page.invalid == 8 + 3


def test_packages_are_repositories_of_their_owner_in_lower_case() -> None:
    nested = a_package(name="tools/cli")

    page = parse_packages(raw(a_package(), nested, a_package()), "acme")

    assert page.names == ("acme/app", "acme/tools/cli")
    assert page.invalid == 0


def test_packages_of_others_and_of_other_types_are_none_of_ours() -> None:
    entries = [
        a_package(owner={"login": "other"}),
        a_package(owner={"login": None}),
        a_package(package_type="npm"),
        a_package(name="../../x"),
        a_package(name="App"),
        a_package(name=None),
        None,
        "app",
    ]

    page = parse_packages(raw(*entries, a_package()), "acme")

    assert page.names == ("acme/app",)
    assert page.invalid == len(entries)


@pytest.mark.parametrize(
    "content",
    [b"", b"null", b"{}", b"<html>", b'{"message":"Not Found"}', b'["a"', b"7"],
)
def test_a_page_that_is_none_is_not_an_empty_one(content: bytes) -> None:
    with pytest.raises(DocumentError):
        parse_versions(content)
    with pytest.raises(DocumentError):
        parse_packages(content, "acme")


_KEYS = [*a_version(), *a_package(), "container", "tags", "login"]
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
def test_any_bytes_are_a_page_or_our_error(content: bytes) -> None:
    for parse in (parse_versions, lambda page: parse_packages(page, "acme")):
        try:
            parse(content)
        except DocumentError:
            continue


@given(st.lists(_VALUES | st.builds(a_version, _VALUES, _VALUES), max_size=4))
def test_any_entries_give_good_tags_and_count_the_others(entries: list[Any]) -> None:
    page = parse_versions(raw(*entries))

    assert all(tag.digest in (INDEX, None) for tag in page.tags)
    assert len(set(page.names)) == len(page.tags)
    assert bool(page.entries or page.key) or not entries


@given(st.dictionaries(st.sampled_from([*a_package()]), _VALUES, max_size=3))
def test_any_value_in_a_package_leaves_a_repository_or_none(
    changed: dict[str, Any],
) -> None:
    page = parse_packages(raw(a_package(**changed)), "acme")

    assert page.entries == 1
    assert all(name.startswith("acme/") for name in page.names)
