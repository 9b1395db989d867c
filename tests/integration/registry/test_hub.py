"""Docker Hub, crawled: what it is asked, what that costs, and what is kept."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from support.hub_replica.configured import crawl_hub, hub_settings
from support.hub_replica.serving import hub_replica
from support.hub_replica.state import PUSHED_AT, Hub, a_hub
from support.replica.brute_force import count_by_brute_force
from support.replica.changes import Change
from support.replica.stored import Counted, counted
from weighbridge.bootstrap.one_image.weigh_image import inspect
from weighbridge.cli.actions.violations import disputes
from weighbridge.demo.content.stored_documents import RegistryContent
from weighbridge.demo.story import demo_content
from weighbridge.store.reports.disputes import DisputeQuery
from weighbridge.store.reports.tags import tag_page
from weighbridge.store.session import open_database

NAMESPACES = ("library", "tutorial")
LATER = PUSHED_AT + timedelta(days=1)


@pytest.fixture(scope="module")
def content() -> RegistryContent:
    return demo_content()


@pytest.fixture
def hub(content: RegistryContent) -> Iterator[Hub]:
    """Without limits; nothing that the real one forbids may have been asked."""
    with hub_replica(a_hub(content)) as served:
        yield served
    assert served.violations == []


def tags_of(content: RegistryContent) -> int:
    names = content.repositories()
    mine = [n for n in names if n.partition("/")[0] in NAMESPACES]
    return sum(len(content.tags(name) or ()) for name in mine)


def test_the_namespaces_are_weighed_to_the_byte(
    hub: Hub, content: RegistryContent, tmp_path: Path, database_url: str
) -> None:
    done = crawl_hub(
        hub_settings(tmp_path, hub, database_url, namespaces=NAMESPACES), measure=True
    )

    expected = count_by_brute_force(content).repositories
    assert done.faults == ()
    assert done.tags == tags_of(content)
    assert counted(database_url) == {
        name: Counted(r.tags, r.images, r.referenced_bytes, r.weighed_bytes)
        for name, r in expected.items()
        if name.partition("/")[0] in NAMESPACES
    }


def test_an_unchanged_second_crawl_asks_for_pages_only(
    hub: Hub, tmp_path: Path, database_url: str
) -> None:
    hub.undescribed.add(("library/debian", "jessie"))
    settings = hub_settings(tmp_path, hub, database_url, namespaces=NAMESPACES)
    first = crawl_hub(settings)
    asked = hub.take_counts()
    assert asked["get_manifest"] > 10
    # One a repository to learn of the quota; the one of the tag without a digest tells
    # of it too, where it is asked first.
    assert 0 <= asked["head_manifest"] - first.repositories <= 1

    done = crawl_hub(settings)

    assert done.faults == ()
    # Each namespace and each of its repositories is one page.
    assert hub.take_counts() == {"api": len(NAMESPACES) + done.repositories}


def test_a_false_size_in_the_api_is_listed_as_disputed_and_costs_no_request(
    hub: Hub, content: RegistryContent, tmp_path: Path, database_url: str
) -> None:
    settings = hub_settings(tmp_path, hub, database_url, namespaces=NAMESPACES)
    crawl_hub(settings, measure=True)
    crawl_hub(settings, measure=True)
    assert disputes(settings, DisputeQuery()).items == ()
    tag = (content.tags("library/alpine") or ())[0]
    named = content.manifest("library/alpine", tag)
    assert named is not None
    children = json.loads(named.content).get("manifests", [{"digest": named.digest}])
    image = children[0]["digest"]
    hub.false_sizes[image] = 12
    hub.take_counts()

    done = crawl_hub(settings, measure=True)

    assert hub.take_counts() == {"api": len(NAMESPACES) + done.repositories}
    (found,) = disputes(settings, DisputeQuery()).items
    assert (found.source, found.image, found.claimed_bytes) == ("bulk", image, 12)
    assert found.registry_bytes > 1_000_000


def test_no_manifest_is_pulled_twice_and_no_tag_asked_that_the_api_describes(
    hub: Hub, content: RegistryContent, tmp_path: Path, database_url: str
) -> None:
    settings = hub_settings(tmp_path, hub, database_url, include=["python"])

    crawl_hub(settings)

    asked = hub.take_counts()
    tags = content.tags("library/python") or ()
    served = [content.manifest("library/python", tag) for tag in tags]
    named = {s.digest for s in served if s is not None}
    assert asked["head_manifest"] == 1  # which tells whether manifests count
    assert len(named) <= asked["get_manifest"] < 40
    assert asked["api"] == 2  # its tags, and once a day its pulls
    assert asked["repository"] == 1


def test_a_moved_tag_costs_what_is_new(
    hub: Hub, tmp_path: Path, database_url: str
) -> None:
    settings = hub_settings(tmp_path, hub, database_url, include=["library/python"])
    crawl_hub(settings)
    hub.take_counts()
    first, second, *_ = hub.content.tags("library/python") or ()

    hub.change(LATER, Change("library/python", first, like=second))
    crawl_hub(settings)

    asked = hub.take_counts()
    assert asked == {"api": 1}
    assert digests(database_url)[first] == digests(database_url)[second]


def test_an_old_tag_without_a_digest_is_asked_by_head_once_it_is_pushed_anew(
    hub: Hub, tmp_path: Path, database_url: str
) -> None:
    hub.undescribed.update(
        ("library/python", name) for name in hub.content.tags("library/python") or ()
    )
    tag, like, *_ = hub.content.tags("library/python") or ()
    settings = hub_settings(tmp_path, hub, database_url, include=["library/python"])
    crawl_hub(settings)
    hub.take_counts()

    hub.change(LATER, Change("library/python", tag, like=like))
    crawl_hub(settings)
    moved = hub.take_counts()
    hub.change(LATER + timedelta(days=1), Change("library/python", tag, like=like))
    crawl_hub(settings)
    pushed_again = hub.take_counts()
    crawl_hub(settings)

    assert moved["head_manifest"] == 1
    assert "get_manifest" not in moved
    assert pushed_again["head_manifest"] == 1
    assert hub.take_counts() == {"api": 1}
    assert digests(database_url)[tag] == digests(database_url)[like]


def test_a_private_namespace_is_read_with_a_token_for_each_host(
    hub: Hub, tmp_path: Path, database_url: str
) -> None:
    hub.private = frozenset({"tutorial"})
    settings = hub_settings(
        tmp_path, hub, database_url, namespaces=["tutorial"], signs_in=True
    )

    done = crawl_hub(settings)

    asked = hub.take_counts()
    assert done.state == "ok"
    assert done.tags == 5
    assert asked["sign_in"] == 1
    assert "api_401" not in asked


def test_a_token_that_has_ended_is_renewed_once(
    hub: Hub, tmp_path: Path, database_url: str
) -> None:
    """The replica forgets its tokens in the middle of the crawl."""
    hub.private = frozenset({"tutorial"})
    settings = hub_settings(
        tmp_path, hub, database_url, namespaces=["tutorial"], signs_in=True
    )
    hub.forget_after = 2

    done = crawl_hub(settings)

    assert done.state == "ok"
    assert hub.take_counts()["sign_in"] == 2


def test_without_a_password_a_private_namespace_is_not_found_and_others_are_read(
    hub: Hub, tmp_path: Path, database_url: str
) -> None:
    hub.private = frozenset({"tutorial"})
    settings = hub_settings(
        tmp_path, hub, database_url, namespaces=["tutorial", "library"]
    )

    done = crawl_hub(settings)

    assert done.state != "ok"
    assert done.complete == 7
    assert [fault.code for fault in done.faults] == ["not_found"]


def test_registry_list_003_a_next_page_on_another_host_is_not_asked_for(
    hub: Hub, tmp_path: Path, database_url: str
) -> None:
    """The token service stands for the other host: it counts what it is asked."""
    hub.next_host = hub.token_url
    many = [Change("library/python", f"t{n:03}", like="3.7") for n in range(120)]
    hub.change(LATER, *many)
    settings = hub_settings(tmp_path, hub, database_url, include=["library/python"])

    done = crawl_hub(settings)

    assert [fault.code for fault in done.faults] == ["link_refused"]
    assert len(digests(database_url)) == 100
    assert hub.take_counts()["token"] == 1


@pytest.mark.parametrize("what", ["deleted", "pushed again"])
def test_a_tag_that_moves_while_pages_are_read_is_not_taken_for_gone(
    hub: Hub, tmp_path: Path, database_url: str, what: str
) -> None:
    """t249 to t000 come in this order, ahead of all others, a hundred a page."""
    for n in range(250):
        at = LATER + timedelta(minutes=n)
        hub.change(at, Change("library/python", f"t{n:03}", like="3.7"))
    settings = hub_settings(tmp_path, hub, database_url, include=["library/python"])
    crawl_hub(settings)
    before = live(database_url)

    def change(number: int) -> None:
        hub.after_page = None
        tag, like = ("t249", None) if what == "deleted" else ("t000", "3.7")
        hub.change(LATER + timedelta(days=9), Change("library/python", tag, like=like))

    hub.after_page = change
    done = crawl_hub(settings)

    assert [fault.code for fault in done.faults] == ["listing_changed"]
    assert live(database_url) == before
    assert crawl_hub(settings).faults == ()
    gone = before - live(database_url)
    assert gone == ({"t249"} if what == "deleted" else set())


@pytest.mark.parametrize("says", ["json", "html"])
def test_registry_http_013_the_api_s_own_limit_is_waited_for(
    hub: Hub, tmp_path: Path, database_url: str, says: str
) -> None:
    hub.api_left, hub.api_refusal = 2, says
    settings = hub_settings(tmp_path, hub, database_url, namespaces=NAMESPACES)

    done = crawl_hub(settings)

    assert done.faults == ()
    assert done.tags == tags_of(hub.content)


def test_one_image_is_weighed_as_before_and_may_use_what_is_kept(
    hub: Hub, tmp_path: Path, database_url: str
) -> None:
    hub.limit, hub.left = 10, 1
    settings = hub_settings(tmp_path, hub, database_url, namespaces=NAMESPACES)

    weighing = inspect(
        settings,
        "hub/python:3.7",
        platform=None,
        all_platforms=False,
    )

    assert weighing.images
    assert hub.left == 0
    asked = hub.take_counts()
    assert asked.keys() <= {"registry_401", "token", "get_manifest", "get_blob"} | {
        "get_range"
    }
    assert asked["get_manifest"] == 1


def digests(database_url: str, repository: str = "library/python") -> dict[str, str]:
    database = open_database(database_url)
    try:
        with database.read() as connection:
            page = tag_page(connection, "hub", repository, limit=1000)
        return {tag.name: str(tag.digest) for tag in page.items if tag.digest}
    finally:
        database.close()


def live(database_url: str, repository: str = "library/python") -> set[str]:
    """The tags that are not gone."""
    database = open_database(database_url)
    try:
        with database.read() as connection:
            page = tag_page(connection, "hub", repository, limit=1000)
        return {tag.name for tag in page.items if tag.deleted_at is None}
    finally:
        database.close()
