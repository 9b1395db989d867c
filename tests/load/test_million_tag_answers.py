"""How long answers take in a registry of 1,000,000 tags: reports about bases, what
repositories share, what deletion frees, two images side by side, what a tag was.

`WEIGHBRIDGE_FLEET=100000` makes it a tenth as large in every way, for a first try.
"""

import os
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from statistics import median, quantiles
from typing import Final

import httpx
import pytest

from load.test_million_tags import FLEET, a_reader
from support.images import GZIP_LAYER, an_image
from support.of_one import close_crawl, open_crawl
from support.replica.fleet_images import base_layers
from support.replica.process import fleet_replica
from support.store_world import a_result, an_entry
from weighbridge.bootstrap.engine.assembly import crawl
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import load_settings
from weighbridge.domain.base.base_repositories import BasePlace
from weighbridge.domain.image.document import Layer
from weighbridge.engine.context.crawl_context import Progress
from weighbridge.store.bases.marks import mark_bases
from weighbridge.store.facts.images import keep_documents
from weighbridge.store.leases.claiming import claim
from weighbridge.store.ledger.holdings import settle_all
from weighbridge.store.maintenance.base_sweep import sweep_bases
from weighbridge.store.read_model.base_summaries import refresh_base_summaries
from weighbridge.store.registries.registry_rows import put_registry
from weighbridge.store.registries.repository_rows import put_repositories
from weighbridge.store.session import Database, open_database
from weighbridge.store.tags.applying import Move, apply_moves

pytestmark = pytest.mark.timeout(4 * 3_600)
ASKED: Final = int(os.environ.get("WEIGHBRIDGE_ASKED", "300"))
P99_S: Final = 0.2
BASE: Final = "library/linux"


@pytest.fixture(scope="module")
def filled(database_url: str) -> Iterator[tuple[str, str]]:
    """The database's URL, and the registry's name in it."""
    settings = load_settings(None, {}, KINDS, database_url=database_url)
    with closing(open_database(database_url)) as database:
        put_bases(database)
    with fleet_replica(FLEET) as replica:
        began = time.monotonic()
        done = crawl(settings, [replica.address], measure=False, progress=Progress())
        assert done.errors == ()
        print(f"\n{FLEET.tags:,} tags crawled in {time.monotonic() - began:.0f} s")
        with closing(open_database(database_url)) as database:
            began = time.monotonic()
            found = sweep_bases(database, datetime.now(UTC))
            print(f"{found} in {time.monotonic() - began:.0f} s")
            began = time.monotonic()
            count = refresh_base_summaries(database, datetime.now(UTC))
            print(f"{count} bases counted in {time.monotonic() - began:.1f} s")
            settle_all(database)
        yield database_url, replica.address


def put_bases(database: Database) -> None:
    """The fleet's bases in a registry of their own, a tag each."""
    now = datetime.now(UTC)
    found = {
        f"{number}": an_image(
            [
                Layer(GZIP_LAYER, layer.digest, layer.compressed_bytes)
                for layer in base_layers(number)
            ]
        )
        for number in range(FLEET.bases)
    }
    with database.write() as connection:
        entry = an_entry()
        registry = put_registry(connection, entry, now)
        (repository,) = put_repositories(connection, registry, [BASE], now).values()
        mark_bases(connection, entry.name, [BasePlace(BASE, "docker.io", BASE)])
        taken = claim(connection, repository, now=now, lease_s=60)
        assert taken is not None
        opened = open_crawl(connection, taken, now).id
        keep_documents(connection, list(found.values()), {})
        moves = [Move(tag, image.digest, None) for tag, image in found.items()]
        apply_moves(connection, taken, moves, now)
        close_crawl(connection, taken, opened, a_result(), now, now)


def some_repository(chance: random.Random) -> int:
    """The large one each tenth time."""
    return 0 if chance.random() < 0.1 else chance.randrange(1, FLEET.repositories)


def questions(registry: str) -> Mapping[str, Callable[[random.Random], str]]:
    """What is asked, by a name; each time of another repository."""

    def tags_of(chance: random.Random, count: int) -> tuple[str, list[str]]:
        number = some_repository(chance)
        tags = FLEET.tags_of(number)
        some = [tags[chance.randrange(len(tags))] for _ in range(count)]
        return f"{registry}/{FLEET.names[number]}", some

    def of_repository(path: str) -> Callable[[random.Random], str]:
        def make(chance: random.Random) -> str:
            name = FLEET.names[some_repository(chance)]
            return path.format(registry=registry, name=name)

        return make

    def of_tag(path: str) -> Callable[[random.Random], str]:
        def make(chance: random.Random) -> str:
            name, (tag,) = tags_of(chance, 1)
            return path.format(name=name, tag=tag)

        return make

    def of_tags(path: str) -> Callable[[random.Random], str]:
        def make(chance: random.Random) -> str:
            name, (one, other) = tags_of(chance, 2)
            return path.format(name=name, one=one, other=other)

        return make

    def always(path: str) -> Callable[[random.Random], str]:
        return lambda _: path

    return {
        "top": always("/api/v1/repositories?sort=newest&limit=20"),
        "top by exclusive": always("/api/v1/repositories?sort=exclusive&limit=20"),
        "bases": always("/api/v1/bases"),
        "one base": always(f"/api/v1/base?ref={BASE}:0"),
        "bases page": always("/bases"),
        "split of a repository": of_repository(
            "/api/v1/repository?ref={registry}/{name}"
        ),
        "repository page": of_repository("/repository?ref={registry}/{name}"),
        "compare": of_tags("/api/v1/compare?a={name}:{one}&b={name}:{other}"),
        "compare page": of_tags("/compare?a={name}:{one}&b={name}:{other}"),
        "reclaim two tags": of_tags("/api/v1/reclaim?ref={name}&tag={one}&tag={other}"),
        "history of a tag": of_tag("/api/v1/history?ref={name}:{tag}"),
        "image": of_tag("/api/v1/image?ref={name}:{tag}"),
        "image page": of_tag("/image?ref={name}:{tag}"),
    }


def test_answers_take_less_than_200_ms(filled: tuple[str, str]) -> None:
    url, registry = filled
    slow: dict[str, float] = {}
    with a_reader(url) as reader:
        for name, make in questions(registry).items():
            chance = random.Random(name)  # noqa: S311 - which are asked for
            seconds = sorted(ask(reader.client, make(chance)) for _ in range(ASKED))
            p99 = quantiles(seconds, n=100)[98]
            print(
                f"{name}: median {1000 * median(seconds):.0f} ms, p99"
                f" {1000 * p99:.0f} ms, max {1000 * seconds[-1]:.0f} ms"
            )
            if p99 > P99_S:
                slow[name] = p99
    assert slow == {}


def ask(client: httpx.Client, path: str) -> float:
    began = time.monotonic()
    answer = client.get(path)
    assert answer.status_code == 200, (path, answer.text[:500])
    return time.monotonic() - began
