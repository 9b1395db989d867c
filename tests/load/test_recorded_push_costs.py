"""125,104 recorded updates of Docker official images, each told of by a webhook and
handled as such: what one costs does not grow with what is known already.

On PostgreSQL the first 30,000. The registry answers from memory: what it takes is the
same for the last push as for the first.
"""

import asyncio
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from statistics import median

import pytest
from sqlalchemy import func, select

from support.crawling import Yard
from support.database import Engine, a_database
from support.fake_registry import FakeRegistry
from support.images import Served, ServedImage, a_config, a_manifest, an_index
from support.push_world import Pusher, a_push
from support.replica.pushes import RecordedLook, recorded_looks
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.document import Document, Image, Index
from weighbridge.domain.image.platform import DEFAULT
from weighbridge.domain.policy.policy import DEFAULT_POLICY, PolicySet
from weighbridge.engine.judge.judged_batch import Judging
from weighbridge.store.maintenance.checking.verify import verify
from weighbridge.store.models import pushes, violations

pytestmark = pytest.mark.timeout(4 * 3_600)
THOUSAND = 1_000
UPDATES = {
    "sqlite": int(os.environ.get("WEIGHBRIDGE_UPDATES", "125104")),
    "postgresql": 30_000,
}


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one webhook's look: tags that it was about, rows, seconds of CPU."""

    tags: int
    rows: int
    seconds: float


@dataclass(slots=True)
class Replayed:
    yard: Yard
    costs: list[Cost] = field(default_factory=list)

    def thousands(self) -> list[list[Cost]]:
        """Looks that about 1,000 updates each came in, in their order."""
        parts: list[list[Cost]] = [[]]
        for cost in self.costs:
            if sum(one.tags for one in parts[-1]) >= THOUSAND:
                parts.append([])
            parts[-1].append(cost)
        return parts[:-1] if len(parts) > 1 else parts


@pytest.fixture(scope="module")
def replayed(
    tmp_path_factory: pytest.TempPathFactory, engine: Engine
) -> Iterator[Replayed]:
    with a_database(tmp_path_factory.mktemp(engine), engine) as database:
        done = Replayed(Yard(database, judging=Judging(PolicySet([DEFAULT_POLICY]))))
        asyncio.run(_replay(done, UPDATES[engine]))
        yield done


def test_a_push_writes_as_many_rows_after_all_as_before(replayed: Replayed) -> None:
    thousands = replayed.thousands()
    rows = [sum(c.rows for c in part) / sum(c.tags for c in part) for part in thousands]
    seconds = [
        sum(c.seconds for c in part) / sum(c.tags for c in part) for part in thousands
    ]

    fifth = max(len(thousands) // 5, 1)
    print(
        f"\n{sum(c.tags for c in replayed.costs):,} updates;"
        f" rows an update: {' '.join(f'{n:.1f}' for n in rows[::fifth])}, last"
        f" {rows[-1]:.1f}; ms of CPU an update:"
        f" {' '.join(f'{1000 * n:.2f}' for n in seconds[::fifth])}, last"
        f" {1000 * seconds[-1]:.2f}; last to first {seconds[-1] / seconds[0]:.2f}"
    )
    assert rows[-1] < 2 * median(rows[: max(fifth, 1)])
    assert seconds[-1] < 1.5 * seconds[0]


def test_all_pushes_were_handled(replayed: Replayed) -> None:
    with replayed.yard.database.read() as connection:
        waiting = connection.execute(
            select(func.count()).where(pushes.c.done_at.is_(None))
        ).scalar_one()

    assert waiting == 0


def test_what_has_grown_has_a_cause(replayed: Replayed) -> None:
    with replayed.yard.database.read() as connection:
        found, named = connection.execute(
            select(func.count(), func.count(violations.c.cause)).where(
                violations.c.limit_key == "max_growth"
            )
        ).one()

    print(f"\n{found:,} violations of growth, {named:,} with a cause")
    assert found == named > 0


def test_nothing_differs_at_the_end(replayed: Replayed) -> None:
    yard = replayed.yard

    found = [
        str(one)
        for one in verify(
            yard.database, {yard.entry.name: (DEFAULT,)}, yard.now, lambda *_: None
        )
    ]

    assert found == []


def _put(registry: FakeRegistry, look: RecordedLook) -> None:
    """Serve what was found: recorded layers, and documents that are made up."""
    served = {image.digest: _served(image) for image in look.children}
    registry.hold(*served.values())
    for tag, document in look.tags.items():
        registry.put(look.repository, tag, _document(document, served))


def _document(
    document: Document, children: Mapping[Digest, ServedImage]
) -> ServedImage | Served:
    if isinstance(document, Image):
        return _served(document)
    assert isinstance(document, Index)
    listed = [children[c.descriptor.digest].manifest for c in document.children]
    # Two that list the same images were two all the same.
    return an_index(listed, annotations={"recorded.as": document.digest})


def _served(image: Image) -> ServedImage:
    created = image.created_at.isoformat() if image.created_at else None
    config = a_config(
        len(image.layers),
        platform=image.platform,
        created=created,
        history=[],
        config={"Labels": {"recorded.as": image.digest}},
    )
    return ServedImage(a_manifest(image.layers, config), config, image.layers)


async def _replay(done: Replayed, most: int) -> None:
    yard, registry = done.yard, FakeRegistry()
    pusher = Pusher(yard, registry)
    updates = 0
    yard.now = datetime(2016, 1, 1, tzinfo=UTC)
    for look in recorded_looks(every_platform=True):
        if not look.tags:
            continue
        if updates >= most:
            break
        updates += len(look.tags)
        _put(registry, look)
        yard.now = max(yard.now, look.at)
        with yard.counted_rows() as rows:
            pusher.tell(
                *(
                    a_push(tag, repository=look.repository, pushed_at=look.at)
                    for tag in look.tags
                )
            )
            began = time.process_time()
            await pusher.handle(look.repository)
            seconds = time.process_time() - began
        done.costs.append(Cost(len(look.tags), sum(rows), seconds))
    assert updates >= most - 100, f"only {updates}"
    # Events that came too soon after others have waited for this.
    yard.now += timedelta(hours=1)
    for repository in registry.tags_by_repository:
        await pusher.handle(repository)
