"""Pages of GitLab's registry and of its API, and what is made of bad ones."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.registry.listing import TagSeen
from weighbridge.errors import DocumentError, NotFound
from weighbridge.registry.exchange.paging import ListingPage
from weighbridge.registry.kinds.gitlab.gitlab_pages import (
    GRAPH_PAGE_LENGTH,
    QueryRefused,
    RepositoryPlace,
    parse_graph_tags,
    parse_own_tags,
    parse_repositories,
    parse_rest_tags,
)

ONE, TWO = (Digest(f"sha256:{digit * 64}") for digit in "12")


def raw(value: object) -> bytes:
    return json.dumps(value).encode()


def repositories(body: bytes) -> ListingPage:
    return parse_repositories(body, "acme/shop")[0]


PARSERS: Mapping[str, Callable[[bytes], ListingPage]] = {
    "own": parse_own_tags,
    "rest": parse_rest_tags,
    "graph": parse_graph_tags,
    "repositories": repositories,
}


def graph(
    nodes: object,
    *,
    following: object = False,
    cursor: object = None,
    count: object = None,
) -> bytes:
    """The answer to a query, with these parts."""
    info = {"hasNextPage": following, "endCursor": cursor}
    tags = {"nodes": nodes, "pageInfo": info}
    return raw({"data": {"containerRepository": {"tagsCount": count, "tags": tags}}})


def test_a_page_of_the_registry_has_digests_and_the_last_time_of_a_push() -> None:
    page = parse_own_tags(
        raw(
            [
                {
                    "name": "2.0",
                    "digest": ONE,
                    "config_digest": TWO,
                    "media_type": "application/vnd.oci.image.manifest.v1+json",
                    "size_bytes": 81_920_000,
                    "created_at": "2025-02-03T04:05:06.789Z",
                },
                {
                    "name": "edge",
                    "digest": TWO,
                    "media_type": "application/vnd.oci.image.index.v1+json",
                    "size_bytes": 0,
                    "created_at": "2025-02-03T04:05:06.789Z",
                    "updated_at": "2025-06-07T08:09:10.111Z",
                    "published_at": "2025-06-07T08:09:10.111Z",
                },
            ]
        )
    )

    created = datetime(2025, 2, 3, 4, 5, 6, 789_000, UTC)
    moved = datetime(2025, 6, 7, 8, 9, 10, 111_000, UTC)
    assert page.tags == (TagSeen("2.0", ONE, created), TagSeen("edge", TWO, moved))
    assert (page.names, page.invalid, page.next) == (("2.0", "edge"), 0, None)


def test_sizes_of_a_listing_are_no_hint() -> None:
    """Nobody says what is added up in them."""
    (tag,) = parse_own_tags(
        raw([{"name": "a", "digest": ONE, "size_bytes": 12_345}])
    ).tags

    assert tag.sizes == ()


def test_a_tag_whose_digest_cannot_be_read_is_asked_for_at_the_registry() -> None:
    page = parse_own_tags(raw([{"name": "a", "digest": "sha256:1234567892"}]))

    assert page.tags == (TagSeen("a"),)


def test_a_page_of_rest_has_names() -> None:
    entries = [{"name": n, "path": f"acme/shop:{n}", "location": "x"} for n in "ab"]

    assert parse_rest_tags(raw(entries)).tags == (TagSeen("a"), TagSeen("b"))


def test_a_page_of_graphql_has_digests_where_there_is_a_manifest() -> None:
    nodes = [
        {"name": "a", "digest": ONE, "revision": "3332", "totalSize": "1234509876"},
        {"name": "b", "digest": None},
    ]

    page = parse_graph_tags(graph(nodes, count=2))

    assert page.tags == (TagSeen("a", ONE), TagSeen("b"))
    assert (page.total, page.next) == (2, None)


def test_the_cursor_of_graphql_leads_on() -> None:
    nodes = [{"name": f"t{n}", "digest": ONE} for n in range(GRAPH_PAGE_LENGTH)]

    page = parse_graph_tags(graph(nodes, following=True, cursor="MjA"))

    assert page.next == "MjA"


def test_a_short_page_of_graphql_that_goes_on_is_refused() -> None:
    """`first: 100` may be answered by twenty tags and a cursor beyond the hundredth."""
    nodes = [{"name": f"t{n}", "digest": ONE} for n in range(GRAPH_PAGE_LENGTH - 1)]

    with pytest.raises(DocumentError, match="19 of 20 tags"):
        parse_graph_tags(graph(nodes, following=True, cursor="t99"))


@pytest.mark.parametrize(
    ("following", "cursor"),
    [(None, "a"), ("true", "a"), (True, None), (True, ""), (True, "x" * 1025), (1, "")],
)
def test_graphql_must_say_whether_there_is_more(
    following: object, cursor: object
) -> None:
    nodes = [{"name": f"t{n}", "digest": ONE} for n in range(GRAPH_PAGE_LENGTH)]

    with pytest.raises(DocumentError, match="whether there is a next page"):
        parse_graph_tags(graph(nodes, following=following, cursor=cursor))


def test_a_repository_that_graphql_does_not_show_may_be_there() -> None:
    with pytest.raises(NotFound, match="does not show"):
        parse_graph_tags(raw({"data": {"containerRepository": None}}))


def test_a_query_that_is_not_known_is_told_from_one_that_failed() -> None:
    errors = [{"message": "Field 'tags' doesn't exist", "path": ["query"]}]

    with pytest.raises(QueryRefused, match="Field 'tags'"):
        parse_graph_tags(raw({"errors": errors}))
    with pytest.raises(DocumentError, match="Field 'tags'") as failed:
        parse_graph_tags(raw({"errors": errors, "data": None}))
    assert not isinstance(failed.value, QueryRefused)


def test_an_error_of_graphql_cannot_write_to_the_terminal() -> None:
    errors = [{"message": "\x1b[2J" + "long " * 1_000}]

    with pytest.raises(DocumentError) as refused:
        parse_graph_tags(raw({"errors": errors}))

    assert "\x1b" not in refused.value.message
    assert len(refused.value.message) < 300


@pytest.mark.parametrize("tags", [None, [], {"nodes": None}, {"nodes": {}}])
def test_null_in_the_place_of_tags_is_not_no_tags(tags: object) -> None:
    body = raw({"data": {"containerRepository": {"tagsCount": 0, "tags": tags}}})

    with pytest.raises(DocumentError):
        parse_graph_tags(body)


@pytest.mark.parametrize("name", ["own", "rest", "repositories"])
@pytest.mark.parametrize("value", [None, {}, "", 0, {"message": "404 Not Found"}])
def test_only_a_list_is_a_listing(name: str, value: object) -> None:
    with pytest.raises(DocumentError) as refused:
        PARSERS[name](raw(value))

    assert refused.value.code == "invalid_listing"


def test_entries_that_are_no_tags_are_counted() -> None:
    entries: list[object] = [
        None,
        "a",
        {},
        {"name": None},
        {"name": ".a"},
        {"name": "a"},
        [],
    ]

    page = parse_own_tags(raw(entries))

    assert (page.names, page.invalid, page.entries) == (("a",), 6, 7)


def test_repositories_come_with_their_numbers() -> None:
    entries = [
        {
            "id": 71,
            "name": "",
            "path": "acme/shop",
            "project_id": 12,
            "location": "lab.example:5050/acme/shop",
            "created_at": "2025-02-03T04:05:06.789Z",
            "cleanup_policy_started_at": None,
            "status": None,
        },
        {
            "id": 72,
            "name": "api",
            "path": "acme/shop/api",
            "project_id": 12,
            "location": "lab.example:5050/acme/shop/api",
            "status": "delete_ongoing",
        },
    ]

    page, places = parse_repositories(raw(entries), "Acme/Shop")

    assert page.names == ("acme/shop", "acme/shop/api")
    assert places == {
        "acme/shop": RepositoryPlace(12, 71),
        "acme/shop/api": RepositoryPlace(12, 72),
    }


@pytest.mark.parametrize(
    "path", ["acme/shopping", "acme", "other/shop", "acme/shop/", "acme/shop/A", 7]
)
def test_what_is_of_another_group_is_no_repository_of_this(path: object) -> None:
    page, places = parse_repositories(
        raw([{"id": 1, "project_id": 2, "path": path}]), "acme/shop"
    )

    assert (page.names, page.invalid, places) == ((), 1, {})


@pytest.mark.parametrize("number", [None, 0, -1, True, 1.5, "1", 2**63])
def test_a_repository_without_a_number_is_listed_and_not_asked_at_the_api(
    number: object,
) -> None:
    page, places = parse_repositories(
        raw([{"id": number, "project_id": 2, "path": "acme/shop"}]), "acme/shop"
    )

    assert (page.names, places) == (("acme/shop",), {})


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                (
                    *("name", "digest", "path", "id", "project_id", "created_at"),
                    *("data", "errors", "message", "containerRepository", "tags"),
                    *("nodes", "pageInfo", "tagsCount", "hasNextPage", "endCursor"),
                )
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@pytest.mark.parametrize("name", PARSERS)
@given(value=_JSON, junk=st.binary(max_size=8))
def test_any_json_is_a_page_or_refused(name: str, value: object, junk: bytes) -> None:
    for body in (raw(value), junk, graph(value), graph([value])):
        try:
            page = PARSERS[name](body)
        except (DocumentError, NotFound):
            continue
        assert len(page.names) == len(set(page.names))
        assert page.entries >= len(page.tags)
