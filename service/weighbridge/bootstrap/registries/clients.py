"""Registry clients: address class, credentials, transport, and the gates that pace
them.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from weighbridge.bootstrap.kinds import KINDS
from weighbridge.bootstrap.registries.found_kinds import find_kind, told_of
from weighbridge.bootstrap.registries.logins import NO_LOGIN, TargetLogin, find_login
from weighbridge.bootstrap.registries.targets import (
    AddressAccess,
    Target,
    address_of,
    alike,
    kind_of,
    prefixes_beside,
)
from weighbridge.config import Settings
from weighbridge.config.settings import Pace
from weighbridge.domain.image.document import Problem
from weighbridge.domain.registry.found_kind import FoundKind
from weighbridge.domain.registry.listing import main_url
from weighbridge.net.guard.addresses import (
    Reach,
    Resolver,
    SystemResolver,
    checked,
    classify,
    reach_of_host,
)
from weighbridge.net.proxy.tunnel import proxy_of
from weighbridge.ports.protocols import Pacing, Registry
from weighbridge.registry.client import RegistryClient
from weighbridge.registry.exchange.endpoint import Endpoint, KindAccess
from weighbridge.registry.kinds.kind_table import REGISTRY_KINDS
from weighbridge.registry.pacing.rate_limiter import Clock, RateLimiter
from weighbridge.registry.recognition import Recognised, recognise
from weighbridge.telemetry import Telemetry

if TYPE_CHECKING:
    from weighbridge.store.session import Database

SharedPace: TypeAlias = Callable[[str, Pace], Pacing]
"""What is shared with other processes, by the registry's name and its limits."""


class Limited(Struct, frozen=True):
    """What the limits are of: a registry, as it sees us.

    name:   the first of the entries that name this address with this credential
    access: of an address that is not configured
    pace:   the lowest limits of these entries
    """

    name: str
    url: str
    access: AddressAccess
    pace: Pace


def limited(settings: Settings, target: Target, *, loopback: bool) -> Limited:
    """What asking this target is limited by. Several entries with the same address and
    credential are one client for the registry, and so for the limits."""
    entries = alike(settings, target)
    paces = [settings.pace_of(e, loopback=loopback) for e in entries]
    if not entries:
        pace = settings.pace_of(None, loopback=loopback)
        return Limited(target.name, target.url, target.access, pace)
    rates = [p.requests_per_second for p in paces if p.requests_per_second is not None]
    pace = Pace(min(rates, default=None), min(p.concurrency for p in paces))
    return Limited(entries[0].name, entries[0].url, target.access, pace)


class RateLimiters:
    """They live as long as the process, so that a client that is opened anew does not
    forget what the registry asked for."""

    def __init__(self, shared: SharedPace | None = None) -> None:
        self._shared = shared
        self._gates: dict[tuple[str, str, AddressAccess, str], RateLimiter] = {}

    def of(
        self,
        of: Limited,
        clock: Clock,
        part: str = "",
        most_per_second: float | None = None,
    ) -> RateLimiter:
        """The gate of all clients with these limits.

        part: of a registry that has several, each with its own limits
        most_per_second: what its operator allows at most; None: nothing is known
        """
        key = (of.name, of.url, of.access, part)
        gate = self._gates.get(key)
        if gate is None:
            # No registry's name holds a colon.
            name = f"{of.name}:{part}" if part else of.name
            pace = _at_most(of.pace, most_per_second)
            gate = self._gates[key] = RateLimiter(
                concurrency=pace.concurrency,
                requests_per_second=pace.requests_per_second,
                clock=clock,
                pacing=None if self._shared is None else self._shared(name, pace),
            )
        return gate


def _at_most(pace: Pace, most_per_second: float | None) -> Pace:
    rates = [r for r in (pace.requests_per_second, most_per_second) if r is not None]
    return replace(pace, requests_per_second=min(rates, default=None))


_REACH: Final[Mapping[str, Reach]] = {
    "public": Reach.PUBLIC,
    "private": Reach.PRIVATE,
    "loopback": Reach.LOOPBACK,
}


class OpenClient(Struct, frozen=True):
    """An open client.

    seen:     the class of its own address, to be remembered; None if its name could
              not be resolved
    warnings: what is to be said about its credentials and its kind
    ping:     ask whether it is there and lets us in; raises as the others do
    found:    what it was found to be; None where that is written or not known
    login:    who asks, and by which files
    asks_as:  whose credential it asks for by itself, "" where it does not
    """

    registry: Registry
    seen: Reach | None
    warnings: tuple[Problem, ...]
    ping: Callable[[], Awaitable[None]]
    found: FoundKind | None = None
    login: TargetLogin = NO_LOGIN
    asks_as: Callable[[], str] = str


