"""Bytes of documents have one budget, and nobody waits for it for ever."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from support.fake_registry import FakeRegistry
from support.images import (
    a_digest,
    a_manifest,
    a_served_image,
    an_index,
    some_layers,
)
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.document import Document
from weighbridge.domain.limits import USUAL_DOCUMENT_BYTES
from weighbridge.engine.crawl.registry.discover_job import NameSet
from weighbridge.engine.documents.document_reader import Reader
from weighbridge.engine.documents.reading import (
    InFlight,
    KnownDigests,
    kept_bytes,
    nothing_known,
)

TURNS = 5
"""Of the event loop: whatever can go on has gone on by then."""


async def turns() -> None:
    for _ in range(TURNS):
        await asyncio.sleep(0)


class Line:
    """Who is let in, in their order."""

    def __init__(self, budget: InFlight) -> None:
        self.inside: list[str] = []
        self._budget = budget
        self._ends: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def enter(self, name: str, size: int, *, is_of_begun: bool = False) -> None:
        self._ends[name] = asyncio.Event()

        async def stay() -> None:
            async with self._budget.transfer(size, is_of_begun=is_of_begun):
                self.inside.append(name)
                await self._ends[name].wait()

        self._tasks[name] = asyncio.create_task(stay())
        await turns()

    async def leave(self, name: str) -> None:
        self._ends[name].set()
        await self._tasks[name]
        await turns()

    async def give_up(self, name: str) -> None:
        self._tasks[name].cancel()
        await turns()


async def test_a_document_waits_until_there_is_room_for_it() -> None:
    line = Line(InFlight(100))
    await line.enter("first", 60)
    await line.enter("second", 60)
    await line.enter("third", 10)

    assert line.inside == ["first"]
    await line.leave("first")
    assert line.inside == ["first", "second", "third"]


async def test_what_ends_something_begun_comes_before_what_begins() -> None:
    line = Line(InFlight(100))
    await line.enter("first", 100)
    await line.enter("manifest", 50)
    await line.enter("config", 60, is_of_begun=True)

    await line.leave("first")

    assert line.inside == ["first", "config"]


async def test_who_gives_up_waiting_holds_up_nobody() -> None:
    line = Line(InFlight(100))
    await line.enter("first", 60)
    await line.enter("large", 90)
    await line.enter("small", 10)

    await line.give_up("large")

    assert line.inside == ["first", "small"]


async def test_one_goes_on_where_only_what_is_unfinished_takes_the_room() -> None:
    budget = InFlight(100)
    line = Line(budget)
    budget.hold(500)

    await line.enter("first", 60)
    await line.enter("second", 60)

    assert line.inside == ["first"]


async def test_nobody_goes_on_while_what_takes_the_room_is_being_stored() -> None:
    budget = InFlight(100)
    line = Line(budget)
    budget.hold(500, is_done=True)

    await line.enter("first", 60)

    assert line.inside == []
    budget.release(500, is_done=True)
    await turns()
    assert line.inside == ["first"]


async def test_an_ordinary_tag_costs_a_manifest_and_a_config() -> None:
    registry = FakeRegistry()
    registry.put("app", "1", a_served_image(some_layers(*range(1, 30))))

    await Reader(registry, KnownDigests(nothing_known)).read("app", "1")

    assert registry.cost.requests == 2


async def test_a_manifest_longer_than_usual_is_asked_for_twice_and_read() -> None:
    registry = FakeRegistry()
    padded = a_manifest(annotations={"pad": "x" * USUAL_DOCUMENT_BYTES})
    registry.put("app", "1", padded)

    reading = await Reader(registry, KnownDigests(nothing_known)).read("app", "1")

    assert registry.asked["get_manifest", "1"] == 2
    assert [d.digest for d in reading.documents] == [padded.digest]


async def test_what_is_read_of_an_index_is_stored_early_where_much_is_held() -> None:
    registry, kept = FakeRegistry(), list[Digest]()
    images = [a_served_image(some_layers(1, name=f"{n}")) for n in range(20)]
    registry.hold(*images)
    index = registry.put("app", "1", an_index([i.manifest for i in images]))

    async def keep(
        documents: Sequence[Document], missing: Mapping[Digest, str]
    ) -> None:
        kept.extend(document.digest for document in documents)

    budget = InFlight(10_000)
    known = KnownDigests(nothing_known)
    reader = Reader(registry, known, keep_early=keep, in_flight=budget)

    reading = await reader.read("app", "1")

    left = [document.digest for document in reading.documents]
    assert index in left
    assert kept_bytes(reading.documents) < 25_000
    assert sorted({*left, *kept}) == sorted(
        [index, *(i.manifest.digest for i in images)]
    )


@pytest.mark.parametrize("stores", [True, False])
async def test_many_indexes_that_share_children_end_within_a_tiny_budget(
    stores: bool,
) -> None:
    registry = FakeRegistry()
    images = [a_served_image(some_layers(1, name=f"{n}")) for n in range(30)]
    registry.hold(*images)
    for tag in range(20):
        entries = [image.manifest for image in images[tag : tag + 10]]
        registry.put("app", f"{tag}", an_index(entries))

    async def keep(
        documents: Sequence[Document], missing: Mapping[Digest, str]
    ) -> None:
        await asyncio.sleep(0)

    budget = InFlight(100)
    known = KnownDigests(nothing_known)
    reader = Reader(
        registry, known, keep_early=keep if stores else None, in_flight=budget
    )

    async with asyncio.timeout(20):
        found = await asyncio.gather(*(reader.read("app", f"{t}") for t in range(20)))

    assert all(not reading.missing for reading in found)
    assert await _is_empty(budget)


async def _is_empty(budget: InFlight) -> bool:
    """Whether all of it was given back."""
    line = Line(budget)
    await line.enter("whole", 100)
    await line.enter("more", 1)
    return line.inside == ["whole"] and not budget.is_tight


def test_a_set_of_names_knows_those_that_were_added_and_no_others() -> None:
    names = NameSet()
    assert not names
    for start in range(0, 120_000, 10_000):
        names.update(f"team/{n}" for n in range(start, start + 10_000))

    assert names
    assert all(f"team/{n}" in names for n in range(0, 120_000, 7))
    assert not any(f"team/{n}" in names for n in range(120_000, 130_000))
    assert a_digest() not in names
