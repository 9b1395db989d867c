"""Docker Hub's quota of pulls: spent down to what is kept, and no further."""

import json
import sqlite3
from asyncio import run
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from support.database_dump import Dump, assert_same, dump_of_url
from support.hub_replica.configured import crawl_hub, hub_settings
from support.hub_replica.serving import hub_replica
from support.hub_replica.state import Hub, a_hub
from weighbridge.bootstrap.databases import ready_database
from weighbridge.bootstrap.engine.assembly import crawl_targets, utc_now
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.bootstrap.registries.targets import find_targets
from weighbridge.config import load_settings
from weighbridge.demo.story import demo_content
from weighbridge.engine.context.crawl_context import Progress
from weighbridge.store.reports.inventory import newest_images, registry_reports
from weighbridge.store.reports.seeding import seeding
from weighbridge.telemetry import Telemetry

NAMESPACES = ("library", "tutorial")


@pytest.fixture
def hub() -> Iterator[Hub]:
    with hub_replica(a_hub(demo_content())) as served:
        yield served
    assert served.violations == []


def untyped(dump: Dump) -> Dump:
    """Without the types of blobs: one that is called by several names keeps the first,
    and which manifest comes first is chance."""
    return {
        name: {k: v for k, v in row.items() if k != "media_type_id"}
        if name.startswith("blobs ")
        else row
        for name, row in dump.items()
    }


def due_in_s(folder: Path) -> list[float]:
    """From the end of each repository's last crawl until its next one."""
    with closing(sqlite3.connect(folder / "weighbridge.db")) as connection:
        found = connection.execute("SELECT due_at, last_crawl_at FROM repositories")
        return [(due - last) / 1_000_000 for due, last in found]


# With five pulls a window the same takes four times as many crawls.
@pytest.mark.parametrize("allowed", [pytest.param(5, marks=pytest.mark.long), 20])
def test_crawls_in_many_windows_come_to_the_end_state_of_one(
    hub: Hub, tmp_path: Path, database_url: str, allowed: int
) -> None:
    settings = hub_settings(tmp_path, hub, database_url, namespaces=NAMESPACES)
    hub.limit = 2 * allowed
    pulls: list[int] = []
    while not pulls or pulls[-1]:
        hub.refill(hub.limit)
        done = crawl_hub(settings)
        pulls.append(hub.take_counts().get("get_manifest", 0))
        assert hub.left >= allowed
    hub.limit = None
    other = f"sqlite:///{tmp_path / 'other.db'}"
    at_once = crawl_hub(hub_settings(tmp_path, hub, other, namespaces=NAMESPACES))

    assert done.faults == at_once.faults == ()
    assert sum(pulls) <= hub.take_counts()["get_manifest"]
    assert len(pulls) > 40 // allowed
    assert_same(untyped(dump_of_url(database_url)), untyped(dump_of_url(other)))


def test_a_spent_quota_ends_the_crawl_politely_and_keeps_all(
    hub: Hub, tmp_path: Path, database_url: str
) -> None:
    settings = hub_settings(tmp_path, hub, database_url, include=["library/python"])
    hub.limit, hub.left = 20, 16

    done = crawl_hub(settings)

    assert (done.state, done.partial) == ("ok", 1)
    assert {fault.code for fault in done.faults} == {"quota_spent"}
    assert hub.left == 10
    asked = hub.take_counts()
    assert asked["get_manifest"] == 6
    assert "pull_429" not in asked
    assert done.images > 0
    (wait_s,) = due_in_s(tmp_path)
    assert hub.window_s - 60 < wait_s <= hub.window_s


def test_what_others_have_spent_is_not_asked_for(
    hub: Hub, tmp_path: Path, database_url: str
) -> None:
    settings = hub_settings(tmp_path, hub, database_url, include=["library/python"])
    hub.limit, hub.left = 100, 50

    crawl_hub(settings)

    asked = hub.take_counts()
    assert "get_manifest" not in asked
    assert asked["head_manifest"] == 1
    assert due_in_s(tmp_path) == [3600.0]


