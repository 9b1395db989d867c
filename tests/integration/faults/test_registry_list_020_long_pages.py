"""registry_list-020: duplicate tags, and a million tags on one page."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from support.fault_proxy import fault_proxy
from support.faults import Answer, Instead, listing_altered, status
from support.faulty_crawls import CrawledDatabase, watching
from support.two_moments import TwoMoments
from support.wait import wait_in_thread
from weighbridge.domain import limits

pytestmark = pytest.mark.only_on("sqlite")  # what is kept is not the matter

MOST_RESIDENT_KIB = 300 * 1024
ENOUGH = 3_000


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


@dataclass(slots=True)
class Outside:
    """`weighbridge crawl` as a process.

    exit_code:    when it has ended
    resident_kib: its peak, as it was when somebody last asked whether it has ended
    """

    process: subprocess.Popen[bytes]
    exit_code: int | None = None
    resident_kib: int = 0

    def has_ended(self) -> bool:
        if self.exit_code is None:
            self._look()
            pid, status = os.waitpid(self.process.pid, os.WNOHANG)
            if pid:
                self._note(status)
        return self.exit_code is not None

    def kill(self) -> None:
        if not self.has_ended():
            self.process.kill()
            self._note(os.waitpid(self.process.pid, 0)[1])

    def _note(self, status: int) -> None:
        self.exit_code = self.process.returncode = os.waitstatus_to_exitcode(status)

    def _look(self) -> None:
        """The peak until now. (What `wait4` says counts what the tests' own process
        had when it was forked.)"""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        if found := re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE):
            self.resident_kib = int(found[1])


@contextmanager
def crawling_outside(database: CrawledDatabase, url: str) -> Iterator[Outside]:
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
    outside = Outside(process)
    try:
        yield outside
    finally:
        outside.kill()


def test_registry_list_020_a_page_of_a_million_tags_is_not_read(
    moments: TwoMoments, database: CrawledDatabase
) -> None:
    with fault_proxy(moments.after.url) as proxy:
        proxy.spoil(page_of(1_000_000), target="/shop/app/tags/list")

        with (
            watching(database) as watch,
            crawling_outside(database, proxy.url) as outside,
        ):
            wait_in_thread(outside.has_ended, "it ends")

        assert outside.exit_code == 3
        found = database.repository("shop/app")
        assert found is not None
        assert (found.state_reason, found.tags) == ("too_large", 30)
        assert found.state in ("partial", "error")
        assert 0 < outside.resident_kib < MOST_RESIDENT_KIB
        moments.assert_unharmed(watch)
        proxy.heal()
        database.now = datetime.now(UTC)
        database.crawl(proxy.url)
    assert database.records() == moments.new


def test_registry_list_020_one_page_above_the_cap_is_not_asked_tag_by_tag(
    moments: TwoMoments, database: CrawledDatabase
) -> None:
    with fault_proxy(moments.after.url) as proxy:
        many = page_of(5 * limits.TAGS_PER_REPOSITORY)
        proxy.spoil(many, target="/shop/app/tags/list")
        proxy.spoil(status(404), target="/shop/app/manifests/t")

        with (
            watching(database) as watch,
            crawling_outside(database, proxy.url) as outside,
        ):
            # So many requests make it clear that it goes on.
            wait_in_thread(
                lambda: outside.has_ended() or proxy.plan.requests > ENOUGH,
                "it ends or goes on",
            )

        assert proxy.plan.requests < ENOUGH
        # What is known stays, and is behind: no failure, but `partial`.
        assert outside.exit_code == 0
        assert 0 < outside.resident_kib < MOST_RESIDENT_KIB
        found = database.repository("shop/app")
        assert found is not None
        assert (found.state, found.state_reason) == ("partial", "too_many_tags")
        assert found.tags == 30
        moments.assert_unharmed(watch)
