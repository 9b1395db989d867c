"""Amazon ECR, crawled: what it is asked, what that costs, and what is kept."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.ecr_replica.configured import crawl_ecr, ecr_settings
from support.ecr_replica.serving import ecr_replica
from support.ecr_replica.state import SECRET, ECRState, an_ecr
from support.platform_content import MANIFESTS_PER_INDEX, platform_content
from support.replica.brute_force import count_by_brute_force
from support.replica.changes import Change, ChangingContent
from support.replica.stored import Counted, counted
from weighbridge.engine.crawl_requests.crawl_report import RegistryCrawl
from weighbridge.store.reports.tags import tag_page
from weighbridge.store.session import open_database

SHOP = "shop/cart"
TAGS, FEW = 1_000, 5
PAGES = {"DescribeRepositories": 1, "DescribeImages": 1}


def serving(content: ChangingContent) -> Iterator[ECRState]:
    """Nothing that the real one forbids may have been asked."""
    with ecr_replica(an_ecr(content)) as served:
        yield served
    assert served.violations == []


@pytest.fixture
def ecr() -> Iterator[ECRState]:
    """A thousand tags of two platforms with attestations."""
    yield from serving(ChangingContent(platform_content(SHOP)))


@pytest.fixture
def small() -> Iterator[ECRState]:
    """A few tags, each of an index of its own."""
    content = platform_content(SHOP, tags=FEW, tags_per_image=1)
    yield from serving(ChangingContent(content))


@pytest.mark.parametrize(
    "tags_per_image", [10, pytest.param(1, marks=pytest.mark.long)]
)
def test_a_thousand_tags_cold_unchanged_and_a_hundredth_changed(
    ecr: ECRState, tmp_path: Path, database_url: str, tags_per_image: int
) -> None:
    """The table of requests in docs/registries.md is of this test."""
    ecr.content = ChangingContent(platform_content(SHOP, TAGS, tags_per_image))
    settings = ecr_settings(tmp_path, ecr, database_url)

    first = crawl_ecr(settings, measure=True)
    cold = ecr.take_counts()
    crawl_ecr(settings, measure=True)
    unchanged = ecr.take_counts()
    rebuilt = platform_content(SHOP, TAGS, tags_per_image, is_rebuilt=True)
    ecr.content = ChangingContent(rebuilt)
    last = crawl_ecr(settings, measure=True)
    changed = ecr.take_counts()

    print(f"\nfirst {cold}\nunchanged {unchanged}\nmoved {changed}")
    assert (first.state, first.tags, last.state) == ("ok", TAGS, "ok")
    assert unchanged == PAGES
    for asked, indexes in (cold, TAGS // tags_per_image), (changed, TAGS // 100):
        assert asked.items() >= PAGES.items()
        # Each is read once, and many by one request.
        assert asked["manifests"] == MANIFESTS_PER_INDEX * indexes
        assert asked["BatchGetImage"] <= 4 + asked["manifests"] // 20
        assert asked["GetAuthorizationToken"] == asked["registry_401"] == 1
        assert "get_manifest" not in asked
    expected = count_by_brute_force(ecr.content).repositories[SHOP]
    assert counted(database_url)[SHOP] == Counted(
        expected.tags,
        expected.images,
        expected.referenced_bytes,
        expected.weighed_bytes,
    )


def test_tags_that_name_other_indexes_are_read_a_hundred_manifests_a_request(
    tmp_path: Path, database_url: str
) -> None:
    content = platform_content(SHOP, tags=100, tags_per_image=1)
    with ecr_replica(an_ecr(content)) as served:
        crawl_ecr(ecr_settings(tmp_path, served, database_url))

    assert served.counts["manifests"] == 100 * MANIFESTS_PER_INDEX
    assert served.counts["BatchGetImage"] <= 2 * 100 * MANIFESTS_PER_INDEX // 100


def test_the_key_and_the_password_are_shown_to_their_own_hosts_alone(
    small: ECRState, tmp_path: Path, database_url: str
) -> None:
    """The replica refuses the one's secrets at the other, and any at the storage."""
    done = crawl_ecr(ecr_settings(tmp_path, small, database_url), measure=True)

    assert done.state == "ok"
    assert small.counts["blob_redirect"] > 0
    kept = (tmp_path / "weighbridge.db").read_bytes()
    assert not any(text.encode() in kept for text in (SECRET, *small.passwords) if text)


