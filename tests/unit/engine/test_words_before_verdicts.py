"""A push is judged by what its registry says of the layers, as far as it says it in
time; what was only claimed is judged again once it is known."""

import asyncio
import gzip
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import select

from support.crawling import Yard
from support.database import Engine, a_database
from support.fake_registry import FakeRegistry
from support.images import GZIP_LAYER, ZSTD_LAYER, a_layer, a_served_image
from support.policies import a_policy
from support.push_world import Pusher, a_push
from support.telling import Told
from support.wait import wait_until
from weighbridge.domain.image.digest import Digest, digest_of
from weighbridge.domain.image.document import Layer
from weighbridge.domain.image.platform import Platform
from weighbridge.domain.policy.policy import PolicySet
from weighbridge.domain.report.violation import ViolationReport
from weighbridge.engine.judge.judged_batch import Judging
from weighbridge.errors import TransportError
from weighbridge.ports.protocols import RangeAnswer
from weighbridge.store.maintenance.checking.verify import verify
from weighbridge.store.models import violations
from weighbridge.store.reports.disputes import DisputeQuery, dispute_page
from weighbridge.store.reports.violations import (
    ViolationQuery,
    read_notices,
    violation_page,
)

# No statement of its own: tests of the store run on both.
pytestmark = pytest.mark.long_on("postgresql")

APP = "acme/app"
SMALL = a_served_image(layers=[a_layer("first", 900)])
MB = 1_000_000
LYING = a_layer("lying", 1)
LIAR = a_served_image(layers=[LYING])


@dataclass
class Slow(FakeRegistry):
    """Says how long its layers are when it is let to."""

    may_answer: asyncio.Event = field(default_factory=asyncio.Event)

    async def get_range(
        self, repository: str, digest: Digest, first: int, last: int
    ) -> RangeAnswer:
        await self.may_answer.wait()
        return await FakeRegistry.get_range(self, repository, digest, first, last)


@pytest.fixture
def yard(tmp_path: Path, engine: Engine) -> Iterator[Yard]:
    with a_database(tmp_path, engine) as database:
        yield Yard(database)


def judge_by(yard: Yard, max_compressed: int) -> None:
    policy = a_policy("room", max_compressed=max_compressed)
    yard.judging = Judging(PolicySet((policy,)), tell=Told())


async def crawled(yard: Yard, registry: FakeRegistry) -> None:
    registry.put(APP, "1.0", SMALL)
    await yard.crawl(registry, measure=True)


def opened(yard: Yard) -> Sequence[ViolationReport]:
    with yard.database.read() as connection:
        return violation_page(connection, ViolationQuery(), yard.now).items


async def test_a_layer_of_a_false_small_size_does_not_pass_a_push(yard: Yard) -> None:
    judge_by(yard, max_compressed=MB)
    registry = FakeRegistry()
    await crawled(yard, registry)
    pusher = Pusher(yard, registry)
    registry.put(APP, "1.1", LIAR)
    registry.lengths[LYING.digest] = 3 * MB

    pusher.tell(a_push("1.1"))
    await pusher.handle()

    (violation,) = opened(yard)
    assert violation.id is not None
    assert (violation.amount, violation.compressed_confidence) == (3 * MB, "disputed")
    assert [judged.verdict for judged in pusher.judged] == ["warn"]
    with yard.database.read() as connection:
        (told,) = read_notices(connection, [(violation.id, "opened")], 10)
        (dispute,) = dispute_page(connection, DisputeQuery()).items
    assert (told.compressed_bytes, told.compressed_confidence) == (3 * MB, "disputed")
    assert (dispute.claimed_bytes, dispute.registry_bytes) == (1, 3 * MB)


async def test_a_layer_of_a_false_large_size_is_nobodys_violation(yard: Yard) -> None:
    judge_by(yard, max_compressed=MB)
    registry = FakeRegistry()
    await crawled(yard, registry)
    pusher = Pusher(yard, registry)
    huge = a_layer("huge", 2**44)
    registry.put(APP, "1.1", a_served_image(layers=[huge]))
    registry.lengths[huge.digest] = 3_000

    pusher.tell(a_push("1.1"))
    await pusher.handle()

    assert opened(yard) == ()


async def test_what_is_not_answered_in_time_is_judged_by_its_claim_and_again(
    yard: Yard,
) -> None:
    judge_by(yard, max_compressed=MB)
    registry = Slow()
    registry.may_answer.set()
    await crawled(yard, registry)
    registry.may_answer.clear()
    pusher = Pusher(yard, registry, word_within_s=0.05)
    claims = a_layer("claims", 2 * MB)
    registry.put(APP, "1.1", a_served_image(layers=[claims]))
    registry.lengths[claims.digest] = 5 * MB

    pusher.tell(a_push("1.1"))
    looking = asyncio.create_task(pusher.handle())
    await wait_until(lambda: bool(pusher.judged), "the verdict")
    (before,) = opened(yard)
    registry.may_answer.set()
    await looking

    assert (before.amount, before.compressed_confidence) == (2 * MB, "claimed")
    (after,) = opened(yard)
    assert (after.amount, after.compressed_confidence) == (5 * MB, "disputed")
    assert after.id == before.id


