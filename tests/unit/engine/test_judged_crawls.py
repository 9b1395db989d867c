"""Crawls judge what they find, by the policies that are in force at the moment."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Row, select

from support.crawling import Yard, a_yard
from support.fake_registry import FakeRegistry
from support.images import Served, ServedImage, a_layer, a_served_image, an_index
from support.policies import a_policy
from support.telling import Told
from weighbridge.domain.image.digest import digest_of
from weighbridge.domain.image.document import Layer
from weighbridge.domain.policy.policy import Policy, PolicySet
from weighbridge.engine.judge.judged_batch import Judging
from weighbridge.errors import TransportError
from weighbridge.store.models import repositories, unjudged, violations

LIMIT = a_policy("services", max_compressed=1_000)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def yard(tmp_path: Path, told: Told) -> Iterator[Yard]:
    with a_yard(tmp_path) as made:
        judge_by(made, told, LIMIT)
        yield made


def judge_by(yard: Yard, told: Told, *policies: Policy) -> None:
    yard.judging = Judging(PolicySet(policies), tell=told)


def of_bytes(size: int) -> ServedImage:
    return a_served_image([a_layer(("layer", size), size)])


def found(yard: Yard) -> list[Row[*tuple[object, ...]]]:
    with yard.database.read() as connection:
        return list(connection.execute(select(violations).order_by(violations.c.id)))


def is_silent(yard: Yard) -> bool:
    with yard.database.read() as connection:
        said: bool = connection.execute(select(repositories.c.is_silent)).scalar_one()
    return said


async def test_the_first_crawl_is_silent_and_the_next_push_is_told(
    yard: Yard, told: Told
) -> None:
    registry = FakeRegistry()
    registry.put("shop/a", "1", of_bytes(2_000))
    registry.put("shop/b", "1", of_bytes(100))
    await yard.crawl(registry)
    silent = [(row.tag, row.is_silent) for row in found(yard)]
    before = list(told.events)
    registry.put("shop/b", "2", of_bytes(3_000))
    await yard.crawl(registry)

    assert (silent, before) == ([("1", True)], [])
    assert told.events == ["opened"]
    assert [row.tag for row in found(yard) if not row.is_silent] == ["2"]


async def test_a_repository_that_comes_later_is_not_silent(
    yard: Yard, told: Told
) -> None:
    registry = FakeRegistry()
    registry.put("shop/a", "1", of_bytes(1))
    await yard.crawl(registry)
    registry.put("shop/new", "1", of_bytes(2_000))
    await yard.crawl(registry)

    assert told.events == ["opened"]


async def test_silence_ends_with_the_first_push_after_the_first_whole_crawl(
    yard: Yard, told: Told
) -> None:
    registry = FakeRegistry()
    registry.put("shop/a", "1", of_bytes(1))
    registry.put("shop/a", "2", of_bytes(2_000))
    broken = TransportError("no", code="timeout", retryable=False)
    registry.breaks["get_manifest", "2"] = broken
    await yard.crawl(registry)
    registry.breaks.clear()
    await yard.crawl(registry)
    whole, silent = is_silent(yard), [(row.tag, row.is_silent) for row in found(yard)]
    del registry.tags_by_repository["shop/a"]["1"]
    await yard.crawl(registry)
    deleted, before = is_silent(yard), list(told.events)
    registry.put("shop/a", "3", of_bytes(3_000))
    await yard.crawl(registry)

    assert silent == [("2", True)]
    assert (whole, deleted, is_silent(yard)) == (True, True, False)
    assert (before, told.events) == ([], ["opened"])


async def test_what_goes_takes_its_violations_along(yard: Yard, told: Told) -> None:
    registry = FakeRegistry()
    registry.put("shop/a", "1", of_bytes(1))
    registry.put("shop/b", "1", of_bytes(1))
    await yard.crawl(registry)
    registry.put("shop/a", "2", of_bytes(2_000))
    registry.put("shop/b", "2", of_bytes(2_000))
    await yard.crawl(registry)
    del registry.tags_by_repository["shop/a"]["2"]
    del registry.tags_by_repository["shop/b"]
    await yard.crawl(registry)

    assert [row.closed_by for row in found(yard)] == ["deleted", "deleted"]
    assert told.events == ["opened", "opened", "resolved", "resolved"][:2]


async def test_a_policy_that_was_read_again_holds_for_the_next_image(
    yard: Yard, told: Told
) -> None:
    registry = FakeRegistry()
    registry.put("shop/a", "1", of_bytes(1))
    await yard.crawl(registry)
    judge_by(yard, told, a_policy("strict", max_compressed=10))
    registry.put("shop/a", "2", of_bytes(500))
    await yard.crawl(registry)

    assert [(row.policy, row.tag) for row in found(yard)] == [("strict", "2")]


async def test_a_lower_limit_is_held_against_what_stands_at_the_end_of_a_crawl(
    yard: Yard, told: Told
) -> None:
    registry = FakeRegistry()
    registry.put("shop/a", "1", of_bytes(900))
    await yard.crawl(registry)
    judge_by(yard, told, a_policy("services", max_compressed=500))
    await yard.crawl(registry)

    assert [(row.tag, row.is_silent) for row in found(yard)] == [("1", True)]
    assert told.events == []


async def test_what_an_image_unpacks_to_is_judged_once_it_was_measured(
    yard: Yard, told: Told
) -> None:
    judge_by(yard, told, a_policy("room", max_uncompressed=4_000))
    registry = FakeRegistry()
    registry.put("shop/a", "1", of_bytes(1))
    await yard.crawl(registry)
    content = gzip.compress(bytes(5_000))
    layer = Layer(a_layer().media_type, digest_of(content), len(content))
    registry.blobs[layer.digest] = content
    registry.put("shop/a", "2", a_served_image([layer]))
    await yard.crawl(registry, measure=False)
    before = found(yard)
    await yard.crawl(registry, measure=True)

    assert before == []
    assert [(row.tag, row.amount) for row in found(yard)] == [("2", 5_000)]
    assert told.events == ["opened"]
    with yard.database.read() as connection:
        assert connection.execute(select(unjudged)).all() == []


async def test_a_child_that_comes_later_is_judged_then(yard: Yard, told: Told) -> None:
    """An index whose image could not be read weighs nothing until it can."""
    registry = FakeRegistry()
    registry.put("shop/a", "1", of_bytes(1))
    await yard.crawl(registry)
    child = of_bytes(2_000)
    index: Served = an_index([child.manifest])
    registry.put("shop/a", "2", index)
    await yard.crawl(registry)
    before = found(yard)
    registry.hold(child)
    await yard.crawl(registry)

    assert before == []
    assert [row.tag for row in found(yard)] == ["2"]
