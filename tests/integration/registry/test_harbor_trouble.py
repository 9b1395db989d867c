"""Harbor that answers badly, or less than there is: what was known stays, the state
says what happened, and the next crawl repairs it."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from support.generated_content import generated_content
from support.harbor_replica.configured import crawl_harbor, harbor_settings
from support.harbor_replica.listings import artifact_entry
from support.harbor_replica.serving import harbor_replica
from support.harbor_replica.state import PUSHED_AT, SECRET, Harbor, a_harbor
from support.replica.changes import Change
from support.vendor_hosts import Reply, Request, vendor_host
from weighbridge.config import Settings
from weighbridge.demo.content.stored_documents import RegistryContent
from weighbridge.demo.story import demo_content
from weighbridge.engine.crawl_requests.crawl_report import RegistryCrawl
from weighbridge.store.reports.tags import tag_page
from weighbridge.store.session import open_database

PYTHON = "library/python"
LOAD = "load/r00000"
ARTIFACTS = "/projects/library/repositories/python/artifacts"
LATER = PUSHED_AT + timedelta(days=1)


@pytest.fixture(scope="module")
def content() -> RegistryContent:
    return demo_content()


@pytest.fixture
def harbor(content: RegistryContent) -> Iterator[Harbor]:
    with harbor_replica(a_harbor(content)) as served:
        yield served
    assert served.violations == []


@pytest.fixture
def settings(harbor: Harbor, tmp_path: Path, database_url: str) -> Settings:
    include = ["library/py*", "tutorial/*"]
    return harbor_settings(tmp_path, harbor, database_url, include=include)


@pytest.fixture
def large(tmp_path: Path) -> Iterator[Harbor]:
    """130 artifacts of a tag each, which are two pages."""
    with harbor_replica(a_harbor(generated_content(1, 130, 1, 1))) as served:
        yield served
    assert served.violations == []


def live(database_url: str, *repositories: str) -> set[tuple[str, str]]:
    """The repositories' tags that are not deleted."""
    database = open_database(database_url)
    found = set()
    try:
        with database.read() as connection:
            for name in repositories or (PYTHON, "tutorial/hello"):
                page = tag_page(connection, "harbor", name, limit=1000)
                found |= {(name, t.name) for t in page.items if t.deleted_at is None}
        return found
    finally:
        database.close()


def codes(done: RegistryCrawl) -> set[str]:
    return {fault.code for fault in done.faults}


@pytest.mark.parametrize("public", [frozenset[str](), frozenset({"tutorial"})])
def test_a_robot_that_has_expired_deletes_nothing_though_it_is_answered_200(
    harbor: Harbor, settings: Settings, database_url: str, public: frozenset[str]
) -> None:
    harbor.public = public
    crawl_harbor(settings)
    before = live(database_url)

    harbor.is_expired = True
    done = crawl_harbor(settings)

    assert (done.state, codes(done)) == ("unauthorized", {"unauthorized"})
    assert live(database_url) == before
    harbor.is_expired = False
    assert crawl_harbor(settings).state == "ok"
    assert live(database_url) == before


@pytest.mark.parametrize("answers", [1, 2])
def test_a_robot_that_expires_in_mid_listing_deletes_nothing(
    harbor: Harbor, settings: Settings, database_url: str, answers: int
) -> None:
    """After the projects, and among the repositories."""
    crawl_harbor(settings)
    before = live(database_url)
    harbor.take_counts()

    harbor.expire_after = answers
    done = crawl_harbor(settings)

    assert "unauthorized" in codes(done)
    assert live(database_url) == before
    harbor.is_expired = False
    assert crawl_harbor(settings).faults == ()


def test_a_robot_that_expires_between_two_pages_of_tags_deletes_none(
    large: Harbor, tmp_path: Path, database_url: str
) -> None:
    settings = harbor_settings(tmp_path, large, database_url)
    crawl_harbor(settings)
    before = live(database_url, LOAD)
    large.take_counts()

    large.expire_after = 3  # projects, repositories, artifacts
    done = crawl_harbor(settings)

    assert codes(done) == {"unauthorized"}
    assert live(database_url, LOAD) == before


def test_a_wrong_password_is_told_at_the_first_crawl(
    harbor: Harbor, settings: Settings
) -> None:
    harbor.is_expired, harbor.public = True, frozenset({"tutorial"})

    done = crawl_harbor(settings)

    assert done.state == "unauthorized"
    (fault,) = done.faults
    assert "robot$weighbridge" in fault.message
    assert SECRET not in fault.message


def test_a_project_that_we_may_no_longer_see_is_not_taken_for_gone(
    harbor: Harbor, settings: Settings, database_url: str
) -> None:
    crawl_harbor(settings)
    before = live(database_url)

    harbor.hidden = frozenset({"tutorial"})
    for _ in range(3):
        done = crawl_harbor(settings)

    assert codes(done) == {"denied"}
    assert live(database_url) == before


def test_a_repository_that_vanishes_is_missing(
    harbor: Harbor, settings: Settings, database_url: str
) -> None:
    crawl_harbor(settings)
    before = live(database_url)

    harbor.lost.add(PYTHON)
    done = crawl_harbor(settings)

    assert codes(done) == {"not_found"}
    assert live(database_url) == before
    harbor.lost.clear()
    assert crawl_harbor(settings).faults == ()


