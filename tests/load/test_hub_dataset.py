"""The official images of January 2018, crawled by the Hub's API and held against the
records: once without a quota, and once in windows of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.database_dump import assert_same, dump_of_url
from support.hub_replica.configured import crawl_hub, hub_settings
from support.hub_replica.dataset import official_images
from support.hub_replica.serving import hub_replica
from support.hub_replica.state import Hub, a_hub
from support.replica.brute_force import count_by_brute_force
from support.replica.dataset import DatasetContent
from support.replica.stored import Counted, counted, scopes, shares, stored_images
from support.replica.totals import RegistryTotals
from weighbridge.domain.image.platform import normalised
from weighbridge.engine.crawl_requests.crawl_report import RegistryCrawl

pytestmark = pytest.mark.timeout(1_800)

TAGS, REPOSITORIES = 3_256, 143
ALLOWED = 800
"""Pulls a window in the second crawl: half of the limit."""


@dataclass(frozen=True, slots=True)
class Crawled:
    """What a crawl did, and what it asked; `again`: the same of one after it."""

    database_url: str
    done: RegistryCrawl
    asked: Mapping[str, int]
    again: Mapping[str, int]


@pytest.fixture(scope="module")
def content() -> DatasetContent:
    return official_images()


@pytest.fixture(scope="module")
def expected(content: DatasetContent) -> RegistryTotals:
    return count_by_brute_force(content)


@pytest.fixture(scope="module")
def hub(content: DatasetContent) -> Iterator[Hub]:
    with hub_replica(a_hub(content)) as served:
        yield served
    assert served.violations == []


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hub")


@pytest.fixture(scope="module")
def crawled(hub: Hub, folder: Path, database_url: str) -> Crawled:
    """Two crawls that measured nothing."""
    settings = hub_settings(folder, hub, database_url, namespaces=["library"])
    done = crawl_hub(settings)
    asked = hub.take_counts()
    crawl_hub(settings)
    return Crawled(database_url, done, asked, hub.take_counts())


def test_nothing_is_left_out(crawled: Crawled, expected: RegistryTotals) -> None:
    done = crawled.done

    assert done.faults == ()
    assert (done.repositories, done.complete) == (REPOSITORIES, REPOSITORIES)
    assert (done.tags, done.images) == (expected.tags, expected.images)
    assert done.tags == TAGS


def test_every_platform_weighs_what_was_recorded(
    crawled: Crawled, content: DatasetContent
) -> None:
    stored = stored_images(crawled.database_url)

    assert {d: (i.platform, i.compressed_bytes) for d, i in stored.items()} == {
        documents.manifest.digest: (
            str(
                normalised(
                    documents.record.platform["os"],
                    documents.record.platform["architecture"],
                    documents.record.platform.get("variant", ""),
                    documents.record.platform.get("os.version", ""),
                )
            ),
            documents.record.compressed_bytes,
        )
        for documents in content.documents
    }


def test_the_totals_are_those_of_brute_force(
    crawled: Crawled, expected: RegistryTotals
) -> None:
    assert counted(crawled.database_url) == {
        name: Counted(r.tags, r.images, r.referenced_bytes, r.weighed_bytes)
        for name, r in expected.repositories.items()
    }
    assert shares(crawled.database_url) == {
        name: (r.deduplicated_bytes, r.exclusive_bytes)
        for name, r in expected.repositories.items()
    }
    assert scopes(crawled.database_url) == {
        "": (
            expected.images,
            expected.weighed_bytes,
            expected.deduplicated_bytes,
            expected.shared_bytes,
        )
    }


def test_a_repository_costs_its_pages_and_each_manifest_once(
    crawled: Crawled, content: DatasetContent
) -> None:
    """But for manifests that two repositories have, which may be asked for by both at
    the same time."""
    manifests = distinct_manifests(content)

    assert crawled.asked["api"] == pages(content)
    assert crawled.asked["head_manifest"] <= REPOSITORIES
    assert len(manifests) <= crawled.asked["get_manifest"] < 1.02 * len(manifests)
    assert "pull_429" not in crawled.asked


def test_the_second_crawl_asks_for_pages_only(
    crawled: Crawled, content: DatasetContent
) -> None:
    assert crawled.again == {"api": pages(content)}


@pytest.mark.only_on("sqlite")
def test_windows_of_a_quota_lead_to_the_same_end(
    hub: Hub, crawled: Crawled, folder: Path
) -> None:
    url = f"sqlite:///{folder / 'windows.db'}"
    settings = hub_settings(folder, hub, url, namespaces=["library"])
    hub.limit = 2 * ALLOWED
    pulls: list[int] = []
    done = None
    try:
        while not pulls or pulls[-1]:
            hub.refill(hub.limit)
            done = crawl_hub(settings)
            pulls.append(hub.take_counts().get("get_manifest", 0))
            assert hub.left >= ALLOWED
    finally:
        hub.limit = None

    assert done is not None
    assert done.faults == ()
    assert sum(pulls) <= crawled.asked["get_manifest"]
    assert len(pulls) > 5
    assert_same(dump_of_url(crawled.database_url), dump_of_url(url))


def pages(content: DatasetContent) -> int:
    """Of the namespace, and of each repository."""
    lengths = [len(content.repositories())]
    lengths += [len(content.tags(name) or ()) for name in content.repositories()]
    return sum(-(-length // 100) for length in lengths)


def distinct_manifests(content: DatasetContent) -> set[str]:
    """Everything that has to be read at least once."""
    found = {documents.manifest.digest for documents in content.documents}
    for name in content.repositories():
        for tag in content.tags(name) or ():
            served = content.manifest(name, tag)
            if served is not None:
                found.add(served.digest)
    return {*map(str, found)}
