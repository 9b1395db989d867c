"""What is configured, or asked for by a person or a program, as the engine knows it,
and the clients of these registries, which outlive a job so that their connections do.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final, TypeAlias

from msgspec import Struct

from weighbridge.bootstrap.kinds import KINDS
from weighbridge.bootstrap.registries.clients import (
    OpenClient,
    RateLimiters,
    registry_client,
)
from weighbridge.bootstrap.registries.targets import (
    AddressAccess,
    Target,
    base_repositories,
    find_targets,
    is_left_to_us,
    kind_of,
    refuse_several,
)
from weighbridge.config import Settings
from weighbridge.domain.registry.listing import main_url
from weighbridge.domain.text.globs import matches
from weighbridge.engine.context.parts import JobTarget, Scope, Site
from weighbridge.errors import UsageError
from weighbridge.net.guard.addresses import Reach
from weighbridge.registry.kinds.kind_table import REGISTRY_KINDS
from weighbridge.store.registries.registry_rows import RegistryEntry
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry

RENEW_S: Final = 300.0
"""A client that is older is not given to anybody any more: its password and the
registry's address may have changed since."""

_Key: TypeAlias = tuple[str, str, AddressAccess]


class _KeptClient(Struct):
    connected: OpenClient
    opened: AsyncExitStack
    since: float
    users: int = 0
    is_replaced: bool = False


class KeptClients:
    """One client for each registry of one event loop, for all that asks it.

    Clients of entries with the same address and credential share one gate, and so does
    a client with the one that it replaces.

    gates: where their limits are; None: of this process alone
    docker_config: where `docker login` keeps logins; None: where it does by default
    opened: opens a client, `registry_client`
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        telemetry: Telemetry,
        *,
        gates: RateLimiters | None = None,
        docker_config: Path | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        opened: Callable[
            ..., AbstractAsyncContextManager[OpenClient]
        ] = registry_client,
    ) -> None:
        self._settings = settings
        self._database = database
        self._telemetry = telemetry
        self._gates = RateLimiters() if gates is None else gates
        self._docker_config = docker_config
        self._monotonic = monotonic
        self._opened = opened
        self._kept: dict[_Key, _KeptClient] = {}
        self._opening: defaultdict[_Key, asyncio.Lock] = defaultdict(asyncio.Lock)

    @asynccontextmanager
    async def use(self, target: Target) -> AsyncIterator[OpenClient]:
        """The registry's client, which nobody closes while the block lasts.

        Raises ConfigError where its password cannot be read."""
        kept = await self._taken(target)
        try:
            yield kept.connected
        finally:
            kept.users -= 1
            if kept.is_replaced and not kept.users:
                await kept.opened.aclose()

    async def aclose(self) -> None:
        """Close them all."""
        kept, self._kept = self._kept, {}
        for client in kept.values():
            await client.opened.aclose()

    async def _taken(self, target: Target) -> _KeptClient:
        """One that is young enough, with one user more. Who uses an older one goes on
        with it to the end."""
        key = (target.name, target.url, target.access)
        # Of those who find none, one opens it and the others wait.
        async with self._opening[key]:
            kept = self._kept.get(key)
            if kept is None or self._is_old(kept):
                kept = await self._open(target)
                before = self._kept.get(key)
                self._kept[key] = kept
                if before is not None:
                    await self._leave(before)
            kept.users += 1
        await self._close_unused()
        return kept

    async def _close_unused(self) -> None:
        """What nobody has used for long: connections are not kept for ever."""
        for key, kept in list(self._kept.items()):
            if not kept.users and self._is_aged(kept):
                self._kept.pop(key)
                await self._leave(kept)

    async def _leave(self, kept: _KeptClient) -> None:
        """Give it to nobody any more; its last user closes it."""
        kept.is_replaced = True
        if not kept.users:
            await kept.opened.aclose()

    def _is_old(self, kept: _KeptClient) -> bool:
        """Whether it is not given out any more: one of its files has been replaced, or
        it has lived for long."""
        return self._is_aged(kept) or kept.connected.login.seen.have_changed()

    def _is_aged(self, kept: _KeptClient) -> bool:
        return self._monotonic() - kept.since > RENEW_S

    async def _open(self, target: Target) -> _KeptClient:
        stack = AsyncExitStack()
        connected = await stack.enter_async_context(
            self._opened(
                self._settings,
                target,
                self._telemetry,
                database=self._database,
                docker_config=self._docker_config,
                gates=self._gates,
                asks_kind=True,
            )
        )
        return _KeptClient(connected, stack, self._monotonic())


def configured_targets(settings: Settings) -> list[Target]:
    """Every registry that is configured."""
    return [Target(r.name, r.url, r) for r in settings.registries]


def site_of(settings: Settings, target: Target) -> Site:
    """A registry as jobs know it."""
    return Site(
        registry_entry(settings, target, None),
        scope_of(target),
        bases=base_repositories(settings).at.get(target.name, ()),
        seeds_when_asked="repositories" in settings.bases.model_fields_set,
    )


class SiteClients(Struct, frozen=True):
    """`engine.context.parts.Clients` over the clients of the process."""

    kept: KeptClients
    targets: Mapping[str, Target]

    def use(self, registry: str) -> AbstractAsyncContextManager[OpenClient]:
        """See `Clients`; the name is one of a site."""
        return self.kept.use(self.targets[registry])


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
        knows_kind=not is_left_to_us(target),
    )


def scope_of(target: Target) -> Scope:
    """What of a registry is crawled."""
    configured = target.settings
    if configured is None:
        return Scope(only=target.only)
    repositories = configured.wanted_repositories
    tags = configured.tags.patterns
    names = configured.named_repositories
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
    sites = {t.name: site_of(settings, t) for t in configured_targets(settings)}

    def find(text: str) -> JobTarget:
        name = text.partition("/")[0]
        refuse_several(settings, name)
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
