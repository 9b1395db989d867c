"""A registry of 1,000,000 tags in 10,000 repositories, one of them with 100,000.

`WEIGHBRIDGE_FLEET=100000` makes it a tenth as large in every way, for a first try.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles

import httpx
import pytest
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine.interfaces import DBAPICursor

from load.watched_process import watch
from support.database import Engine as EngineName
from support.database import a_database_url
from support.replica.fleet import Fleet
from support.replica.fleet_totals import fleet_totals
from support.replica.process import Replica, fleet_replica
from support.replica.stored import Counted, counted, scopes, shares
from weighbridge.bootstrap.engine.assembly import crawl
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import load_settings
from weighbridge.engine.context.crawl_context import Progress

pytestmark = pytest.mark.timeout(4 * 3_600)

MIB = 1024 * 1024
TAGS = int(os.environ.get("WEIGHBRIDGE_FLEET", "1000000"))
FLEET = Fleet(repositories=TAGS // 100, tags=TAGS, largest=TAGS // 10)
ROWS_A_REPOSITORY = 12
NOTES = 300
"""Rows of the heartbeat and of long unchanged crawls, whatever the number of tags."""


@dataclass(slots=True)
class Reader:
    """Somebody who reads pages while the crawl goes on, over a connection that is
    kept, as Prometheus keeps its own."""

    client: httpx.Client
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def look(self) -> None:
        for path in ("/metrics/repositories", "/api/v1/repositories?limit=100"):
            began = time.monotonic()
            answer = self.client.get(path)
            self.seconds.setdefault(path, []).append(time.monotonic() - began)
            assert answer.status_code == 200, answer.text

    def p99(self, path: str) -> float:
        return quantiles(self.seconds[path], n=100)[98]

    def __str__(self) -> str:
        return "; ".join(
            f"{path}: median {median(seen):.3f} s, p99 {self.p99(path):.3f} s, "
            f"max {max(seen):.3f} s of {len(seen)}"
            for path, seen in self.seconds.items()
        )


@pytest.fixture(scope="module")
def replica() -> Iterator[Replica]:
    with fleet_replica(FLEET) as served:
        yield served


def test_a_million_tags_in_flat_memory_and_few_rows(
    tmp_path: Path, engine: EngineName, replica: Replica
) -> None:
    with a_database_url(tmp_path, engine) as url, a_reader(url) as reader:
        first_crawl(url, replica, reader, engine)
        assert_totals(url)
        unchanged_crawl(url, replica, engine)


def first_crawl(url: str, replica: Replica, reader: Reader, engine: str) -> None:
    replica.reset_counts()
    began = time.monotonic()
    command = [sys.executable, "-m", "weighbridge", "crawl", replica.address]
    options = ["--database", url, "--no-measure", "-o", "json"]
    watched = watch(
        [*command, *options], lambda: replica.counts().get("get_manifest", 0)
    )

    said = json.loads(watched.wait(meanwhile=reader.look))

    seconds = time.monotonic() - began
    early, late = watched.mean_bytes(0.1, 0.2), watched.mean_bytes(0.9, 1.0)
    print(
        f"\n{engine}: {said['tags']:,} tags in {seconds:.0f} s"
        f" ({said['tags'] / seconds:.0f}/s), peak {watched.peak_bytes / MIB:.0f} MiB,"
        f" {early / MIB:.0f} MiB in the second tenth, {late / MIB:.0f} in the last"
        f"\n{engine}: {reader}"
    )
    assert (said["errors"], said["tags"]) == ([], TAGS)
    assert watched.peak_bytes < 300 * MIB
    assert late <= 1.25 * early
    assert reader.p99("/api/v1/repositories?limit=100") < 1.0
    assert reader.p99("/metrics/repositories") < 1.0


def assert_totals(url: str) -> None:
    expected = fleet_totals(FLEET)
    (scope,) = expected.scopes.values()
    assert scopes(url) == {
        "": (
            expected.images,
            expected.weighed_bytes,
            scope.deduplicated_bytes,
            scope.shared_bytes,
        )
    }
    assert shares(url) == {
        name: (totals.deduplicated_bytes, totals.exclusive_bytes)
        for name, totals in expected.repositories.items()
    }
    assert counted(url) == {
        name: Counted(t.tags, t.images, t.referenced_bytes, t.weighed_bytes)
        for name, t in expected.repositories.items()
    }


def unchanged_crawl(url: str, replica: Replica, engine: str) -> None:
    replica.reset_counts()
    began = time.monotonic()
    settings = load_settings(None, {}, KINDS, database_url=url)
    rows = 0

    def note(connection: Connection, cursor: DBAPICursor, *_: object) -> None:
        nonlocal rows
        if not cursor.description and cursor.rowcount > 0:
            rows += cursor.rowcount

    event.listen(Engine, "after_cursor_execute", note)
    try:
        done = crawl(settings, [replica.address], measure=False, progress=Progress())
    finally:
        event.remove(Engine, "after_cursor_execute", note)

    seconds = time.monotonic() - began
    asked = replica.counts()
    print(
        f"{engine}: unchanged in {seconds:.0f} s ({TAGS / seconds:.0f}/s), {rows:,}"
        f" rows, {asked.get('get_manifest', 0)} manifests"
    )
    assert done.errors == ()
    # Each tag is asked by GET once in seven days, whatever HEAD says.
    assert asked.get("get_manifest", 0) <= TAGS // 100
    assert asked.get("get_blob", 0) == 0
    assert rows <= ROWS_A_REPOSITORY * FLEET.repositories + NOTES


@contextmanager
def a_reader(url: str) -> Iterator[Reader]:
    """The web application over the database, in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "load.bench.snapshot_server", url, "20000"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
    )
    with process:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        address = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=address, trust_env=False, timeout=60) as client:
            yield Reader(client)
