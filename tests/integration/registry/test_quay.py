"""Quay, crawled: what it is asked, what that costs, and what is kept."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from support.platform_content import MANIFESTS_PER_INDEX, platform_content
from support.quay_replica.configured import crawl_quay, quay_settings
from support.quay_replica.serving import quay_replica
from support.quay_replica.state import (
    API_TOKEN,
    ROBOT_PASSWORD,
    STARTED_AT,
    Quay,
    a_quay,
)
from support.replica.brute_force import count_by_brute_force
from support.replica.changes import ChangingContent
from support.replica.stored import Counted, counted
from weighbridge.demo.content.stored_documents import RegistryContent
from weighbridge.demo.story import demo_content
from weighbridge.store.reports.tags import tag_page
from weighbridge.store.session import open_database

NAMESPACES = ("library", "tutorial")
LATER = STARTED_AT + timedelta(days=1)
API = "acme/api"
PYTHON = "library/python"
PAGES = {"api": 12, "token_checks": 1}
SIGN_IN = {"registry_401": 1, "token": 1}


@pytest.fixture(scope="module")
def content() -> RegistryContent:
    return demo_content()


@pytest.fixture
def quay(content: RegistryContent) -> Iterator[Quay]:
    """Nothing that the real one forbids may have been asked."""
    with quay_replica(a_quay(content)) as served:
        yield served
    assert served.violations == []


@pytest.fixture
def large_quay() -> Iterator[Quay]:
    """1,000 tags of a hundred indexes, each of two platforms with attestations."""
    with quay_replica(a_quay(platform_content(API))) as served:
        yield served
    assert served.violations == []


def live(database_url: str, repository: str = PYTHON) -> set[str]:
    """The tags that are not deleted."""
    database = open_database(database_url)
    try:
        with database.read() as connection:
            page = tag_page(connection, "quay", repository, limit=1000)
        return {tag.name for tag in page.items if tag.deleted_at is None}
    finally:
        database.close()


def test_a_thousand_tags_by_operation(
    large_quay: Quay, tmp_path: Path, database_url: str
) -> None:
    """The table of docs/registries.md: two requests find the repositories, ten read the
    tags."""
    quay = large_quay
    quay.private = frozenset({"acme"})
    settings = quay_settings(
        tmp_path, quay, database_url, namespaces=["acme"], has_token=True
    )

    cold = crawl_quay(settings)
    asked = quay.take_counts()
    unchanged = crawl_quay(settings)
    asked_again = quay.take_counts()
    quay.content = ChangingContent(platform_content(API, is_rebuilt=True))
    quay.moved_at = {(API, f"t{n:04d}"): LATER for n in range(0, 1000, 100)}
    changed = crawl_quay(settings)
    asked_last = quay.take_counts()

    assert [c.state for c in (cold, unchanged, changed)] == ["ok"] * 3
    assert cold.tags == 1000
    assert asked == PAGES | SIGN_IN | {
        "get_manifest": 100 * MANIFESTS_PER_INDEX,
        "get_blob": 400,
        "get_range": 200,
    }
    assert asked_again == PAGES
    assert asked_last == PAGES | SIGN_IN | {
        "get_manifest": 10 * MANIFESTS_PER_INDEX,
        "get_blob": 40,
        "get_range": 20,
    }


def test_the_namespaces_are_weighed_to_the_byte(
    quay: Quay, content: RegistryContent, tmp_path: Path, database_url: str
) -> None:
    settings = quay_settings(tmp_path, quay, database_url, namespaces=NAMESPACES)

    done = crawl_quay(settings, measure=True)

    expected = count_by_brute_force(content).repositories
    assert done.faults == ()
    assert counted(database_url) == {
        name: Counted(r.tags, r.images, r.referenced_bytes, r.weighed_bytes)
        for name, r in expected.items()
        if name.partition("/")[0] in NAMESPACES
    }


def test_without_namespaces_all_that_is_shown_is_found_page_by_page(
    quay: Quay, content: RegistryContent, tmp_path: Path, database_url: str
) -> None:
    quay.list_length = 3
    settings = quay_settings(tmp_path, quay, database_url, include=["*/p*"])

    done = crawl_quay(settings)

    names = content.repositories()
    wanted = [name for name in names if name.partition("/")[2].startswith("p")]
    assert done.faults == ()
    assert counted(database_url).keys() == set(wanted)
    pages = -(-len(names) // 3)
    assert quay.take_counts()["api"] == pages + len(wanted)


def test_a_robot_alone_reads_a_private_repository_by_name(
    quay: Quay, tmp_path: Path, database_url: str
) -> None:
    quay.private = frozenset({"library"})
    settings = quay_settings(
        tmp_path, quay, database_url, include=[PYTHON], signs_in=True
    )

    done = crawl_quay(settings)

    asked = quay.take_counts()
    tags = quay.content.tags(PYTHON) or ()
    assert done.state == "ok"
    assert live(database_url) == set(tags)
    assert asked["api_refused"] == 1
    assert asked["tags"] == 1


def test_a_robot_alone_finds_what_it_may_read_by_the_catalog(
    quay: Quay, content: RegistryContent, tmp_path: Path, database_url: str
) -> None:
    """Quay shows an empty catalog to whoever does not sign in before."""
    quay.private = frozenset(NAMESPACES)
    quay.list_length = 3
    settings = quay_settings(
        tmp_path, quay, database_url, namespaces=["tutorial"], signs_in=True
    )

    done = crawl_quay(settings)

    names = content.repositories()
    assert done.faults == ()
    assert counted(database_url).keys() == {
        name for name in names if name.startswith("tutorial/")
    }
    assert quay.take_counts()["catalog"] == -(-len(names) // 3)


def test_without_any_credential_a_private_repository_is_not_read(
    quay: Quay, tmp_path: Path, database_url: str
) -> None:
    quay.private = frozenset({"library"})
    settings = quay_settings(tmp_path, quay, database_url, include=[PYTHON])

    done = crawl_quay(settings)

    assert [fault.code for fault in done.faults] == ["unauthorized"]


def test_a_robot_and_a_token_are_each_shown_where_they_count(
    quay: Quay, tmp_path: Path, database_url: str
) -> None:
    """The replica notes every secret that comes to another place."""
    quay.private = frozenset(NAMESPACES)
    settings = quay_settings(
        tmp_path,
        quay,
        database_url,
        namespaces=NAMESPACES,
        has_token=True,
        signs_in=True,
    )

    done = crawl_quay(settings, measure=True)

    assert done.faults == ()
    assert "api_refused" not in quay.take_counts()
    stored = (tmp_path / "weighbridge.db").read_bytes()
    for secret in (API_TOKEN, ROBOT_PASSWORD, *quay.pull_tokens):
        assert secret.encode() not in stored
