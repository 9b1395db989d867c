"""A registry that stops answering is left; what was known stays."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support.crawling import Yard, a_yard
from support.fake_registry import FakeRegistry
from support.images import a_served_image, some_layers
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.registry.listing import RepositoryListing
from weighbridge.engine.crawl.repository.ask_tags import SILENT_IN_A_ROW
from weighbridge.errors import (
    AddressRefused,
    RegistryError,
    TransportError,
    WeighbridgeError,
)

SILENCE = TransportError("nobody answers", code="connect_error")
TAGS = 40


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    with a_yard(tmp_path) as made:
        yield made


@dataclass
class FadingRegistry(FakeRegistry):
    """Its catalog is read twice; what follows is an error. Two are asked at once.

    catalogs: how often it was asked for
    """

    fades_with: WeighbridgeError | None = None
    catalogs: int = 0
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))

    async def repositories(self) -> AsyncIterator[RepositoryListing]:
        self.catalogs += 1
        if self.catalogs > 2 and self.fades_with is not None:
            raise self.fades_with
        yield RepositoryListing(tuple(sorted(self.tags_by_repository)))

    async def head_manifest(self, repository: str, reference: str) -> Digest | None:
        async with self.slots:
            await asyncio.sleep(0)
            return await super().head_manifest(repository, reference)


def fill(registry: FakeRegistry, repository: str) -> None:
    """Tags t00.. of an image each."""
    for number in range(TAGS):
        image = a_served_image(some_layers(1000 + number, name=str(number)))
        registry.put(repository, f"t{number:02}", image)


def filled(repository: str) -> FadingRegistry:
    registry = FadingRegistry()
    fill(registry, repository)
    return registry


def silence(registry: FakeRegistry, *numbers: int) -> None:
    """No answer to a HEAD of these tags, in any repository."""
    for number in numbers:
        registry.breaks["head_manifest", f"t{number:02}"] = SILENCE


async def test_f01_f02_tags_after_so_many_without_an_answer_are_not_asked(
    yard: Yard,
) -> None:
    registry = filled("shop/api")
    await yard.crawl(registry)
    before = yard.tags("shop/api")
    silence(registry, *range(TAGS))
    registry.asked.clear()

    await yard.crawl(registry)

    found = yard.repository("shop/api")
    assert (found.state, found.state_reason) == ("partial", "connect_error")
    # Two more may have been under way.
    assert registry.count("head_manifest") <= SILENT_IN_A_ROW + 2
    assert {n: t.digest for n, t in yard.tags("shop/api").items()} == {
        n: t.digest for n, t in before.items()
    }


async def test_one_tag_fewer_does_not_end_a_crawl(yard: Yard) -> None:
    registry = filled("shop/api")
    await yard.crawl(registry)
    silence(registry, *range(SILENT_IN_A_ROW - 1))
    registry.asked.clear()

    done = await yard.crawl(registry)

    assert registry.count("head_manifest") == TAGS
    assert done.state == "ok"


async def test_a_refused_address_is_no_silence(yard: Yard) -> None:
    registry = filled("shop/api")
    await yard.crawl(registry)
    refused = AddressRefused("storage is where nobody may go")
    for number in range(TAGS):
        registry.breaks["head_manifest", f"t{number:02}"] = refused
    registry.asked.clear()

    await yard.crawl(registry)

    assert registry.count("head_manifest") == TAGS


async def test_tags_that_never_answer_keep_no_other_from_being_asked(
    yard: Yard,
) -> None:
    registry = filled("shop/api")
    await yard.crawl(registry)
    silence(registry, *range(SILENT_IN_A_ROW))
    await yard.crawl(registry)
    registry.asked.clear()

    await yard.crawl(registry)

    # One of them has its turn to be asked by GET.
    asked = registry.count("head_manifest") + registry.count("get_manifest")
    assert asked == TAGS


@pytest.mark.parametrize(
    ("error", "state"),
    [
        pytest.param(SILENCE, "unreachable", id="f01 silence"),
        pytest.param(RegistryError("403", code="denied"), "ok", id="a refusal"),
        pytest.param(None, "ok", id="an answer"),
    ],
)
async def test_whether_it_is_there_at_all_is_asked_once_more(
    yard: Yard, error: WeighbridgeError | None, state: str
) -> None:
    registry = FadingRegistry(fades_with=error)
    fill(registry, "shop/api")
    await yard.crawl(registry)
    silence(registry, *range(TAGS))

    done = await yard.crawl(registry)

    assert done.state == state
    assert (done.partial, registry.catalogs) == (1, 3)


async def test_f01_one_tag_without_an_answer_at_the_end_is_enough_to_ask(
    yard: Yard,
) -> None:
    registry = FadingRegistry(fades_with=SILENCE)
    fill(registry, "shop/api")
    await yard.crawl(registry)
    silence(registry, TAGS - 1)

    done = await yard.crawl(registry)

    assert done.state == "unreachable"


async def test_who_answered_in_full_is_not_asked_once_more(yard: Yard) -> None:
    registry = FadingRegistry()
    fill(registry, "shop/api")

    await yard.crawl(registry)

    assert registry.catalogs == 1
