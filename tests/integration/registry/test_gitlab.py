"""GitLab's container registry, crawled: what it is asked, what that costs, and what is
kept."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.gitlab_replica.serving import (
    crawl_gitlab,
    gitlab_replica,
    gitlab_settings,
)
from support.gitlab_replica.state import API_TOKEN, PASSWORD, GitLab, a_gitlab
from support.platform_content import MANIFESTS_PER_INDEX, platform_content
from support.replica.brute_force import count_by_brute_force
from support.replica.changes import Change, ChangingContent
from support.replica.stored import Counted, counted
from weighbridge.config import Settings
from weighbridge.demo.content.stored_documents import RegistryContent
from weighbridge.demo.story import demo_content
from weighbridge.store.reports.tags import tag_page
from weighbridge.store.session import open_database

PROJECT = "tutorial/hello"
SHOP = "acme/shop/api"
TAGS = 1_000
INDEXES = TAGS // 10
FEW = 240
"""Three pages of REST, the last a short one, and twelve of GraphQL."""


@pytest.fixture(scope="module")
def demo() -> RegistryContent:
    return demo_content()


def served(content: RegistryContent) -> Iterator[GitLab]:
    """Nothing that the real one forbids may have been asked."""
    with gitlab_replica(a_gitlab(content)) as lab:
        yield lab
    assert lab.violations == []


@pytest.fixture
def small(demo: RegistryContent) -> Iterator[GitLab]:
    yield from served(demo)


@pytest.fixture
def lab() -> Iterator[GitLab]:
    """Its tags have one image: what lists them is looked at."""
    yield from served(platform_content(SHOP, FEW, tags_per_image=FEW))


@pytest.fixture
def many() -> Iterator[GitLab]:
    yield from served(platform_content(SHOP, TAGS, tags_per_image=TAGS))


@pytest.fixture
def large() -> Iterator[GitLab]:
    yield from served(platform_content(SHOP, TAGS))


@pytest.fixture
def settings(tmp_path: Path, lab: GitLab, database_url: str) -> Settings:
    return gitlab_settings(tmp_path, lab, database_url, groups=["Acme"])


def digests(database_url: str, repository: str = SHOP) -> dict[str, str]:
    """Of the tags that are not gone."""
    database = open_database(database_url)
    try:
        with database.read() as connection:
            page = tag_page(connection, "lab", repository, limit=1000)
        return {
            tag.name: str(tag.digest) for tag in page.items if tag.deleted_at is None
        }
    finally:
        database.close()


def test_groups_and_projects_are_weighed_to_the_byte(
    small: GitLab, demo: RegistryContent, tmp_path: Path, database_url: str
) -> None:
    settings = gitlab_settings(
        tmp_path, small, database_url, groups=["library"], projects=[PROJECT]
    )
    names = demo.repositories()
    wanted = [n for n in names if n.startswith("library/") or n == PROJECT]
    assert PROJECT in wanted

    done = crawl_gitlab(settings, measure=True)

    expected = count_by_brute_force(demo).repositories
    assert done.faults == ()
    assert counted(database_url) == {
        name: Counted(r.tags, r.images, r.referenced_bytes, r.weighed_bytes)
        for name, r in expected.items()
        if name in wanted
    }


def test_what_1000_tags_cost_where_the_registry_lists_them(
    large: GitLab, tmp_path: Path, database_url: str
) -> None:
    """The table of docs/registries.md."""
    lab, settings = (
        large,
        gitlab_settings(tmp_path, large, database_url, groups=["acme"]),
    )
    first = crawl_gitlab(settings)
    cold = lab.take_counts()
    second = crawl_gitlab(settings)
    unchanged = lab.take_counts()
    lab.content = ChangingContent(platform_content(SHOP, TAGS, is_rebuilt=True))
    third = crawl_gitlab(settings)
    moved = lab.take_counts()

    pages = {"repositories": 1, "own_tags": 1, "token": 1, "registry_401": 1}
    assert (first.faults, first.tags) == ((), TAGS)
    assert cold == pages | {
        "get_manifest": MANIFESTS_PER_INDEX * INDEXES,
        "get_blob": 4 * INDEXES,
        "get_range": 2 * INDEXES,
    }
    assert second.faults == third.faults == ()
    assert unchanged == pages
    assert moved == pages | {
        "get_manifest": MANIFESTS_PER_INDEX * TAGS // 100,
        "get_blob": 4 * TAGS // 100,
        "get_range": 2 * TAGS // 100,
    }
    assert len(digests(database_url)) == TAGS


def test_what_1000_tags_cost_by_graphql(
    many: GitLab, tmp_path: Path, database_url: str
) -> None:
    lab = many
    lab.has_database = False
    settings = gitlab_settings(tmp_path, lab, database_url, groups=["acme"])

    assert crawl_gitlab(settings).tags == TAGS
    cold = lab.take_counts()
    assert crawl_gitlab(settings).faults == ()

    assert "head_manifest" not in cold
    assert lab.take_counts() == {
        "repositories": 1,
        "own_tags": 1,  # which is not there
        "graphql": TAGS // 20,
        "token": 1,
        "registry_401": 1,
    }
    assert len(digests(database_url)) == TAGS


@pytest.mark.parametrize("has_numbers", [True, False])
def test_what_1000_tags_cost_by_rest(
    many: GitLab, tmp_path: Path, database_url: str, *, has_numbers: bool
) -> None:
    lab = many
    lab.has_database = lab.has_graph = False
    lab.has_numbers = has_numbers
    settings = gitlab_settings(tmp_path, lab, database_url, groups=["acme"])

    assert crawl_gitlab(settings).tags == TAGS
    lab.take_counts()
    assert crawl_gitlab(settings).faults == ()

    asked = lab.take_counts()
    assert (asked["graphql"], asked["rest_tags"]) == (1, TAGS // 100)
    assert asked["head_manifest"] + asked.get("get_manifest", 0) == TAGS


def test_a_repository_that_no_listing_has_brought_is_found_by_its_name(
    lab: GitLab, tmp_path: Path, database_url: str
) -> None:
    """Its project is told by asking for the shortest part of its name first."""
    lab.has_database = False
    settings = gitlab_settings(tmp_path, lab, database_url, include=[SHOP])

    assert crawl_gitlab(settings).faults == ()

    asked = lab.take_counts()
    assert (asked["repositories"], asked["graphql"]) == (1, FEW // 20)


def test_a_token_for_the_registry_alone_reads_tags_by_the_protocol(
    lab: GitLab, tmp_path: Path, database_url: str
) -> None:
    """A deploy token is none for the API, which is not asked a second time."""
    lab.has_database = False
    settings = gitlab_settings(
        tmp_path, lab, database_url, include=[SHOP, "acme/shop/web"], api_token=None
    )

    crawl_gitlab(settings)

    asked = lab.take_counts()
    assert asked["api_401"] == 1
    assert asked["tags"] == 2
    assert len(digests(database_url)) == FEW


def test_a_public_project_is_read_without_credentials(
    lab: GitLab, tmp_path: Path, database_url: str
) -> None:
    lab.public = True
    settings = gitlab_settings(
        tmp_path,
        lab,
        database_url,
        projects=["acme/shop"],
        password=None,
        api_token=None,
    )

    assert crawl_gitlab(settings).tags == FEW

    assert lab.shown == set()
    assert lab.take_counts()["own_tags"] == 1


def test_each_host_is_shown_its_own_token_alone(
    lab: GitLab, settings: Settings
) -> None:
    """The replica notes any other secret as a violation."""
    assert crawl_gitlab(settings).faults == ()
    assert lab.shown == {API_TOKEN}


def test_the_password_is_shown_to_the_api_where_that_has_no_token_of_its_own(
    lab: GitLab, tmp_path: Path, database_url: str
) -> None:
    lab.tokens = {PASSWORD}
    settings = gitlab_settings(
        tmp_path, lab, database_url, groups=["acme"], api_token=None
    )

    assert crawl_gitlab(settings).faults == ()
    assert lab.shown == {PASSWORD}


@pytest.mark.parametrize("road", ["own", "graphql"])
def test_429_of_either_host_is_waited_for(
    lab: GitLab, settings: Settings, road: str
) -> None:
    lab.has_database = road == "own"
    lab.api_left = 2 if road != "own" else 0
    lab.registry_left = 1

    done = crawl_gitlab(settings)

    assert (done.faults, done.tags) == ((), FEW)
    asked = lab.take_counts()
    assert (asked["api_429"], asked["registry_429"]) == (1, 1)


@pytest.mark.parametrize("has_graph", [True, False])
def test_a_token_that_ends_in_mid_listing_removes_nothing(
    lab: GitLab, settings: Settings, database_url: str, *, has_graph: bool
) -> None:
    lab.has_database, lab.has_graph = False, has_graph
    crawl_gitlab(settings)
    before = digests(database_url)
    lab.take_counts()
    lab.forget_after = 3

    done = crawl_gitlab(settings)

    assert [fault.code for fault in done.faults] == ["unauthorized"]
    assert digests(database_url) == before
    lab.tokens, lab.forget_after = {API_TOKEN}, None
    assert crawl_gitlab(settings).faults == ()


def test_a_refused_password_is_shown_once_and_the_address_not_shut_out(
    small: GitLab, tmp_path: Path, database_url: str
) -> None:
    settings = gitlab_settings(
        tmp_path, small, database_url, groups=["library"], password="wrong"
    )

    done = crawl_gitlab(settings)

    assert done.repositories > 3
    assert {fault.code for fault in done.faults} == {"unauthorized"}
    asked = small.take_counts()
    assert asked["refused_sign_in"] == 1


def test_a_group_that_shows_nothing_any_more_removes_nothing(
    small: GitLab, tmp_path: Path, database_url: str
) -> None:
    """As where the token has lost its rights in all of its projects."""
    settings = gitlab_settings(tmp_path, small, database_url, groups=["library"])
    crawl_gitlab(settings)
    before = counted(database_url)
    names = [n for n in small.content.repositories() if n.startswith("library/")]
    small.hidden, small.unreadable = set(names), set(names)

    done = crawl_gitlab(settings)

    assert "empty_listing" in [fault.code for fault in done.faults]
    assert counted(database_url) == before
    small.hidden, small.unreadable = set(), set()
    assert crawl_gitlab(settings).faults == ()


def test_a_group_that_is_not_shown_keeps_no_other_from_being_listed(
    small: GitLab, tmp_path: Path, database_url: str
) -> None:
    small.hidden = {"library"}
    settings = gitlab_settings(
        tmp_path, small, database_url, groups=["library", "tutorial"]
    )

    done = crawl_gitlab(settings)

    assert [fault.code for fault in done.faults] == ["not_found"]
    assert done.complete > 0


def test_a_repository_cut_by_rights_is_kept(
    lab: GitLab, settings: Settings, database_url: str
) -> None:
    """GitLab gives a token that allows nothing."""
    crawl_gitlab(settings)
    before = digests(database_url)
    lab.unreadable = {SHOP}

    done = crawl_gitlab(settings)

    assert [fault.code for fault in done.faults] == ["unauthorized"]
    assert digests(database_url) == before
    lab.unreadable = set()
    assert crawl_gitlab(settings).faults == ()


@pytest.mark.parametrize("road", ["own", "graphql", "rest"])
def test_a_repository_that_vanishes_is_missing_by_the_registry_s_word(
    small: GitLab, tmp_path: Path, database_url: str, road: str
) -> None:
    small.has_database, small.has_graph = road == "own", road != "rest"
    gone = "library/python"
    settings = gitlab_settings(tmp_path, small, database_url, groups=["library"])
    crawl_gitlab(settings)
    small.content.apply([Change(gone)])

    done = crawl_gitlab(settings)

    assert [(t.repository, t.state) for t in done.troubled] == [(gone, "deleted")]


@pytest.mark.parametrize("body", [b"null", b"[null]"])
@pytest.mark.parametrize("road", ["own", "graphql", "rest"])
def test_pages_that_say_nothing_remove_nothing(
    lab: GitLab, settings: Settings, database_url: str, road: str, body: bytes
) -> None:
    lab.has_database, lab.has_graph = road == "own", road != "rest"
    crawl_gitlab(settings)
    before = digests(database_url)
    lab.change_body = lambda of, made: body if of == "tags" else made

    done = crawl_gitlab(settings)

    assert [fault.repository for fault in done.faults] == [SHOP]
    assert digests(database_url) == before
    lab.change_body = None
    assert crawl_gitlab(settings).faults == ()


@pytest.mark.parametrize("road", ["graphql", "rest"])
def test_pages_that_shrink_while_they_are_read_remove_nothing(
    lab: GitLab, settings: Settings, database_url: str, road: str
) -> None:
    """By numbers, a deletion moves a tag to a page that has been read."""
    lab.has_database, lab.has_graph = False, road == "graphql"
    crawl_gitlab(settings)
    before = digests(database_url)

    def delete(of: str) -> None:
        if of == "tags":
            lab.after_page = None
            lab.content.apply([Change(SHOP, "t0003")])

    lab.after_page = delete
    done = crawl_gitlab(settings)

    assert done.troubled[0].reason == "listing_changed"
    assert digests(database_url).keys() == before.keys()
    assert crawl_gitlab(settings).faults == ()
    assert before.keys() - digests(database_url).keys() == {"t0003"}


def test_pages_of_graphql_that_are_shorter_than_asked_for_remove_nothing(
    lab: GitLab, settings: Settings, database_url: str
) -> None:
    """The cursor of a GitLab with a database counts what is not shown."""
    lab.has_database = False
    crawl_gitlab(settings)
    before = digests(database_url)
    lab.graph_page = 10

    done = crawl_gitlab(settings)

    assert [fault.code for fault in done.faults] == ["invalid_listing"]
    assert digests(database_url) == before


def test_graphql_of_a_gitlab_with_a_database_misses_no_tag(
    lab: GitLab, settings: Settings, database_url: str
) -> None:
    """Its cursor is the last tag that the registry listed, shown or not."""
    lab.is_behind = True

    assert crawl_gitlab(settings).faults == ()

    assert lab.take_counts()["graphql"] == FEW // 20
    assert len(digests(database_url)) == FEW


def test_a_listed_tag_without_a_manifest_fails_alone(
    lab: GitLab, settings: Settings, database_url: str
) -> None:
    lab.has_database = False
    lab.broken = {(SHOP, "t0007")}

    done = crawl_gitlab(settings)

    assert {fault.code for fault in done.faults} == {"manifest_unknown"}
    assert len(digests(database_url)) >= FEW - 1
    lab.broken = set()
    assert crawl_gitlab(settings).faults == ()


def test_a_database_that_is_switched_off_removes_nothing(
    lab: GitLab, settings: Settings, database_url: str
) -> None:
    """The next process learns that the registry does not list tags any more."""
    crawl_gitlab(settings)
    before = digests(database_url)
    lab.has_database = False

    assert crawl_gitlab(settings).faults == ()
    assert digests(database_url) == before