async def test_the_repository_is_shown_with_what_is_known_after_the_verdict(
    yard: Yard,
) -> None:
    judge_by(yard, max_compressed=MB)
    registry = Slow()
    registry.may_answer.set()
    await crawled(yard, registry)
    registry.may_answer.clear()
    pusher = Pusher(yard, registry, word_within_s=0.05)
    claims = a_layer("claims", 2**44)
    registry.put(APP, "1.1", a_served_image(layers=[claims]))
    registry.lengths[claims.digest] = 5 * MB

    pusher.tell(a_push("1.1"))
    looking = asyncio.create_task(pusher.handle())
    await wait_until(lambda: bool(pusher.judged), "the verdict")
    registry.may_answer.set()
    await looking

    shown = yard.repository(APP)
    assert shown.newest_compressed_bytes == 5 * MB
    assert shown.largest_compressed_bytes == 5 * MB
    assert shown.heaviest_compressed_bytes == 5 * MB


async def test_a_word_that_comes_by_another_repository_leaves_no_wrong_row(
    yard: Yard,
) -> None:
    judge_by(yard, max_compressed=MB)
    registry = Slow()
    registry.may_answer.set()
    other = a_layer("other", 900)
    registry.put("acme/web", "1.0", a_served_image(layers=[other]))
    await crawled(yard, registry)
    pusher = Pusher(yard, registry, word_within_s=0.05)
    error = TransportError("timeout", code="timeout", retryable=True)
    registry.breaks["get_range", LYING.digest] = error
    registry.put("acme/web", "1.1", a_served_image(layers=[other, LYING]))
    pusher.tell(a_push("1.1", repository="acme/web"))
    await pusher.handle("acme/web")
    assert yard.repository("acme/web").heaviest_compressed_bytes == 900

    del registry.breaks["get_range", LYING.digest]
    registry.put(APP, "1.1", LIAR)
    registry.lengths[LYING.digest] = 3 * MB
    pusher.tell(a_push("1.1"))
    await pusher.handle()

    assert [v.amount for v in opened(yard)] == [3 * MB]
    assert list(verify(yard.database, {}, yard.now, lambda *_: None)) == []


async def test_a_claim_that_turns_out_to_be_too_large_ends_its_violation(
    yard: Yard,
) -> None:
    judge_by(yard, max_compressed=MB)
    registry = Slow()
    registry.may_answer.set()
    await crawled(yard, registry)
    registry.may_answer.clear()
    pusher = Pusher(yard, registry, word_within_s=0.05)
    claims = a_layer("claims", 2 * MB)
    registry.put(APP, "1.1", a_served_image(layers=[claims]))
    registry.lengths[claims.digest] = 5_000

    pusher.tell(a_push("1.1"))
    looking = asyncio.create_task(pusher.handle())
    await wait_until(lambda: bool(pusher.judged), "the verdict")
    registry.may_answer.set()
    await looking

    assert opened(yard) == ()
    with yard.database.read() as connection:
        ends = connection.execute(select(violations.c.closed_at)).scalars().all()
    assert len(ends) == 1


async def test_a_push_of_known_layers_asks_for_none_of_them(yard: Yard) -> None:
    judge_by(yard, max_compressed=MB)
    registry = FakeRegistry()
    await crawled(yard, registry)
    asked = registry.count("get_range") + registry.count("blob_length")
    pusher = Pusher(yard, registry)
    again = a_served_image(
        layers=[a_layer("first", 900)], platform=Platform("linux", "arm64")
    )
    registry.put(APP, "1.1", again)

    pusher.tell(a_push("1.1"))
    await pusher.handle()

    assert registry.count("get_range") + registry.count("blob_length") == asked
    assert pusher.outcomes == ["new"]


async def test_a_layer_that_a_neighbour_called_foreign_is_asked_for_at_its_push(
    yard: Yard,
) -> None:
    judge_by(yard, max_compressed=MB)
    registry = FakeRegistry()
    elsewhere = LYING._replace(is_foreign=True)
    registry.put("evil/x", "1", a_served_image(layers=[elsewhere]))
    await crawled(yard, registry)
    pusher = Pusher(yard, registry)
    registry.put(APP, "1.1", LIAR)
    registry.lengths[LYING.digest] = 3 * MB

    pusher.tell(a_push("1.1"))
    await pusher.handle()

    (violation,) = opened(yard)
    assert (violation.amount, violation.compressed_confidence) == (3 * MB, "disputed")
    assert [judged.verdict for judged in pusher.judged] == ["warn"]


@pytest.mark.parametrize("lie", [ZSTD_LAYER, f"{GZIP_LAYER}+encrypted"])
async def test_a_neighbours_media_type_hides_no_size_on_disk_from_a_push(
    yard: Yard, lie: str
) -> None:
    content = bytes(200 * 512)
    blob = gzip.compress(content)
    policy = a_policy("room", max_uncompressed=50_000)
    yard.judging = Judging(PolicySet((policy,)), tell=Told())
    registry = FakeRegistry(blobs={digest_of(blob): blob})
    layer = Layer(GZIP_LAYER, digest_of(blob), len(blob))
    evil = layer._replace(media_type=lie)
    registry.put("evil/x", "1", a_served_image(layers=[evil, a_layer("own", 1)]))
    await crawled(yard, registry)
    pusher = Pusher(yard, registry)
    registry.put(APP, "1.1", a_served_image(layers=[layer]))

    pusher.tell(a_push("1.1"))
    await pusher.handle()

    (violation,) = [one for one in opened(yard) if one.repository == APP]
    assert violation.amount == len(content)
