"""A registry whose repositories fail each in its own way, and crawls of it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from support.crawling import Yard
from support.fake_registry import FakeRegistry
from support.images import a_served_image, some_layers
from weighbridge.domain.registry.listing import RepositoryListing
from weighbridge.domain.report.inventory import RepositoryState
from weighbridge.engine.crawl_requests.crawl_report import RegistryCrawl
from weighbridge.errors import RegistryError, TransportError

REASONS: Final[dict[RepositoryState, str]] = {
    "partial": "registry_error",
    "missing": "name_unknown",
    "deleted": "name_unknown",
    "unauthorized": "denied",
    "unreachable": "connection_reset",
    "error": "registry_error",
}
"""What becomes of the repository `shop/STATE`, and why."""


@dataclass(slots=True)
class PhantomRegistry(FakeRegistry):
    """Its catalog goes on listing what it does not have, as docker-registry's does."""

    phantoms: tuple[str, ...] = ()

    async def repositories(self) -> AsyncIterator[RepositoryListing]:
        yield RepositoryListing((*sorted(self.tags_by_repository), *self.phantoms))


async def crawled_in_trouble(yard: Yard) -> RegistryCrawl:
    """A repository a state and one that is well, seen whole at first; the crawl an
    hour later, in which each meets its fate."""
    registry = PhantomRegistry()
    for state in (*REASONS, "ok"):
        image = a_served_image(some_layers(1000, 10, name=state))
        registry.put(f"shop/{state}", f"{state}-1", image)
    await yard.crawl(registry)

    for state in ("missing", "deleted"):
        del registry.tags_by_repository[f"shop/{state}"]
    registry.phantoms = ("shop/missing",)
    registry.breaks = {
        ("head_manifest", "partial-1"): _error("registry_error"),
        ("tags", "shop/unauthorized#0"): _error("denied"),
        ("tags", "shop/unreachable#0"): TransportError("", code="connection_reset"),
        ("tags", "shop/error#0"): _error("registry_error"),
    }
    return await yard.crawl(registry)


async def crawled_while_most_vanish(yard: Yard, count: int, left: int) -> RegistryCrawl:
    """A crawl of so many repositories, and one that finds only `left` of them."""
    registry = FakeRegistry()
    for number in range(count):
        image = a_served_image(some_layers(1000, 10, name=str(number)))
        registry.put(f"shop/r{number:03}", "1", image)
    await yard.crawl(registry)
    for name in sorted(registry.tags_by_repository)[left:]:
        del registry.tags_by_repository[name]
    return await yard.crawl(registry)


def _error(code: str) -> RegistryError:
    return RegistryError("the registry said no", code=code)
