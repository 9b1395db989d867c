"""Quay where it refuses, hides or changes something: nothing is lost by it."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from support.quay_replica.configured import crawl_quay, quay_settings
from support.quay_replica.content import LARGE, SMALL, three_repositories
from support.quay_replica.listings import tag_entry
from support.quay_replica.serving import quay_replica
from support.quay_replica.state import STARTED_AT, Quay, a_quay
from support.replica.changes import Change
from support.replica.stored import counted
from weighbridge.engine.crawl_requests.crawl_report import RegistryCrawl
from weighbridge.store.reports.tags import tag_page
from weighbridge.store.session import open_database

NAMESPACES = ("library", "tutorial")
LATER = STARTED_AT + timedelta(days=1)


@pytest.fixture
def quay() -> Iterator[Quay]:
    """Nothing that the real one forbids may have been asked."""
    with quay_replica(a_quay(three_repositories())) as served:
        yield served
    assert served.violations == []


def live(database_url: str, repository: str = LARGE) -> set[str]:
    """The tags that are not deleted."""
    database = open_database(database_url)
    try:
        with database.read() as connection:
            page = tag_page(connection, "quay", repository, limit=1000)
        return {tag.name for tag in page.items if tag.deleted_at is None}
    finally:
        database.close()


def codes(done: RegistryCrawl) -> list[str]:
    return [fault.code for fault in done.faults]


def test_a_token_that_has_ended_hides_repositories_and_removes_none(
    quay: Quay, tmp_path: Path, database_url: str
) -> None:
    """Quay answers 200 with what everybody may see, in one case an empty list."""
    quay.private = frozenset({"tutorial"})
    settings = quay_settings(
        tmp_path, quay, database_url, namespaces=NAMESPACES, has_token=True
    )
    crawl_quay(settings)
    before = counted(database_url)
    quay.take_counts()

    quay.token_ends = 0
    done = crawl_quay(settings)
    ended = counted(database_url)
    quay.token_ends = None
    repaired = crawl_quay(settings)

    assert done.state != "ok"
    assert "unauthorized" in codes(done)
    assert ended == before
    assert repaired.faults == ()
    assert counted(database_url) == before


def test_a_token_that_ends_in_the_middle_of_a_listing_removes_nothing(
    quay: Quay, tmp_path: Path, database_url: str
) -> None:
    quay.private = frozenset({"library"})
    settings = quay_settings(
        tmp_path, quay, database_url, include=[LARGE], has_token=True
    )
    crawl_quay(settings)
    before = live(database_url)

    quay.token_ends = 2
    done = crawl_quay(settings)

    assert codes(done) == ["unauthorized"]
    assert live(database_url) == before
    quay.token_ends = None
    assert crawl_quay(settings).faults == ()


def test_a_namespace_of_which_nothing_is_shown_is_not_taken_for_empty(
    quay: Quay, tmp_path: Path, database_url: str
) -> None:
    settings = quay_settings(
        tmp_path, quay, database_url, namespaces=NAMESPACES, has_token=True
    )
    crawl_quay(settings)
    before = counted(database_url)

    names = quay.content.repositories()
    quay.private = frozenset({"tutorial"})
    quay.unread = {name for name in names if name.startswith("tutorial/")}
    quay.is_admin = False
    done = crawl_quay(settings)

    assert "empty_listing" in codes(done)
    assert counted(database_url) == before


@pytest.mark.parametrize("is_admin", [True, False])
def test_a_repository_that_vanishes_is_deleted_only_if_quay_says_so(
    quay: Quay, tmp_path: Path, database_url: str, is_admin: bool
) -> None:
    """Who does not own the namespace is told that he may not read it."""
    settings = quay_settings(
        tmp_path, quay, database_url, include=["library/*"], has_token=True
    )
    crawl_quay(settings)
    quay.is_admin = is_admin

    quay.lost.add(LARGE)
    done = crawl_quay(settings)

    assert codes(done) == ["name_unknown" if is_admin else "denied"]
    assert live(database_url)
    quay.lost.clear()
    assert crawl_quay(settings).faults == ()


def change_after_the_first_page(quay: Quay, tag: str, like: str | None = None) -> None:
    def change(number: int) -> None:
        quay.after_page = None
        quay.change(LATER + timedelta(days=9), Change(LARGE, tag, like=like))

    quay.after_page = change


def test_a_tag_that_a_deletion_moved_between_two_pages_is_asked_for_and_stays(
    quay: Quay, tmp_path: Path, database_url: str
) -> None:
    """t000 to t249 come in this order: t100 moves to the page that was read."""
    settings = quay_settings(tmp_path, quay, database_url, include=[LARGE])
    crawl_quay(settings)
    before = live(database_url)
    quay.take_counts()

    change_after_the_first_page(quay, "t000")
    done = crawl_quay(settings)

    assert done.faults == ()
    assert quay.take_counts()["head_manifest"] == 1
    assert live(database_url) == before
    assert crawl_quay(settings).faults == ()
    assert before - live(database_url) == {"t000"}


def test_a_tag_that_is_deleted_while_pages_are_read_is_asked_for_and_removed(
    quay: Quay, tmp_path: Path, database_url: str
) -> None:
    settings = quay_settings(tmp_path, quay, database_url, include=[LARGE])
    crawl_quay(settings)
    before = live(database_url)
    quay.take_counts()

    change_after_the_first_page(quay, "t150")
    done = crawl_quay(settings)

    assert done.faults == ()
    assert quay.take_counts()["head_manifest"] == 1
    assert before - live(database_url) == {"t150"}


def test_a_tag_that_is_pushed_again_while_pages_are_read_removes_nothing(
    quay: Quay, tmp_path: Path, database_url: str
) -> None:
    settings = quay_settings(tmp_path, quay, database_url, include=[LARGE])
    crawl_quay(settings)
    before = live(database_url)

    change_after_the_first_page(quay, "t249", like="t001")
    done = crawl_quay(settings)

    assert codes(done) == ["listing_changed"]
    assert live(database_url) == before
    assert crawl_quay(settings).faults == ()
    assert live(database_url) == before


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"tags": None, "page": 2, "has_additional": False}, "invalid_listing"),
        ({"tags": [], "page": 2, "has_additional": False}, "listing_changed"),
        ({"tags": [], "page": 2}, "invalid_listing"),
        ({"tags": [], "page": 1, "has_additional": True}, "invalid_listing"),
    ],
    ids=["null", "shrunk", "without an end", "another page"],
)
def test_a_second_page_that_is_none_removes_nothing(
    quay: Quay, tmp_path: Path, database_url: str, body: object, code: str
) -> None:
    settings = quay_settings(tmp_path, quay, database_url, include=[LARGE])
    crawl_quay(settings)
    before = live(database_url)

    quay.page_bodies[2] = body
    done = crawl_quay(settings)

    assert codes(done) == [code]
    assert live(database_url) == before
    quay.page_bodies.clear()
    assert crawl_quay(settings).faults == ()


def test_a_list_of_repositories_that_is_null_removes_nothing(
    quay: Quay, tmp_path: Path, database_url: str
) -> None:
    settings = quay_settings(tmp_path, quay, database_url, namespaces=NAMESPACES)
    crawl_quay(settings)
    before = counted(database_url)

    quay.repository_body = {"repositories": None}
    done = crawl_quay(settings)

    assert "invalid_listing" in codes(done)
    assert counted(database_url) == before


def test_a_tag_whose_manifest_is_not_there_does_not_hide_the_others(
    quay: Quay, tmp_path: Path, database_url: str
) -> None:
    lost = {
        "name": "lost",
        "manifest_digest": f"sha256:{'0' * 64}",
        "is_manifest_list": False,
        "size": 7,
        "start_ts": 1_772_600_000,
    }
    tags = [tag_entry(quay, SMALL[0], tag) for tag in quay.tags(SMALL[0])]
    body = {"tags": [lost, *tags], "page": 1, "has_additional": False}
    quay.page_bodies[1] = body
    settings = quay_settings(tmp_path, quay, database_url, include=[SMALL[0]])

    done = crawl_quay(settings)

    assert codes(done) == ["manifest_unknown"]
    assert live(database_url, SMALL[0]) >= set(quay.tags(SMALL[0]))
    quay.page_bodies.clear()
    assert crawl_quay(settings).faults == ()


def test_a_limit_of_requests_is_waited_for(
    quay: Quay, tmp_path: Path, database_url: str
) -> None:
    """nginx says no time, and gives a web page."""
    quay.refuses_api = 2
    settings = quay_settings(tmp_path, quay, database_url, namespaces=["tutorial"])

    done = crawl_quay(settings)

    assert done.faults == ()
    assert quay.take_counts()["api_429"] == 2