@pytest.mark.parametrize(
    ("body", "total", "code"),
    [
        (None, "7", "invalid_listing"),
        ({"errors": []}, "7", "invalid_listing"),
        ([], "", "invalid_listing"),
        ([], "many", "invalid_listing"),
        ([], "0", "empty_listing"),
        ([], "7", "listing_changed"),
        ([{"digest": "sha256:short", "tags": None}], "7", "listing_changed"),
    ],
    ids=["null", "object", "no total", "no number", "empty", "fewer", "no digest"],
)
def test_a_page_that_says_nothing_deletes_nothing(
    harbor: Harbor,
    settings: Settings,
    database_url: str,
    body: object,
    total: str,
    code: str,
) -> None:
    crawl_harbor(settings)
    before = live(database_url)

    harbor.bodies[ARTIFACTS, 1], harbor.totals[ARTIFACTS, 1] = body, total
    done = crawl_harbor(settings)

    assert codes(done) == {code}
    assert live(database_url) == before
    harbor.bodies.clear()
    harbor.totals.clear()
    assert crawl_harbor(settings).faults == ()


@pytest.mark.parametrize("path", ["/projects", "/projects/library/repositories"])
def test_null_where_names_are_listed_deletes_nothing(
    harbor: Harbor, settings: Settings, database_url: str, path: str
) -> None:
    crawl_harbor(settings)
    before = live(database_url)

    harbor.bodies[path, 1] = None
    done = crawl_harbor(settings)

    assert codes(done) == {"invalid_listing"}
    assert live(database_url) == before


def test_an_artifact_that_is_deleted_while_pages_are_read_hides_no_other(
    large: Harbor, tmp_path: Path, database_url: str
) -> None:
    settings = harbor_settings(tmp_path, large, database_url)
    crawl_harbor(settings)
    before = live(database_url, LOAD)

    def delete(path: str, number: int) -> None:
        if path.endswith("/artifacts"):
            large.after_page = None
            large.delete_artifact(LOAD, "t0000007")

    large.after_page = delete
    done = crawl_harbor(settings)

    assert codes(done) == {"listing_changed"}
    assert live(database_url, LOAD) == before
    assert crawl_harbor(settings).faults == ()
    assert before - live(database_url, LOAD) == {(LOAD, "t0000007")}


def test_a_push_while_pages_are_read_hides_nothing(
    large: Harbor, tmp_path: Path, database_url: str
) -> None:
    """A tag of the first page moves to one of the last."""
    settings = harbor_settings(tmp_path, large, database_url)
    crawl_harbor(settings)
    before = live(database_url, LOAD)

    def push(path: str, number: int) -> None:
        if path.endswith("/artifacts"):
            large.after_page = None
            large.change(LATER, Change(LOAD, "t0000007", like="t0000120"))

    large.after_page = push
    done = crawl_harbor(settings)

    assert done.faults == ()
    assert live(database_url, LOAD) == before


def test_a_page_that_comes_again_ends_the_listing(
    large: Harbor, tmp_path: Path, database_url: str
) -> None:
    settings = harbor_settings(tmp_path, large, database_url)
    crawl_harbor(settings)
    before = live(database_url, LOAD)
    path = "/projects/load/repositories/r00000/artifacts"
    large.bodies[path, 2] = [
        artifact_entry(large, LOAD, *one) for one in list(large.artifacts(LOAD).items())
    ][:100]

    done = crawl_harbor(settings)

    assert codes(done) == {"pagination_loop"}
    assert live(database_url, LOAD) == before
    large.bodies.clear()
    assert crawl_harbor(settings).faults == ()


def test_a_link_to_another_host_is_refused_and_nothing_is_sent_there(
    large: Harbor, tmp_path: Path, database_url: str
) -> None:
    asked: list[Request] = []

    def other(request: Request) -> Reply:
        asked.append(request)
        return Reply(404)

    with vendor_host(other) as url:
        large.links_to = url
        done = crawl_harbor(harbor_settings(tmp_path, large, database_url))

    assert codes(done) == {"link_refused"}
    assert asked == []


def test_429_is_waited_for(
    harbor: Harbor, settings: Settings, database_url: str
) -> None:
    harbor.refusals = 2

    done = crawl_harbor(settings)

    assert done.faults == ()
    assert harbor.take_counts()["api_429"] == 2


def test_a_tag_whose_manifest_is_not_there_does_not_keep_others_from_being_read(
    harbor: Harbor, settings: Settings, database_url: str
) -> None:
    served = harbor.content.manifest(PYTHON, "3.7-slim")
    assert served is not None
    harbor.unserved.add(served.digest)

    done = crawl_harbor(settings)

    assert codes(done) == {"manifest_unknown"}
    harbor.unserved.clear()
    repaired = crawl_harbor(settings)
    assert repaired.faults == ()
    assert (PYTHON, "3.7-slim") in live(database_url)


def test_an_image_that_may_not_be_pulled_does_not_keep_deletions_from_being_seen(
    harbor: Harbor, settings: Settings, database_url: str
) -> None:
    """The project prevents vulnerable images from running."""
    served = harbor.content.manifest(PYTHON, "3.7-slim")
    assert served is not None
    harbor.prevented.add(served.digest)
    first = crawl_harbor(settings)

    harbor.change(LATER, Change(PYTHON, "3.7-alpine"))
    second = crawl_harbor(settings)

    assert codes(first) == codes(second) == {"pull_prevented"}
    assert (PYTHON, "3.7-alpine") not in live(database_url)
    harbor.prevented.clear()
    assert crawl_harbor(settings).faults == ()


def test_a_tag_that_moves_to_an_artifact_that_was_read_is_not_deleted(
    large: Harbor, tmp_path: Path, database_url: str
) -> None:
    settings = harbor_settings(tmp_path, large, database_url)
    crawl_harbor(settings)
    before = live(database_url, LOAD)

    def push(path: str, _: int) -> None:
        if path.endswith("/artifacts"):
            large.after_page = None
            large.change(LATER, Change(LOAD, "t0000120", like="t0000007"))

    large.after_page = push
    crawl_harbor(settings)

    assert live(database_url, LOAD) == before
