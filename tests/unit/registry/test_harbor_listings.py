"""Pages of Harbor's API: what is believed, what is counted, what is refused."""

import json
from contextlib import suppress
from datetime import UTC, datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.registry.listing import TagSeen
from weighbridge.domain.text.globs import Patterns
from weighbridge.errors import DocumentError, ListingError
from weighbridge.ports.protocols import ProjectQuota
from weighbridge.registry.exchange.paging import ListingPage
from weighbridge.registry.kinds.harbor.harbor_api import (
    next_page,
    parse_artifacts,
    parse_harbor_repositories,
    parse_projects,
    parse_quotas,
    read_artifact_count,
    repository_path,
)
from weighbridge.registry.kinds.harbor.harbor_kind import HARBOR
from weighbridge.registry.kinds.harbor.harbor_registry import may_hold

IMAGE = Digest("sha256:" + "1" * 64)
INDEX = Digest("sha256:" + "2" * 64)
CHILD = Digest("sha256:" + "3" * 64)
PUSHED = datetime(2026, 3, 4, 5, 6, 7, 89_000, tzinfo=UTC)
CART = "shop/team/cart"


def a_tag(name: object, **changed: object) -> dict[str, object]:
    return {
        "id": 41,
        "repository_id": 6,
        "artifact_id": 17,
        "name": name,
        "push_time": "2026-03-04T05:06:07.089Z",
        "pull_time": "0001-01-01T00:00:00.000Z",
        "immutable": False,
    } | changed


def an_artifact(**changed: object) -> dict[str, object]:
    return {
        "id": 17,
        "type": "IMAGE",
        "media_type": "application/vnd.oci.image.config.v1+json",
        "manifest_media_type": "application/vnd.oci.image.manifest.v1+json",
        "project_id": 4,
        "repository_id": 6,
        "repository_name": CART,
        "digest": IMAGE,
        "size": 8_123_456,
        "push_time": "2026-03-04T05:06:07.001Z",
        "pull_time": "0001-01-01T00:00:00.000Z",
        "extra_attrs": {"architecture": "arm64", "os": "linux", "config": None},
        "references": None,
        "tags": [a_tag("1.4")],
        "accessories": None,
    } | changed


AN_INDEX = an_artifact(
    digest=INDEX,
    manifest_media_type="application/vnd.oci.image.index.v1+json",
    references=[
        {
            "parent_id": 17,
            "child_id": 18,
            "child_digest": CHILD,
            "platform": {"OsFeatures": None, "architecture": "amd64", "os": "linux"},
            "annotations": None,
            "urls": None,
        },
    ],
    tags=[a_tag("latest"), a_tag("1.5", push_time="0001-01-01T00:00:00.000Z")],
)


def parsed(*entries: object) -> ListingPage:
    return parse_artifacts(json.dumps(entries).encode(), CART)


def test_each_tag_of_an_artifact_has_its_digest_and_a_time_of_its_own() -> None:
    page = parsed(an_artifact(), AN_INDEX)

    assert page.names == (IMAGE, INDEX)
    assert page.tags == (
        TagSeen("1.4", IMAGE, PUSHED),
        TagSeen("latest", INDEX, PUSHED),
        TagSeen("1.5", INDEX, None),
    )
    assert page.invalid == 0


def test_a_size_that_counts_the_manifest_too_is_no_size_of_an_image() -> None:
    page = parsed(an_artifact(), AN_INDEX)

    assert [tag.sizes for tag in page.tags] == [(), (), ()]


@pytest.mark.parametrize("tags", [None, []])
def test_an_artifact_without_tags_counts_as_an_entry(tags: object) -> None:
    page = parsed(an_artifact(tags=tags))

    assert (page.names, page.tags, page.invalid) == ((IMAGE,), (), 0)


@pytest.mark.parametrize(
    "entry",
    [
        None,
        7,
        an_artifact(digest=None),
        an_artifact(digest="sha256:short"),
        an_artifact(repository_name="shop/team"),
        an_artifact(tags="1.4"),
        an_artifact(tags=[None]),
        an_artifact(tags=[a_tag(None)]),
        an_artifact(tags=[a_tag("-no")]),
    ],
)
def test_what_cannot_be_read_is_counted(entry: object) -> None:
    page = parsed(entry, AN_INDEX)

    assert page.invalid == 1
    assert [tag.name for tag in page.tags] == ["latest", "1.5"]


def test_projects_and_which_are_caches_of_another_registry() -> None:
    page, caches = parse_projects(
        json.dumps(
            [
                {"project_id": 2, "name": "shop", "metadata": {"public": "true"}},
                {"project_id": 3, "name": "hub-cache", "registry_id": 5},
                {"project_id": 4, "name": "own", "registry_id": None},
                {"project_id": 5, "name": "older", "registry_id": 0},
                {"project_id": 6, "name": "not/one"},
                {"project_id": 7},
                None,
            ]
        ).encode()
    )

    assert page.names == ("shop", "hub-cache", "own", "older")
    assert page.invalid == 3
    assert caches == {"hub-cache"}


def test_repositories_of_one_project() -> None:
    names: list[object] = [CART, "shop/web", "other/web", "shop/", "shop/UPPER", 7]
    raw = json.dumps([{"name": name} for name in names]).encode()

    page = parse_harbor_repositories(raw, "shop")

    assert page.names == (CART, "shop/web")
    assert page.invalid == 4


