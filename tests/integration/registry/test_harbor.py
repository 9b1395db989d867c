"""Harbor, crawled: what it is asked, what that costs, and what is kept."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from support.generated_content import generated_content
from support.harbor_replica.configured import crawl_harbor, harbor_settings
from support.harbor_replica.serving import harbor_replica
from support.harbor_replica.state import PUSHED_AT, Harbor, a_harbor
from support.platform_content import MANIFESTS_PER_INDEX, platform_content
from support.replica.brute_force import count_by_brute_force
from support.replica.changes import Change
from support.replica.stored import Counted, counted
from weighbridge.bootstrap.one_image.registry_check import check_registries
from weighbridge.bootstrap.one_image.weigh_image import inspect
from weighbridge.demo.content.stored_documents import RegistryContent
from weighbridge.demo.story import demo_content
from weighbridge.errors import DocumentError
from weighbridge.ports.protocols import ProjectQuota
from weighbridge.store.reports.tags import tag_page
from weighbridge.store.session import open_database

API = "shop/team/api"
PYTHON = "library/python"
LATER = PUSHED_AT + timedelta(days=1)
SIGN_IN = {"registry_401": 1, "token": 1}


@pytest.fixture(scope="module")
def content() -> RegistryContent:
    return demo_content()


@pytest.fixture
def harbor(content: RegistryContent) -> Iterator[Harbor]:
    """Nothing that the real one forbids may have been asked."""
    with harbor_replica(a_harbor(content)) as served:
        yield served
    assert served.violations == []


def live(database_url: str, repository: str = PYTHON) -> dict[str, str | None]:
    """The tags that are not deleted, with their digests."""
    database = open_database(database_url)
    try:
        with database.read() as connection:
            page = tag_page(connection, "harbor", repository, limit=1000)
        return {
            tag.name: None if tag.digest is None else str(tag.digest)
            for tag in page.items
            if tag.deleted_at is None
        }
    finally:
        database.close()


def test_a_thousand_tags_by_operation(tmp_path: Path, database_url: str) -> None:
    """The first table of docs/registries.md: ten tags an index."""
    with harbor_replica(a_harbor(platform_content(API))) as harbor:
        settings = harbor_settings(tmp_path, harbor, database_url)
        cold = crawl_harbor(settings)
        asked = harbor.take_counts()
        unchanged = crawl_harbor(settings)
        asked_again = harbor.take_counts()
        harbor.rebuild(platform_content(API, is_rebuilt=True), LATER)
        changed = crawl_harbor(settings)
        asked_last = harbor.take_counts()

    assert harbor.violations == []
    assert [c.state for c in (cold, unchanged, changed)] == ["ok"] * 3
    assert cold.tags == 1000
    assert asked == {"api": 3, "quotas": 1, "who": 1} | SIGN_IN | {
        "get_manifest": 100 * MANIFESTS_PER_INDEX,
        "get_blob": 400,
        "get_range": 200,
    }
    assert asked_again == {"api": 3, "quotas": 1, "who": 1}
    # The ten indexes that are new begin a second page.
    assert asked_last == {"api": 4, "quotas": 1, "who": 1} | SIGN_IN | {
        "get_manifest": 10 * MANIFESTS_PER_INDEX,
        "get_blob": 40,
        "get_range": 20,
    }


@pytest.mark.long  # 2 s; the test above has the pages and what each costs
def test_a_thousand_artifacts_are_ten_pages(tmp_path: Path, database_url: str) -> None:
    """The same where each tag names an image of its own."""
    with harbor_replica(a_harbor(generated_content(layers=1, shared=1))) as harbor:
        settings = harbor_settings(tmp_path, harbor, database_url)
        cold = crawl_harbor(settings)
        asked = harbor.take_counts()
        unchanged = crawl_harbor(settings)
        asked_again = harbor.take_counts()

    assert harbor.violations == []
    assert [c.state for c in (cold, unchanged)] == ["ok"] * 2
    assert asked["api"] == 12
    assert asked["get_manifest"] == 1000
    assert asked_again == {"api": 12, "quotas": 1, "who": 1}


def test_all_projects_are_weighed_to_the_byte(
    harbor: Harbor, content: RegistryContent, tmp_path: Path, database_url: str
) -> None:
    settings = harbor_settings(tmp_path, harbor, database_url)

    done = crawl_harbor(settings, measure=True)

    expected = count_by_brute_force(content).repositories
    assert done.faults == ()
    assert counted(database_url) == {
        name: Counted(r.tags, r.images, r.referenced_bytes, r.weighed_bytes)
        for name, r in expected.items()
        if "/" in name
    }


def test_a_name_with_a_slash_is_encoded_twice_on_the_wire(
    tmp_path: Path, database_url: str
) -> None:
    with harbor_replica(a_harbor(platform_content(API, tags=20))) as harbor:
        crawl_harbor(harbor_settings(tmp_path, harbor, database_url))

    (target,) = [t for t in harbor.targets if "/artifacts" in t]
    assert target == (
        "/api/v2.0/projects/shop/repositories/team%252Fapi/artifacts"
        "?with_tag=true&with_label=false&with_scan_overview=false"
        "&sort=id&page=1&page_size=100"
    )
    assert harbor.violations == []


def test_a_moved_tag_costs_what_is_new_and_its_push_time_is_kept(
    harbor: Harbor, tmp_path: Path, database_url: str
) -> None:
    settings = harbor_settings(tmp_path, harbor, database_url, include=[PYTHON])
    crawl_harbor(settings)
    before = harbor.take_counts()
    first, second, *_ = harbor.content.tags(PYTHON) or ()

    harbor.change(LATER, Change(PYTHON, first, like=second))
    crawl_harbor(settings)

    # A name without a star is not looked for.
    assert before["api"] == 3  # whether it is a cache, its pulls, its artifacts
    assert harbor.take_counts() == {"api": 1}
    assert live(database_url)[first] == live(database_url)[second]


def test_projects_that_no_pattern_means_are_not_listed(
    harbor: Harbor, tmp_path: Path, database_url: str
) -> None:
    settings = harbor_settings(
        tmp_path,
        harbor,
        database_url,
        include=["lib*", "tutorial/*"],
        exclude=["tutorial/*"],
    )

    done = crawl_harbor(settings)

    asked = harbor.take_counts()
    assert done.state == "ok"
    assert [t for t in harbor.targets if "/repositories?" in t] == [
        "/api/v2.0/projects/library/repositories?sort=name&page=1&page_size=100"
    ]
    assert asked["api"] == 2 + done.repositories


@pytest.mark.parametrize("is_user", [False, True], ids=["robot", "user"])
def test_a_robot_and_a_user_sign_in(
    harbor: Harbor, tmp_path: Path, database_url: str, *, is_user: bool
) -> None:
    harbor.is_user = is_user

    done = crawl_harbor(
        harbor_settings(tmp_path, harbor, database_url, include=["tutorial/*"])
    )

    assert done.state == "ok"
    assert done.tags == 5


def test_it_is_recognised_by_the_service_that_it_names(
    harbor: Harbor, tmp_path: Path, database_url: str
) -> None:
    settings = harbor_settings(
        tmp_path, harbor, database_url, include=["tutorial/*"], kind="auto"
    )

    done = crawl_harbor(settings)

    asked = harbor.take_counts()
    assert done.state == "ok"
    assert done.tags == 5
    assert asked["who"] == 1


def test_without_a_password_what_is_public_is_read(
    harbor: Harbor, tmp_path: Path, database_url: str
) -> None:
    harbor.public = frozenset({"tutorial"})
    settings = harbor_settings(tmp_path, harbor, database_url, signs_in=False)

    done = crawl_harbor(settings)

    asked = harbor.take_counts()
    assert done.state == "ok"
    assert done.tags == 5
    assert "who" not in asked


def test_a_cache_of_another_registry_is_listed_and_nothing_is_pulled_through_it(
    harbor: Harbor, tmp_path: Path, database_url: str
) -> None:
    harbor.caches = frozenset({"library"})
    include = ["library/py*", "tutorial/*"]
    settings = harbor_settings(tmp_path, harbor, database_url, include=include)

    first = crawl_harbor(settings)
    asked = harbor.take_counts()
    crawl_harbor(settings)

    listed = live(database_url)
    assert listed.keys() == set(harbor.content.tags(PYTHON) or ())
    assert {fault.code for fault in first.faults} == {"proxy_cache"}
    assert asked["get_manifest"] > 0  # of the other projects
    again = harbor.take_counts()
    assert again.keys() == {"api", "quotas", "who"}


def test_one_image_of_a_cache_is_not_pulled_through_it_either(
    harbor: Harbor, tmp_path: Path, database_url: str
) -> None:
    harbor.caches = frozenset({"library"})
    settings = harbor_settings(tmp_path, harbor, database_url)

    with pytest.raises(DocumentError) as refused:
        inspect(settings, f"harbor/{PYTHON}:3.7", platform=None, all_platforms=False)

    assert refused.value.code == "proxy_cache"
    assert harbor.take_counts() == {"api": 1}


def test_one_image_is_weighed_by_the_registry(
    harbor: Harbor, tmp_path: Path, database_url: str
) -> None:
    settings = harbor_settings(tmp_path, harbor, database_url)

    weighing = inspect(
        settings, f"harbor/{PYTHON}:3.7", platform=None, all_platforms=False
    )

    assert weighing.images
    assert harbor.take_counts()["api"] == 1


def test_what_projects_store_is_told_with_the_right_to_list_quotas(
    harbor: Harbor, tmp_path: Path, database_url: str
) -> None:
    harbor.quotas = {"shop": (5_000, 10_000), "library": (7, -1)}
    settings = harbor_settings(tmp_path, harbor, database_url)
    name = "harbor"

    (told,) = check_registries(settings, name, None, 60)
    harbor.quotas = None
    (refused,) = check_registries(settings, name, None, 60)

    assert told.project_quotas == (
        ProjectQuota("shop", 5_000, 10_000),
        ProjectQuota("library", 7, None),
    )
    assert refused.project_quotas is None
    assert not told.has_failed
    assert not refused.has_failed
