"""Where a registry is, who we are there, and how much it may be asked; and what the
client of any kind of registry is, and is opened with."""

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Final, Protocol

import httpx
from msgspec import Struct, field
from msgspec.structs import force_setattr

from weighbridge.config import RegistrySettings
from weighbridge.config.value.written_address import prefix_of
from weighbridge.domain.image.reference import LOGIN_HINT, without_login
from weighbridge.errors import UsageError
from weighbridge.net.connection.connect import client_tls
from weighbridge.net.connections import Connections
from weighbridge.net.guard.addresses import Proxy, Reach, origin, reach_of_host
from weighbridge.net.guard.place import Place
from weighbridge.ports.protocols import Registry
from weighbridge.registry.login.credentials import Credential, CredentialSource
from weighbridge.registry.pacing.rate_limiter import Clock, RateLimiter
from weighbridge.telemetry import Telemetry

REMOTE_CONCURRENCY: Final = 8
REMOTE_REQUESTS_PER_SECOND: Final = 20.0
_ADDRESSES: Final = 256
"""As many are kept as read: each use case asks for the same few again."""


class Endpoint(Struct, frozen=True):
    """One entry of the configuration, or an address given ad hoc.

    name:     as configured, or the host
    url:      http(s)://host[:port][/prefix], below which /v2/ is; kept as
              `registry_url` spells it
    ceiling:  the most private class of addresses that it may lead us to
    others:   prefixes of other entries at its host
    login:    where a credential comes from that ends, in place of `credential`
    requests_per_second: None for no limit
    trusted_realm_hosts, trusted_storage_hosts: `host` or `host:port`
    contact:  whom the registry's operator may ask about us, for the User-Agent
    proxy:    what all that belongs to it is asked through; None: nothing
    gate:     what is shared with other clients that ask it; None: there are none
    """

    name: str
    url: str
    ceiling: Reach
    credential: Credential | None = None
    login: CredentialSource | None = None
    requests_per_second: float | None = REMOTE_REQUESTS_PER_SECOND
    concurrency: int = REMOTE_CONCURRENCY
    trusted_realm_hosts: frozenset[str] = field(default_factory=frozenset)
    trusted_storage_hosts: frozenset[str] = field(default_factory=frozenset)
    ca_file: str | None = None
    contact: str = ""
    proxy: Proxy | None = None
    others: frozenset[str] = field(default_factory=frozenset)
    gate: RateLimiter | None = None

    def __post_init__(self) -> None:
        # One spelling, without a slash at the end.
        force_setattr(self, "url", registry_url(self.url))

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port."""
        return origin(httpx.URL(self.url))

    @property
    def place(self) -> Place:
        """What the credential belongs to."""
        return Place(self.origin, prefix_of(self.url), self.others)

    @property
    def who(self) -> Credential | CredentialSource | None:
        """As whom it is asked; None for nobody. Its text is for messages."""
        return self.credential or self.login

    @property
    def is_insecure(self) -> bool:
        """Whether requests leave this machine without TLS."""
        return self.url.startswith("http://") and (
            self.ceiling is not Reach.LOOPBACK or self.proxy is not None
        )


@lru_cache(maxsize=_ADDRESSES)
def registry_url(address: str, *, plain_http: bool | None = None) -> str:
    """The URL of `host[:port]` or `http(s)://host[:port][/prefix]` as a person writes
    it.

    As docker does it: loopback speaks plain HTTP, all others HTTPS unless
    `plain_http` says it. Raises UsageError(invalid_registry), AddressRefused for an
    address never reached.
    """
    scheme, separator, rest = address.rpartition("://")
    host = rest.rstrip("/")
    url = _parsed(f"{scheme or 'https'}://{host}", address)
    if not separator and url.path not in ("", "/"):
        raise no_registry(address)
    if not separator:
        is_plain = plain_http
        if is_plain is None:
            is_plain = reach_of_host(url.host) is Reach.LOOPBACK
        url = url.copy_with(scheme="http" if is_plain else "https")
    return str(url).rstrip("/")


def _parsed(text: str, address: str) -> httpx.URL:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as exc:
        raise no_registry(address) from exc
    is_bare = not (url.query or url.fragment or url.userinfo)
    _, host, port = origin(url)
    if not host or not 0 < port < 65_536 or not is_bare:
        raise no_registry(address)
    return url


def no_registry(address: str) -> UsageError:
    """The error for what is no registry's address."""
    fault = " with a user or a password before it" if "@" in address else ""
    return UsageError(
        f"{without_login(address)!r}{fault} is not the address of a registry",
        code="invalid_registry",
        hint=LOGIN_HINT if fault else "write host, host:port or https://host:port",
    )


class KindRegistry(Registry, Protocol):
    """A `ports.Registry` that can be asked whether it is there."""

    @property
    def asks_as(self) -> str:
        """Whose credential it asks for by itself, "" where it does not."""

    async def ping(self) -> None:
        """Ask whether it is there and lets us in; raises as the others do."""


class GateOf(Protocol):
    """The limits of a part of a registry that has its own."""

    def __call__(
        self, part: str, most_per_second: float | None = None, /
    ) -> RateLimiter | None:
        """None: of this client alone.

        part: such as a second host, by any name
        most_per_second: what its operator allows, where less than what is configured;
                         None: nothing is known of that
        """


class KindAccess(Struct, frozen=True):
    """Besides the registry's own endpoint; a kind takes of it what it has a use for.

    gate_of:    the limits of another part of the registry
    keep_quota: the share of a quota that is left to others, 0 to 1
    settings:   its entry in the configuration, None for an address that has none
    on_certificate: told until when each certificate holds that is met
    """

    telemetry: Telemetry
    clock: Clock
    gate_of: GateOf
    keep_quota: float = 0.0
    settings: RegistrySettings | None = None
    on_certificate: Callable[[datetime], None] | None = None

    def connections(self, endpoint: Endpoint, *, is_api: bool = False) -> Connections:
        """Those of one client. is_api: its certificate is not the registry's"""
        counter = self.telemetry.registry_desync
        # The system's certificates are read by the first connection that needs them.
        ca_file = endpoint.ca_file
        return Connections(
            connections=endpoint.concurrency,
            tls=None if ca_file is None else client_tls(ca_file),
            on_desync=lambda _: counter.labels(endpoint.name).inc(),
            on_certificate=None if is_api else self.on_certificate,
            proxy=endpoint.proxy,
        )
