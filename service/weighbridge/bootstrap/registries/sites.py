"""What is configured, or asked for by a person or a program, as the engine knows it."""

from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager

from msgspec import Struct

from weighbridge.bootstrap.kinds import KINDS
from weighbridge.bootstrap.registries.clients import OpenClient
from weighbridge.bootstrap.registries.kept_clients import KeptClients
from weighbridge.bootstrap.registries.targets import Target, find_targets, kind_of
from weighbridge.config import Settings
from weighbridge.domain.image.reference import is_repository_name
from weighbridge.domain.registry.listing import main_url
from weighbridge.domain.text.globs import matches
from weighbridge.engine.context.site import JobTarget, Scope, Site
from weighbridge.errors import UsageError
from weighbridge.net.guard.addresses import Reach
from weighbridge.registry.kinds.kind_table import REGISTRY_KINDS
from weighbridge.store.registries.registry_rows import RegistryEntry


def configured_targets(settings: Settings) -> list[Target]:
    """Every registry that is configured."""
    return [Target(r.name, r.url, r) for r in settings.registries]


def site_of(settings: Settings, target: Target) -> Site:
    """A registry as jobs know it."""
    return Site(registry_entry(settings, target, None), scope_of(target))


class Sites(Struct, frozen=True):
    """The registries that one process crawls, by name."""

    targets: dict[str, Target]
    sites: dict[str, Site]

    @staticmethod
    def of(settings: Settings, targets: Iterable[Target]) -> "Sites":
        found = {target.name: target for target in targets}
        return Sites(found, {n: site_of(settings, t) for n, t in found.items()})

    def find(self, name: str) -> Site | None:
        """See `engine.context.site.Sites`."""
        return self.sites.get(name)


class SiteClients(Struct, frozen=True):
    """`engine.context.parts.Clients` over the clients of the process."""

    kept: KeptClients
    targets: Callable[[str], Target | None]

    def use(self, registry: str) -> AbstractAsyncContextManager[OpenClient]:
        """See `Clients`; the name is one of a site."""
        target = self.targets(registry)
        assert target is not None, "a job is about a site"  # noqa: S101
        return self.kept.use(target)


def registry_entry(
    settings: Settings, target: Target, seen: Reach | None
) -> RegistryEntry:
    """The registry as the store keeps it."""
    configured = target.settings
    interval = settings.defaults.interval
    kind = kind_of(target)
    return RegistryEntry(
        name=target.name,
        kind=kind,
        url=target.url,
        storage_scope=REGISTRY_KINDS[kind].storage_scope,
        address_class=None if seen is None else seen.name.lower(),
        interval_s=settings.interval_of(configured) if configured else interval,
        configured=settings.names,
        main_url=main_url(target.url, KINDS.hosts),
    )


def scope_of(target: Target) -> Scope:
    """What of a registry is crawled."""
    configured = target.settings
    if configured is None:
        return Scope(only=target.only)
    repositories = configured.wanted_repositories
    tags = configured.tags.patterns
    names = tuple(n for n in repositories.include if is_repository_name(n))
    wanted = tuple(n for n in names if matches(repositories, n))
    # Where every pattern is a whole name there is nothing to discover; the catalog
    # of a large registry is slow, and not everybody may read it.
    is_listed = len(names) == len(repositories.include)
    return Scope(
        wants_repository=lambda name: matches(repositories, name),
        wants_tag=lambda name: matches(tags, name),
        always=wanted,
        only=wanted if is_listed and target.only is None else target.only,
        platforms=configured.platforms,
    )


def asked_targets(settings: Settings) -> Callable[[str], JobTarget]:
    """Finds what `name` or `name/repository` means. Addresses are not taken: nobody
    has us ask a strange host.

    It raises UsageError(registry_not_found, unknown_target, outside_filter).
    """
    sites = Sites.of(settings, configured_targets(settings)).sites

    def find(text: str) -> JobTarget:
        name = text.partition("/")[0]
        if name not in sites:
            known = ", ".join(sorted(sites)) or "none"
            raise UsageError(
                "no registry of this name is configured",
                code="registry_not_found",
                hint=f"configured: {known}",
            )
        (target,) = find_targets(settings, [text])
        asked = JobTarget(sites[name], target.only[0] if target.only else "")
        if asked.repository and not asked.site.scope.includes(asked.repository):
            raise UsageError(
                f"{asked.name} is left out by the configuration and is not crawled",
                code="outside_filter",
                hint=f"see `repositories` of the registry {name}",
            )
        return asked

    return find
