"""A registry as jobs know it, and what a job names of it.

Whoever can write to Redis can send any message. So it carries names only, and what is
not known here is dropped: no message makes a worker ask a strange host.
"""

from collections.abc import Callable
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from weighbridge.domain.image.platform import DEFAULT, Platform
from weighbridge.domain.image.reference import is_repository_name
from weighbridge.errors import JobDropped
from weighbridge.net.guard.addresses import Reach
from weighbridge.store.registries.registry_rows import RegistryEntry


def _everything(name: str) -> bool:
    return True


class Scope(Struct, frozen=True):
    """What of a registry is crawled.

    wants_repository, wants_tag: the include and exclude patterns
    always: names to crawl even where the catalog does not list them
    only:   exactly these repositories, without discovery; None for all
    """

    wants_repository: Callable[[str], bool] = _everything
    wants_tag: Callable[[str], bool] = _everything
    always: tuple[str, ...] = ()
    only: tuple[str, ...] | None = None
    platforms: tuple[Platform, ...] = (DEFAULT,)

    def includes(self, name: str) -> bool:
        """Whether a crawl crawls a repository of this name, once it knows it."""
        if self.only is not None:
            return name in self.only
        return name in self.always or self.wants_repository(name)


class Site(Struct, frozen=True):
    """A registry that is configured, or whose address a person gave.

    registered: its row, as far as the configuration says it
    scope:      what of it is crawled
    """

    registered: RegistryEntry
    scope: Scope

    @property
    def name(self) -> str:
        return self.registered.name

    @property
    def interval_s(self) -> int:
        return self.registered.interval_s

    def entry(self, seen: Reach | None) -> RegistryEntry:
        """Its row; `seen`: the class of its address, None where that is not known."""
        if seen is None:
            return self.registered
        return replace(self.registered, address_class=seen.name.lower())


Sites: TypeAlias = Callable[[str], Site | None]
"""The registry of a name; None: it is not known here."""


class JobTarget(Struct, frozen=True):
    """What a job is about. `repository`: "" for the whole registry."""

    site: Site
    repository: str = ""

    @property
    def name(self) -> str:
        """As the argument of a job."""
        if not self.repository:
            return self.site.name
        return f"{self.site.name}/{self.repository}"


def asked_registry(sites: Sites, argument: str) -> Site:
    """`name`. Raises JobDropped(unknown_registry)."""
    site = sites(argument)
    if site is None:
        raise JobDropped(
            "a message names a registry that is not configured here",
            code="unknown_registry",
        )
    return site


def asked_repository(sites: Sites, argument: str) -> JobTarget:
    """`name/repository`. Raises JobDropped(unknown_registry, outside_filter)."""
    name, _, repository = argument.partition("/")
    site = asked_registry(sites, name)
    if not is_repository_name(repository) or not site.scope.includes(repository):
        raise JobDropped(
            "a message names a repository that is not to be crawled",
            code="outside_filter",
        )
    return JobTarget(site, repository)