def test_pages_end_where_no_token_follows(
    small: ECRState, tmp_path: Path, database_url: str
) -> None:
    small.most_results = 3

    done = crawl_ecr(ecr_settings(tmp_path, small, database_url))

    assert (done.state, done.tags) == ("ok", FEW)
    assert small.counts["DescribeImages"] == 2


def test_configured_repositories_need_no_right_to_list_them(
    small: ECRState, tmp_path: Path, database_url: str
) -> None:
    small.denied = {"DescribeRepositories"}
    more = {"repositories": {"include": [SHOP]}}

    done = crawl_ecr(ecr_settings(tmp_path, small, database_url, more=more))

    assert (done.state, done.tags) == ("ok", FEW)


def test_a_rate_limit_in_the_body_of_a_400_is_waited_for(
    small: ECRState, tmp_path: Path, database_url: str
) -> None:
    small.throttled["DescribeImages"] = 2

    done = crawl_ecr(ecr_settings(tmp_path, small, database_url))

    assert (done.state, done.tags) == ("ok", FEW)
    assert small.counts["DescribeImages"] == 3


def test_a_time_of_expiry_in_the_past_does_not_ask_for_ever(
    small: ECRState, tmp_path: Path, database_url: str
) -> None:
    small.expires_at = time.time() - 10 * 365 * 86_400

    done = crawl_ecr(ecr_settings(tmp_path, small, database_url))

    assert done.state == "ok"
    assert small.counts["GetAuthorizationToken"] == 1


def test_manifests_that_the_api_has_changed_are_read_from_the_registry(
    small: ECRState, tmp_path: Path, database_url: str
) -> None:
    served = small.content.manifest(SHOP, "t0002")
    assert served is not None
    small.damaged = {served.digest}

    done = crawl_ecr(ecr_settings(tmp_path, small, database_url))

    assert done.state == "ok"
    assert small.counts["get_manifest"] == 1


class Crawled:
    """A replica that was crawled once, and is crawled again while something is wrong:
    what was known stays, and the next crawl repairs the rest."""

    def __init__(self, ecr: ECRState, folder: Path, database_url: str) -> None:
        self._settings = ecr_settings(folder, ecr, database_url)
        self._database_url = database_url
        assert crawl_ecr(self._settings).state == "ok"
        self.before = self.tags()
        ecr.change(Change(SHOP, "t0003", like="t0004"), Change(SHOP, "new", "t0001"))
        ecr.take_counts()

    def crawl(self) -> RegistryCrawl:
        return crawl_ecr(self._settings)

    def codes(self) -> set[str]:
        """Of one more crawl, after which all is as it was."""
        done = self.crawl()
        assert done.state != "ok" or done.troubled
        assert self.tags().keys() >= self.before.keys()
        return {fault.code for fault in done.faults}

    def is_repaired(self) -> bool:
        done, tags = self.crawl(), self.tags()
        is_whole = done.state == "ok" and not done.faults and not done.troubled
        return is_whole and "new" in tags and tags["t0003"] == tags["t0004"]

    def tags(self) -> dict[str, str]:
        """Those that are not gone, with their digests."""
        database = open_database(self._database_url)
        try:
            with database.read() as connection:
                page = tag_page(connection, "cloud", SHOP, limit=1000)
            return {t.name: str(t.digest) for t in page.items if t.deleted_at is None}
        finally:
            database.close()


@pytest.fixture
def crawled(small: ECRState, tmp_path: Path, database_url: str) -> Crawled:
    return Crawled(small, tmp_path, database_url)


def test_refusals_lose_nothing(small: ECRState, crawled: Crawled) -> None:
    rebuilt(small)
    refusals = {
        ("BatchGetImage", "AccessDeniedException"): "denied",
        ("DescribeRepositories", "AccessDeniedException"): "denied",
        ("DescribeImages", "AccessDeniedException"): "denied",
        ("DescribeImages", "UnrecognizedClientException"): "unauthorized",
        ("DescribeImages", "ExpiredTokenException"): "unauthorized",
        ("DescribeImages", "InvalidParameterException"): "registry_error",
    }

    found = {}
    for action, name in refusals:
        small.refused[action] = [name]
        found[action, name] = crawled.codes()

    assert found == {asked: {code} for asked, code in refusals.items()}
    assert crawled.is_repaired()