@pytest.mark.parametrize("raw", [b"null", b"{}", b'"x"', b"[", b"", b"[1] [2]"])
def test_what_is_no_list_says_nothing(raw: bytes) -> None:
    for parse in (
        lambda raw: parse_artifacts(raw, CART),
        lambda raw: parse_harbor_repositories(raw, "shop"),
        parse_projects,
    ):
        with pytest.raises(DocumentError):
            parse(raw)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["name", "digest", "tags", "push_time", "registry_id", "x"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(st.lists(JSON, max_size=4) | JSON)
def test_any_json_is_read_or_refused(value: object) -> None:
    raw = json.dumps(value).encode()
    with suppress(DocumentError):
        page = parse_artifacts(raw, CART)
        assert page.entries >= len(page.names)
        parse_projects(raw)
        parse_harbor_repositories(raw, "shop")
    with suppress(DocumentError):
        read_artifact_count(raw)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    with suppress(DocumentError):
        parse_artifacts(raw, CART)


@pytest.mark.parametrize(
    ("repository", "path"),
    [
        ("shop/web", "projects/shop/repositories/web"),
        ("shop/a/b", "projects/shop/repositories/a%252Fb"),
        ("shop/a/b/c-d_e.f", "projects/shop/repositories/a%252Fb%252Fc-d_e.f"),
    ],
)
def test_a_slash_in_a_name_is_encoded_twice(repository: str, path: str) -> None:
    assert repository_path(repository) == path
    # And stays so in a URL.
    url = httpx.URL(f"https://harbor.example/api/v2.0/{path}?page=1")
    assert url.raw_path.decode() == f"/api/v2.0/{path}?page=1"


PAGE_2 = "https://harbor.example/api/v2.0/projects?sort=name&page=2&page_size=100"


@pytest.mark.parametrize(
    ("link", "total", "is_last"),
    [
        (None, 200, True),
        (None, 201, False),
        (None, 0, True),
        ("/api/v2.0/projects?page=3", 300, False),
        # Pages that a proxy keeps short, or whose path it has decoded.
        ("/api/v2.0/projects/a%2Fb?page=3", 150, False),
    ],
)
def test_the_next_page_is_asked_for_by_its_number(
    link: str | None, total: int, *, is_last: bool
) -> None:
    page = ListingPage(("a",), 0, total=total, next=link)

    found = next_page(PAGE_2, httpx.Response(200), page)

    assert found == (None if is_last else PAGE_2.replace("page=2", "page=3"))


@pytest.mark.parametrize(
    "link", ["https://evil.example/x", "//evil.example/", "http://harbor.example/"]
)
def test_a_link_to_another_address_is_refused(link: str) -> None:
    page = ListingPage(("a",), 0, total=900, next=link)

    with pytest.raises(ListingError) as refused:
        next_page(PAGE_2, httpx.Response(200), page)

    assert refused.value.code == "link_refused"


@pytest.mark.parametrize(
    ("include", "exclude", "project", "may"),
    [
        (("*",), (), "shop", True),
        (("shop/*",), (), "shop", True),
        (("shop/*",), (), "shopping", False),
        (("shop*",), (), "shopping", True),
        (("shop/api",), (), "shop", True),
        (("*/api",), (), "shop", True),
        (("other/*", "sh*"), (), "shop", True),
        (("*",), ("shop/*",), "shop", False),
        (("*",), ("shop/a*",), "shop", True),
        (("*",), ("*-cache/*",), "hub-cache", True),
        (("*",), ("sh*",), "shop", False),
        (("*",), ("shop/api",), "shop", True),
    ],
)
def test_which_projects_may_hold_what_is_wanted(
    include: tuple[str, ...], exclude: tuple[str, ...], project: str, *, may: bool
) -> None:
    assert may_hold(project, Patterns(include, exclude)) is may


@pytest.mark.parametrize(
    ("answer", "is_harbor"),
    [
        ({"auth_mode": "db_auth", "self_registration": False}, True),
        ({"auth_mode": "db_auth"}, False),
        ({"self_registration": True, "auth_mode": None}, False),
        ({}, False),
    ],
)
def test_the_system_information_shows_that_it_is_harbor(
    answer: dict[str, object], *, is_harbor: bool
) -> None:
    probe = HARBOR.signs.probe

    assert probe is not None
    assert probe.shows(answer) is is_harbor


def a_quota(name: object, used: object, limit: object) -> dict[str, object]:
    return {
        "id": 7,
        "ref": {"id": 4, "name": name, "owner_name": "admin"},
        "hard": {"storage": limit},
        "used": {"storage": used},
    }


def test_a_quota_without_a_limit_has_none() -> None:
    entries = [a_quota("shop", 5_000, 10_000), a_quota("library", 0, -1)]

    assert parse_quotas(json.dumps(entries).encode()) == [
        ProjectQuota("shop", 5_000, 10_000),
        ProjectQuota("library", 0, None),
    ]


@pytest.mark.parametrize(
    "entry",
    [
        None,
        7,
        {},
        {"ref": None, "hard": None, "used": None},
        a_quota("shop", -1, 10),
        a_quota("shop", True, 10),
        a_quota("shop", "5", 10),
        a_quota("shop", 2**63, 10),
        a_quota("a/b", 5, 10),
        a_quota(None, 5, 10),
    ],
)
def test_a_quota_that_cannot_be_read_tells_nothing(entry: object) -> None:
    raw = json.dumps([entry, a_quota("good", 1, 2)]).encode()

    assert parse_quotas(raw) == [None, ProjectQuota("good", 1, 2)]


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_any_list_of_quotas_is_read_or_refused(value: object) -> None:
    with suppress(DocumentError):
        for quota in parse_quotas(json.dumps(value).encode()):
            assert quota is None or 0 <= quota.used_bytes < 2**63
