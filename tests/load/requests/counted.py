"""Crawls a replica and counts: by operation as the program counts, in all and of pulls
as the replica was asked."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from prometheus_client.metrics_core import Metric

from load.requests.ways import TAGS, Scene, Way
from support.vendor_hosts import Request, hearing, host_of
from weighbridge.bootstrap.databases import ready_database
from weighbridge.bootstrap.engine.assembly import crawl_targets
from weighbridge.bootstrap.registries.clients import registry_client
from weighbridge.bootstrap.registries.targets import find_targets
from weighbridge.engine.context.crawl_context import Progress
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry

_BEGAN_AT: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
"""Fixed, as are the names of tags: which tags are asked by GET in the place of HEAD
depends on both alone."""


class Miscounted(Exception):
    """What is to be measured did not happen as it should have."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What one look has cost.

    by_operation: requests, but for those refused; `token` has all of its kind
    refused:      other requests that were answered with a status from 400 to 499
    pulls:        as the vendor counts them
    bytes_read:   of the bodies of answers
    """

    by_operation: Counter[str]
    refused: int
    pulls: int
    bytes_read: int

    @property
    def requests(self) -> int:
        return self.by_operation.total() + self.refused


@dataclass(frozen=True, slots=True)
class Counted:
    """Of one way: to find the repositories; the first crawl; one of what is unchanged;
    one after a hundredth of the tags moved. Each crawl finds the repositories too."""

    way: Way
    discovery: Spent
    first: Spent
    unchanged: Spent
    moved: Spent

    @property
    def listing(self) -> int:
        """Requests for the tags of an unchanged repository, whatever is asked. What is
        refused counts too, beyond what a client learns once: how to sign in, and
        whether there is the list that is asked for first."""
        beyond = self.unchanged.by_operation - self.discovery.by_operation
        return beyond.total() - beyond["token"] + max(0, self.unchanged.refused - 2)

    @property
    def is_missed(self) -> bool:
        return self.way.limit is not None and self.listing > self.way.limit


def count(way: Way) -> Counted:
    """Crawl a replica of its own. Raises Miscounted."""
    with TemporaryDirectory("-weighbridge-requests") as folder, hearing() as heard:
        url = f"sqlite:///{folder}/weighbridge.db"
        with (
            way.serve(Path(folder), url) as scene,
            ready_database(scene.settings) as database,
        ):
            counting = _Counting(way, scene, database, heard)
            found = Counted(
                way,
                discovery=counting.discovery(),
                first=counting.crawl(0),
                unchanged=counting.crawl(1),
                moved=counting.crawl(2, is_rebuilt=True),
            )
            if scene.violations:
                raise Miscounted(f"{way.name}: {scene.violations[:3]}")
    return found


@dataclass(frozen=True, slots=True)
class _Counting:
    way: Way
    scene: Scene
    database: Database
    heard: list[Request]

    def discovery(self) -> Spent:
        telemetry = Telemetry()
        names = asyncio.run(self._find(telemetry))
        if len(names) != 1:
            raise Miscounted(f"{self.way.name}: {len(names)} repositories are found")
        return self._spent(telemetry)

    async def _find(self, telemetry: Telemetry) -> list[str]:
        settings = self.scene.settings
        (target,) = find_targets(settings, [])
        async with registry_client(settings, target, telemetry) as client:
            pages = [page async for page in client.registry.repositories()]
        return [name for page in pages for name in page.names]

    def crawl(self, after_s: int, *, is_rebuilt: bool = False) -> Spent:
        if is_rebuilt:
            self.scene.rebuild()
        at = _BEGAN_AT + timedelta(seconds=after_s)
        telemetry, settings = Telemetry(), self.scene.settings
        report = asyncio.run(
            crawl_targets(
                settings,
                find_targets(settings, []),
                self.database,
                telemetry,
                Progress(),
                clock=lambda: at,
            )
        )
        (done,) = report.registries
        if (done.state, done.tags, done.faults) != ("ok", TAGS, ()):
            raise Miscounted(f"{self.way.name}: {done.state}, {done.faults[:3]}")
        return self._spent(telemetry)

    def _spent(self, telemetry: Telemetry) -> Spent:
        """Since the last time. Raises Miscounted where the program and the replica do
        not agree."""
        by_operation, refused = _by_operation(telemetry.registry_requests.collect())
        pulls = 0 if self.way.pulls is None else sum(map(self.way.pulls, self.heard))
        read = telemetry.registry_response_bytes.collect()
        spent = Spent(by_operation, refused, pulls, int(_total(read)))
        asked = sum(r.headers.get("host") in self._hosts for r in self.heard)
        self.heard.clear()
        if spent.requests != asked:
            raise Miscounted(
                f"{self.way.name}: {spent.requests} requests are counted, {asked} came"
            )
        return spent

    @property
    def _hosts(self) -> set[str]:
        """Of registry and API; a redirect to the storage is the same request."""
        (entry,) = self.scene.settings.registries
        urls = (entry.url, getattr(entry, "api_url", None))
        return {host_of(str(url)) for url in urls if url}


def _by_operation(metrics: Iterable[Metric]) -> tuple[Counter[str], int]:
    found, refused = Counter[str](), 0
    for sample in (s for metric in metrics for s in metric.samples):
        operation, code = sample.labels["operation"], sample.labels["code"]
        if code.startswith("4") and operation != "token":
            refused += int(sample.value)
        else:
            found[operation] += int(sample.value)
    return found, refused


def _total(metrics: Iterable[Metric]) -> float:
    return sum(sample.value for metric in metrics for sample in metric.samples)
