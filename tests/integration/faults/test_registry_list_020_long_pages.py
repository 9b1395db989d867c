"""registry_list-020: duplicate tags, and a million tags on one page."""

import json
import os
import subprocess
import sys
from pathlib import Path

from support.fault_proxy import fault_proxy
from support.faults import Answer, Instead, listing_altered
from support.faulty_crawls import CrawledDatabase, watching
from support.two_moments import TwoMoments
from weighbridge.domain import limits

MOST_RESIDENT_KIB = 300 * 1024


def test_registry_list_020_duplicate_tags_collapse(
    moments: TwoMoments, database: CrawledDatabase
) -> None:
    with fault_proxy(moments.after.url) as proxy:
        proxy.spoil(listing_altered(lambda names: names * 3), kind="tags")

        done = database.crawl(proxy.url)

    assert done.faults == ()
    assert proxy.plan.most_attempts == 1
    moments.assert_caught_up(database)


def page_of(count: int) -> Instead:
    """One page with so many short tags."""
    page = {"name": "shop/app", "tags": [f"t{number}" for number in range(count)]}
    body = json.dumps(page, separators=(",", ":")).encode()
    headers = (("Content-Type", "application/json"),)
    return Instead(lambda _: Answer(200, headers, body))


def crawled_outside(database: CrawledDatabase, url: str) -> tuple[int, int]:
    """`weighbridge crawl` as a process: its exit code and the KiB that it took."""
    config = database.path.parent / "weighbridge.yaml"
    config.write_text(f"registries: [{{name: near, url: '{url}'}}]\n")
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "weighbridge", "crawl", "near", "-o", "json"),
            *("--config", str(config), "--database", database.url),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, ended, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(ended)
    return process.returncode, usage.ru_maxrss


def test_registry_list_020_a_page_of_a_million_tags_is_not_read(
    moments: TwoMoments, database: CrawledDatabase
) -> None:
    with fault_proxy(moments.after.url) as proxy:
        proxy.spoil(page_of(1_000_000), target="/shop/app/tags/list")

        with watching(database.path) as watch:
            code, resident_kib = crawled_outside(database, proxy.url)

        assert code == 3
        found = database.repository("shop/app")
        assert found is not None
        assert (found.state_reason, found.tags) == ("too_large", 30)
        assert found.state in ("partial", "error")
        assert resident_kib < MOST_RESIDENT_KIB
        moments.assert_unharmed(watch)
        proxy.heal()
        database.crawl(proxy.url)
    moments.assert_caught_up(database)


def test_registry_list_020_one_page_above_the_cap_is_not_asked_tag_by_tag(
    moments: TwoMoments, database: CrawledDatabase, tmp_path: Path
) -> None:
    count = 5 * limits.TAGS_PER_REPOSITORY
    with fault_proxy(moments.after.url) as proxy:
        proxy.spoil(page_of(count), target="/shop/app/tags/list")
        proxy.spoil(Instead(lambda _: Answer(404)), target="/shop/app/manifests/t")
        # As soon as it is clear that it goes on, the rest need not be waited for.
        proxy.before(proxy.go_down, since=2_000)

        with watching(database.path) as watch:
            _, resident_kib = crawled_outside(database, proxy.url)

        assert proxy.plan.requests < 2_000
        assert resident_kib < MOST_RESIDENT_KIB
        moments.assert_unharmed(watch)