def test_a_quota_that_ends_while_nothing_is_kept_is_heard_of_once(
    hub: Hub, tmp_path: Path, database_url: str
) -> None:
    settings = hub_settings(
        tmp_path,
        hub,
        database_url,
        include=["library/python"],
        limits={"keep_quota": "0%"},
    )
    hub.limit, hub.left = 100, 3

    done = crawl_hub(settings)

    assert hub.left == 0
    assert {fault.code for fault in done.faults} == {"quota_spent"}
    assert hub.take_counts().get("pull_429", 0) <= 1


def test_a_publisher_whose_images_do_not_count_is_read_whatever_is_left(
    hub: Hub, tmp_path: Path, database_url: str
) -> None:
    hub.limit, hub.left = 100, 50
    hub.unlimited = frozenset({"library/python"})
    settings = hub_settings(
        tmp_path, hub, database_url, include=["library/python", "library/debian"]
    )

    done = crawl_hub(settings)

    assert (done.complete, done.partial) == (1, 1)
    assert [fault.repository for fault in done.faults] == ["library/debian"]
    assert hub.left == 50


def test_the_quota_is_told_in_the_metrics(
    hub: Hub, tmp_path: Path, database_url: str
) -> None:
    hub.limit, hub.left = 20, 16
    settings = hub_settings(tmp_path, hub, database_url, include=["library/python"])
    telemetry = Telemetry()

    with ready_database(settings) as database:
        targets = find_targets(settings, ["hub"])
        run(crawl_targets(settings, targets, database, telemetry, Progress()))

    value = telemetry.registry.get_sample_value
    labels = {"registry": "hub"}
    assert value("weighbridge_registry_ratelimit_limit", labels) == 20
    assert value("weighbridge_registry_ratelimit_remaining", labels) == 10


def test_the_quota_is_told_with_the_registry(
    hub: Hub, tmp_path: Path, database_url: str
) -> None:
    hub.limit, hub.left = 20, 16
    settings = hub_settings(tmp_path, hub, database_url, include=["library/python"])
    began = utc_now()

    crawl_hub(settings)

    with ready_database(settings) as database, database.read() as connection:
        (report,) = registry_reports(connection)
    assert (report.rate_limit, report.rate_limit_remaining) == (20, 10)
    assert report.rate_limit_window_s == hub.window_s
    assert report.rate_limit_seen_at is not None
    assert began <= report.rate_limit_seen_at <= utc_now()


def test_bases_are_read_by_what_the_quota_leaves_and_the_rest_waits(
    hub: Hub, tmp_path: Path, database_url: str
) -> None:
    hub_settings(tmp_path, hub, database_url, namespaces=["tutorial"])
    file = tmp_path / "weighbridge.yaml"
    written = json.loads(file.read_text()) | {"bases": {"repositories": ["python"]}}
    file.write_text(json.dumps(written))
    settings = load_settings(str(file), {}, KINDS, database_url=database_url)
    crawl_hub(settings)
    hub.take_counts()
    forget_bases(tmp_path)
    hub.limit, hub.left = 20, 16
    crawl_hub(settings)
    asked = hub.take_counts()
    with ready_database(settings) as database, database.read() as connection:
        (python,) = seeding(connection).repositories
        names = {report.repository for report in newest_images(connection)}

    assert hub.left == 10
    assert asked["get_manifest"] == 6
    assert "pull_429" not in asked
    assert (python.reference, python.code) == ("library/python", "quota_spent")
    assert python.tags_wanted is not None
    assert 0 < python.tags_read < python.tags_wanted
    assert "library/python" not in names


def forget_bases(folder: Path) -> None:
    """As if nobody had read any."""
    with closing(sqlite3.connect(folder / "weighbridge.db")) as connection:
        for table in ("base_names", "base_chains", "base_readings"):
            connection.execute(f"DELETE FROM {table}")  # noqa: S608 - three names, above
        connection.execute("DELETE FROM jobs WHERE job = 'weighbridge.seed'")
        connection.commit()