@asynccontextmanager
async def registry_client(
    settings: Settings,
    target: Target,
    telemetry: Telemetry,
    *,
    database: "Database | None" = None,
    docker_config: Path | None = None,
    keeps_quota: bool = True,
    gates: RateLimiters | None = None,
    asks_kind: bool = False,
    on_certificate: Callable[[datetime], None] | None = None,
) -> AsyncIterator[OpenClient]:
    """A client for one registry, closed at the end of the block.

    keeps_quota: whether `limits.keep_quota` holds; not for one image that a person asks
                 about
    gates:       what is shared with other clients of the same registry; None: nothing
    asks_kind:   whether it is asked what kind it is, where nobody has written it and
                 nothing is stored; else it is spoken to by the specification then
    on_certificate: told until when each certificate holds that is met
    """
    seen = await find_reach(target, database)
    # In a thread: a credential helper may take seconds.
    login = await asyncio.to_thread(find_login, target, docker_config)
    # A name without an address is held to the most careful class.
    ceiling = seen or Reach.PUBLIC
    limits = limited(settings, target, loopback=ceiling is Reach.LOOPBACK)
    endpoint = _endpoint(target, ceiling, login, limits.pace)
    endpoint = replace(endpoint, others=prefixes_beside(settings, target))
    clock, configured = Clock(), target.settings
    gate_of = partial((gates or RateLimiters()).of, limits, clock)
    access = KindAccess(
        telemetry,
        clock,
        gate_of,
        keep_quota=settings.keep_quota_of(configured) if keeps_quota else 0.0,
        settings=configured,
        on_certificate=on_certificate,
    )
    endpoint = replace(endpoint, gate=gate_of())
    ask = partial(shown_kind, endpoint, access) if asks_kind else None
    finding = await find_kind(target, database, ask)
    found = None if finding is None else finding.found
    if finding is not None:
        access = replace(access, settings=finding.settings)
    kind = REGISTRY_KINDS[kind_of(target) if found is None else found.kind]
    registry = kind.open(endpoint, access)
    warnings = login.warnings + told_of(found)
    try:
        yield OpenClient(
            registry,
            seen,
            warnings,
            registry.ping,
            found,
            login,
            lambda: registry.asks_as,
        )
    finally:
        await registry.aclose()


async def shown_kind(endpoint: Endpoint, access: KindAccess) -> Recognised:
    """What a registry's answers to somebody without credentials show it to be. Raises
    TransportError, RegistryError."""
    anybody = replace(endpoint, credential=None, login=None)
    connections = access.connections(anybody)
    client = RegistryClient(anybody, connections, access.telemetry, access.clock)
    signs = {name: kind.signs for name, kind in REGISTRY_KINDS.items()}
    try:
        return await recognise(client, anybody.url, signs)
    finally:
        await client.aclose()


def _endpoint(
    target: Target, ceiling: Reach, login: TargetLogin, pace: Pace
) -> Endpoint:
    configured = target.settings
    endpoint = Endpoint(
        name=target.name,
        url=main_url(target.url, KINDS.hosts),
        ceiling=ceiling,
        credential=login.credential,
        login=login.source,
        requests_per_second=pace.requests_per_second,
        concurrency=pace.concurrency,
    )
    if configured is None:
        return replace(endpoint, ca_file=target.access.ca_file)
    return replace(
        endpoint,
        trusted_realm_hosts=frozenset(configured.trusted_realm_hosts),
        trusted_storage_hosts=frozenset(configured.trusted_storage_hosts),
        ca_file=None if configured.ca_file is None else str(configured.ca_file),
        proxy=proxy_of(configured.proxy),
    )


async def find_reach(
    target: Target, database: "Database | None", *, resolver: Resolver | None = None
) -> Reach | None:
    """The class of the registry's address: the most private one that anything it
    says may lead us to.

    The key `address_class` wins; a literal or `localhost` says it itself; for a
    name it is the class that was seen first, kept with the registry's URL. None for
    a name that has no address now. Of a name with addresses of several classes it is
    the least private one: whoever answers for the name must not open our network by
    adding an address to its own.
    """
    configured = target.settings
    if configured is not None and configured.address_class is not None:
        return _REACH[configured.address_class]
    host, port = _host_and_port(target.url)
    literal = reach_of_host(host)
    if literal is not None:
        return literal
    if configured is not None and configured.proxy is not None:
        # The proxy looks it up, and what a look-up here brings says nothing of that.
        return None
    if database is not None:
        # In a thread: what else is served meanwhile does not wait for the database.
        stored = await asyncio.to_thread(_stored_reach, target, database)
        if stored is not None:
            return stored
    system = SystemResolver()
    try:
        async with asyncio.timeout(5):
            addresses = await checked(resolver or system, host, port, Reach.LOOPBACK)
    except (OSError, TimeoutError):
        return None
    finally:
        system.close()
    return min(classify(str(address.ip)) for address in addresses)


def _stored_reach(target: Target, database: "Database") -> Reach | None:
    """What was seen of this very address: under the same name another host may have
    been."""
    # Imported late: SQL takes half a second to load, and a weighing without a
    # database never comes here.
    from weighbridge.store.connection.deadlines import OPENING_S, within
    from weighbridge.store.registries.registry_rows import find_address_class

    with within(OPENING_S), database.read() as connection:
        stored = find_address_class(connection, address_of(target.url))
    return None if stored is None else _REACH[stored]


def _host_and_port(url: str) -> tuple[str, int]:
    scheme, _, rest = url.partition("://")
    authority = rest.partition("/")[0]
    host, _, port = authority.rpartition(":")
    if not host or authority.endswith("]"):
        return authority.strip("[]"), 443 if scheme == "https" else 80
    return host.strip("[]"), int(port)
