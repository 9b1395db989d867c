"""A crawl of a real docker-registry, counted by the registry's own access log."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from support.docker_registry import DockerRegistry, docker_registry
from support.images_oci import Pusher, made_image, made_layer
from weighbridge.bootstrap.engine.assembly import crawl
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import load_settings
from weighbridge.engine.context.crawl_context import Progress
from weighbridge.engine.crawl_requests.crawl_report import CrawlReport

TAGS = 250
_REQUEST = re.compile(r'"(GET|HEAD) (/v2/[^ "?]*)')


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    """One repository with a thousand tags, each an image of its own over a shared
    base layer; requests are logged."""
    log = {"log": {"level": "info", "accesslog": {"disabled": False}}}
    folder = tmp_path_factory.mktemp("registry")
    with docker_registry(folder, settings=log) as running:
        base = made_layer("base", b"base" * 2000)
        with Pusher(running.url) as pusher:
            for n in range(TAGS):
                own = made_layer("own", b"%d" % n * 50)
                image = made_image(base, own, label=f"app {n}")
                pusher.push("shop/app", image, f"t{n:04}")
        yield running


def crawled(registry: DockerRegistry, folder: Path) -> CrawlReport:
    settings = load_settings(
        None, {}, KINDS, database_url=f"sqlite:///{folder / 'w.db'}"
    )
    return crawl(settings, [registry.address], measure=True, progress=Progress())


def asked(registry: DockerRegistry, since: int) -> list[tuple[str, str]]:
    """Method and path of every request that the registry logged since then."""
    return _REQUEST.findall(registry.log[since:])


def rows(folder: Path) -> dict[str, set[tuple[object, ...]]]:
    """Every row of every table."""
    with closing(sqlite3.connect(folder / "w.db")) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type='table'")
        tables = [name for (name,) in names.fetchall()]
        return {
            table: set(connection.execute(f"SELECT * FROM {table}").fetchall())  # noqa: S608 - names of our own tables
            for table in tables
        }


def test_an_unchanged_second_crawl_makes_a_head_a_tag_and_no_get(
    registry: DockerRegistry, tmp_path: Path
) -> None:
    first = crawled(registry, tmp_path)
    before, since = rows(tmp_path), len(registry.log)

    second = crawled(registry, tmp_path)

    manifests = [(m, p) for m, p in asked(registry, since) if "/manifests/" in p]
    assert (first.registries[0].tags, first.registries[0].images) == (TAGS, TAGS)
    assert [m for m, _ in manifests].count("HEAD") == TAGS
    assert [m for m, _ in manifests].count("GET") == 0
    assert not [p for _, p in asked(registry, since) if "/blobs/" in p]
    after = rows(tmp_path)
    changed = {t: len(after[t] ^ before[t]) for t in after if after[t] != before[t]}
    kept = {"crawls", "registries", "repositories", "jobs", "crawl_requests"}
    kept.add("registry_sums")  # a repository shows when it was last looked at
    kept.add("storage_months")  # what was found first is noted once a day
    assert changed.keys() <= kept
    # Nothing for each tag; jobs that follow a crawl note that they were done.
    assert sum(changed.values()) <= 20, changed
    assert second.registries[0].weighed_bytes == first.registries[0].weighed_bytes


def test_every_blob_is_read_once_and_only_a_little_of_it(
    registry: DockerRegistry, tmp_path: Path
) -> None:
    since = len(registry.log)

    done = crawled(registry, tmp_path)

    gets = [path for method, path in asked(registry, since) if method == "GET"]
    blobs = [path for path in gets if "/blobs/" in path]
    assert len(blobs) == len(set(blobs)) == TAGS + TAGS + 1
    assert [p for p in gets if "/manifests/" in p] == sorted(
        {p for p in gets if "/manifests/" in p}, key=gets.index
    )
    # The access log has a line for each request of ours, no more and no less.
    assert len(asked(registry, since)) == done.registries[0].requests


def test_a_killed_registry_changes_nothing_that_was_known(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "registry"
    with docker_registry(folder) as running, Pusher(running.url) as pusher:
        pusher.push("shop/app", made_image(), "1")
        crawled(running, tmp_path)
        before = rows(tmp_path)

    done = crawled(running, tmp_path)

    after = rows(tmp_path)
    assert done.registries[0].state == "unreachable"
    for table in ("tags", "images", "blobs", "repository_summaries"):
        assert after[table] == before[table]