def test_a_key_that_ends_between_two_pages_loses_nothing(
    small: ECRState, crawled: Crawled
) -> None:
    keys, small.most_results, small.keys = small.keys, 3, dict(small.keys)
    small.after_page = lambda _: small.keys.clear()

    assert crawled.codes() == {"unauthorized"}
    small.keys, small.after_page = keys, None
    assert crawled.is_repaired()


def test_pages_that_repeat_end_as_a_loop(small: ECRState, crawled: Crawled) -> None:
    small.repeats = True

    assert crawled.codes() == {"pagination_loop"}
    small.repeats = False
    assert crawled.is_repaired()


def test_a_token_that_the_api_forgets_breaks_the_listing_off(
    small: ECRState, crawled: Crawled
) -> None:
    small.most_results, small.after_page = 3, lambda _: small.next_tokens.clear()

    assert crawled.codes() == {"registry_error"}
    small.after_page = None
    assert crawled.is_repaired()


def test_a_tag_that_moves_to_a_later_page_is_seen_twice_and_not_believed(
    small: ECRState, crawled: Crawled
) -> None:
    tags = sorted(crawled.tags().items(), key=lambda tag: tag[1])
    (first, _), (last, _) = tags[0], tags[-1]
    small.most_results = 3

    def move(_: int) -> None:
        small.after_page = None
        small.change(Change(SHOP, first, like=last))

    small.after_page = move

    # Two pages may begin with it, too.
    assert crawled.codes() <= {"listing_changed", "pagination_loop"}
    assert crawled.is_repaired()


def test_a_page_without_a_list_or_an_end_deletes_nothing(
    small: ECRState, crawled: Crawled
) -> None:
    broken: list[dict[str, object]] = [
        {"imageDetails": None},
        {"imageDetails": {}},
        {"nextToken": 7},
        {"nextToken": ""},
    ]
    for members in broken:
        small.page_members = members
        assert crawled.codes() == {"invalid_listing"}

    small.page_members = {}
    assert crawled.is_repaired()


def test_a_manifest_that_the_api_does_not_find_is_asked_for_at_the_registry(
    small: ECRState, crawled: Crawled
) -> None:
    served = rebuilt(small).manifest(SHOP, "t0000")
    assert served is not None
    small.hidden = {served.digest}

    assert not crawled.crawl().troubled
    assert crawled.tags()["t0000"] == served.digest
    assert small.counts["get_manifest"] == 1


def test_a_listed_tag_without_a_manifest_is_read_once_it_is_there(
    small: ECRState, crawled: Crawled
) -> None:
    served = rebuilt(small).manifest(SHOP, "t0000")
    assert served is not None
    small.lost = {served.digest}

    assert crawled.codes() == {"manifest_unknown"}
    assert crawled.tags()["t0000"] == crawled.before["t0000"]
    small.lost = set()
    assert crawled.is_repaired()
    assert crawled.tags()["t0000"] == served.digest


def rebuilt(small: ECRState) -> ChangingContent:
    """The replica's content from now on: a tag has moved to a new index."""
    small.content = ChangingContent(
        platform_content(SHOP, tags=FEW, tags_per_image=1, is_rebuilt=True)
    )
    small.change(Change(SHOP, "t0003", like="t0004"), Change(SHOP, "new", "t0001"))
    return small.content


def test_a_repository_that_vanishes_is_told(small: ECRState, crawled: Crawled) -> None:
    small.change(Change(SHOP))

    done = crawled.crawl()

    assert [fault.code for fault in done.faults] == ["name_unknown"]
    assert [item.state for item in done.troubled] == ["missing"]
    assert crawled.tags() == crawled.before
    assert small.counts == {"DescribeRepositories": 1, "DescribeImages": 1}


def test_a_tag_that_moves_to_an_image_that_was_read_is_not_deleted(
    small: ECRState, crawled: Crawled
) -> None:
    tags = sorted(crawled.tags().items(), key=lambda tag: tag[1])
    (first, _), (last, _) = tags[0], tags[-1]
    small.most_results = 3

    def move(_: int) -> None:
        small.after_page = None
        small.change(Change(SHOP, last, like=first))

    small.after_page = move
    crawled.crawl()

    assert last in crawled.tags()
