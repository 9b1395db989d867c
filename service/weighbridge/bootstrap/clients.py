"""Registry clients: address class, credentials, pace, transport."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from weighbridge.bootstrap.targets import Target
from weighbridge.config import Settings
from weighbridge.domain.document import Problem
from weighbridge.net.guard import Reach, checked, reach_of_host
from weighbridge.net.resolve import SystemResolver
from weighbridge.net.tls import client_tls
from weighbridge.net.transport import Transport
from weighbridge.registry.credentials import Credential
from weighbridge.registry.distribution import DistributionRegistry
from weighbridge.registry.docker_config import docker_config_credential
from weighbridge.registry.endpoint import Endpoint
from weighbridge.telemetry import Telemetry

if TYPE_CHECKING:
    from weighbridge.store.session import Database

_REACH: Final[Mapping[str, Reach]] = {
    "public": Reach.PUBLIC,
    "private": Reach.PRIVATE,
    "loopback": Reach.LOOPBACK,
}


class OpenRegistry(DistributionRegistry):
    """A registry's client with the class of addresses that it may lead us to."""

    ceiling: Reach = Reach.PUBLIC


@asynccontextmanager
async def registry_client(
    settings: Settings,
    target: Target,
    telemetry: Telemetry,
    *,
    database: "Database | None" = None,
    docker_config: Path | None = None,
) -> AsyncIterator[tuple[OpenRegistry, tuple[Problem, ...]]]:
    """A client for one registry, and what is to be said about its credentials."""
    ceiling = await find_ceiling(target, database)
    credential, warnings = _credential(target, docker_config)
    pace = settings.pace_of(target.settings, loopback=ceiling is Reach.LOOPBACK)
    configured = target.settings
    endpoint = Endpoint(
        name=target.name,
        url=target.url,
        ceiling=ceiling,
        credential=credential,
        requests_per_second=pace.requests_per_second,
        concurrency=pace.concurrency,
        trusted_realm_hosts=frozenset(
            configured.trusted_realm_hosts if configured else ()
        ),
        trusted_storage_hosts=frozenset(
            configured.trusted_storage_hosts if configured else ()
        ),
        ca_file=str(configured.ca_file)
        if configured is not None and configured.ca_file is not None
        else None,
    )
    telemetry.begin_registry(target.name)
    telemetry.registry_insecure.labels(target.name).set(endpoint.is_insecure)
    transport = Transport(
        connections=pace.concurrency,
        tls=client_tls(endpoint.ca_file),
        on_desync=lambda _: telemetry.registry_desync.labels(target.name).inc(),
    )
    registry = OpenRegistry(endpoint, transport, telemetry)
    registry.ceiling = ceiling
    try:
        yield registry, warnings
    finally:
        await transport.aclose()


async def find_ceiling(target: Target, database: "Database | None") -> Reach:
    """The most private class of addresses that this registry may lead us to.

    The key `address_class` wins; a literal or `localhost` says it itself; for a
    name it is the class that was seen first, kept with the registry; a name that
    cannot be resolved now is taken as public, the most careful class.
    """
    configured = target.settings
    if configured is not None and configured.address_class is not None:
        return _REACH[configured.address_class]
    host, port = _host_and_port(target.url)
    literal = reach_of_host(host)
    if literal is not None:
        return literal
    if database is not None:
        # Imported late: SQL takes half a second to load, and a weighing without a
        # database never comes here.
        from weighbridge.store.registries import find_address_class

        with database.read() as connection:
            stored = find_address_class(connection, target.name)
        if stored is not None:
            return _REACH[stored]
    resolver = SystemResolver()
    try:
        async with asyncio.timeout(5):
            addresses = await checked(resolver, host, port, Reach.LOOPBACK)
    except (OSError, TimeoutError):
        return Reach.PUBLIC
    finally:
        resolver.close()
    return max(reach_of_host(str(address.ip)) or Reach.PUBLIC for address in addresses)


def _host_and_port(url: str) -> tuple[str, int]:
    scheme, _, authority = url.partition("://")
    host, _, port = authority.rpartition(":")
    if not host or authority.endswith("]"):
        return authority.strip("[]"), 443 if scheme == "https" else 80
    return host.strip("[]"), int(port)


def _credential(
    target: Target, docker_config: Path | None
) -> tuple[Credential | None, tuple[Problem, ...]]:
    auth = target.settings.auth if target.settings else None
    if auth is not None and auth.docker_config is None:
        password = auth.current_password()
        return Credential(auth.username or "", password), ()
    if target.settings is not None and auth is None:
        return None, ()
    host = target.url.partition("://")[2]
    path = auth.docker_config if auth is not None else docker_config
    login = docker_config_credential(host, path)
    return login.credential, (login.warning,) if login.warning else ()
