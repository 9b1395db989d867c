"""A quota of manifests that ends in the middle of a crawl."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from support.crawling import Yard, a_yard
from support.fake_registry import FakeRegistry
from support.images import ServedImage, a_served_image, an_index, some_layers
from weighbridge.domain.limits import MANIFEST_BODY_BYTES
from weighbridge.errors import QuotaSpent
from weighbridge.ports.protocols import ManifestAnswer
from weighbridge.store.models import repositories

WINDOW_S = 21_600.0


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    with a_yard(tmp_path) as made:
        yield made


@dataclass
class MeteredRegistry(FakeRegistry):
    """Gives `left` manifests."""

    has_quota: bool = True
    left: int = 0

    async def get_manifest(
        self, repository: str, reference: str, limit_bytes: int = MANIFEST_BODY_BYTES
    ) -> ManifestAnswer:
        if self.left == 0:
            raise QuotaSpent("nothing is left", retry_after=WINDOW_S)
        self.left -= 1
        return await super().get_manifest(repository, reference, limit_bytes)


def an_image(name: str) -> ServedImage:
    return a_served_image(some_layers(1000, name=name))


def filled(tags: int = 6) -> MeteredRegistry:
    registry = MeteredRegistry()
    for n in range(tags):
        registry.put("shop/api", f"t{n}", an_image(str(n)))
    return registry


async def test_tags_that_were_not_reached_are_not_failed_tags(yard: Yard) -> None:
    registry = filled()
    registry.left = 4

    done = await yard.crawl(registry)

    assert [(f.tag, f.code) for f in done.faults] == [(None, "quota_spent")]
    assert yard.repository("shop/api").state == "partial"
    assert sorted(yard.tags("shop/api")) == ["t0", "t1", "t2", "t3"]
    assert not any(tag.error_code for tag in yard.tags("shop/api").values())


async def test_the_next_crawl_asks_for_what_is_left_and_nothing_else(
    yard: Yard,
) -> None:
    registry = filled()
    registry.left = 4
    await yard.crawl(registry)
    registry.asked.clear()
    registry.left = 100

    done = await yard.crawl(registry)

    assert done.faults == ()
    assert registry.count("get_manifest") == 2
    assert yard.repository("shop/api").state == "ok"


async def test_nothing_is_removed_by_a_crawl_that_ended_early(yard: Yard) -> None:
    registry = filled()
    registry.left = 100
    await yard.crawl(registry)
    del registry.tags_by_repository["shop/api"]["t5"]
    registry.put("shop/api", "t0", an_image("moved"))
    registry.left = 0

    await yard.crawl(registry)

    assert sorted(yard.tags("shop/api")) == [f"t{n}" for n in range(6)]


async def test_an_index_that_was_begun_keeps_the_children_that_came(yard: Yard) -> None:
    registry = MeteredRegistry(left=3)
    images = [an_image(str(n)) for n in range(4)]
    registry.hold(*images)
    registry.put("shop/api", "t0", an_index([image.manifest for image in images]))

    first = await yard.crawl(registry)
    registry.left = 100
    asked = registry.count("get_manifest")
    second = await yard.crawl(registry)

    assert first.images == 2
    assert [f.code for f in first.faults] == ["quota_spent"]
    assert second.faults == ()
    assert second.images == 4
    assert registry.count("get_manifest") - asked == 2


async def test_half_read_indexes_come_before_new_tags(yard: Yard) -> None:
    registry = MeteredRegistry(left=2)
    images = [an_image(str(n)) for n in range(3)]
    registry.hold(*images)
    registry.put("shop/api", "t0", an_index([image.manifest for image in images]))
    registry.put("shop/api", "t1", an_image("later"))
    await yard.crawl(registry)

    registry.left = 2
    done = await yard.crawl(registry)

    assert done.images == 3
    assert "t1" not in yard.tags("shop/api")


async def test_a_child_that_is_not_there_is_pulled_once_a_crawl(yard: Yard) -> None:
    registry = MeteredRegistry(left=100)
    there, not_there = an_image("there"), an_image("not there")
    registry.hold(there)
    index = an_index([there.manifest, not_there.manifest])
    registry.put("shop/api", "t0", index)
    await yard.crawl(registry)
    registry.asked.clear()

    await yard.crawl(registry)

    assert registry.asked["get_manifest", not_there.manifest.digest] == 1


async def test_the_repository_is_due_when_the_quota_is_back(yard: Yard) -> None:
    registry = filled()
    registry.left = 4
    began = yard.now

    await yard.crawl(registry)

    with yard.database.read() as connection:
        due_at = connection.execute(select(repositories.c.due_at)).scalar_one()
    assert due_at == began + timedelta(seconds=WINDOW_S)


async def test_nobody_looks_at_it_before_the_quota_is_back(yard: Yard) -> None:
    registry = filled()
    registry.put("shop/web", "t0", an_image("web"))
    registry.left = 4
    first = await yard.crawl(registry)
    spent = [n for n in ("shop/api", "shop/web") if yard.repository(n).state != "ok"]
    registry.asked.clear()
    registry.left = 100

    done = await yard.crawl(registry, leaves_waiting=True)

    assert spent
    assert [n for n in spent if registry.asked["tags", f"{n}#0"]] == []
    assert registry.count("get_manifest") == 0
    assert done.repositories == first.repositories - len(spent)

    yard.now += timedelta(seconds=WINDOW_S)
    done = await yard.crawl(registry, leaves_waiting=True)
    assert (done.partial, done.faults) == (0, ())


async def test_a_person_who_asks_for_a_crawl_gets_one_before_that(yard: Yard) -> None:
    registry = filled()
    registry.left = 4
    await yard.crawl(registry)
    registry.left = 100

    done = await yard.crawl(registry)

    assert done.partial == 0


async def test_an_index_that_waits_for_children_is_due_when_the_quota_is_back(
    yard: Yard,
) -> None:
    """It is the last tag: nothing after it meets the quota's end."""
    registry = MeteredRegistry(left=2)
    images = [an_image(str(n)) for n in range(3)]
    registry.hold(*images)
    registry.put("shop/api", "t0", an_index([image.manifest for image in images]))

    for _ in range(2):
        began = yard.now
        await yard.crawl(registry)

        with yard.database.read() as connection:
            due_at = connection.execute(select(repositories.c.due_at)).scalar_one()
        assert due_at == began + timedelta(seconds=WINDOW_S)
        assert yard.repository("shop/api").state_reason == "quota_spent"


async def test_a_tag_without_a_digest_is_asked_by_head_before_it_costs(
    yard: Yard,
) -> None:
    registry = filled(2)
    registry.put("shop/api", "alias", an_image("0"))
    registry.left = 100

    await yard.crawl(registry)

    assert registry.count("head_manifest") == 3
    assert registry.count("get_manifest") == 2
