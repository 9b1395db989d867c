"""What the web part may be told, and which of it would be unsafe."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from ipaddress import ip_address
from typing import Final, Literal, TypeAlias

from msgspec import Struct, field
from msgspec.structs import replace

from weighbridge.domain.access.roles import Network
from weighbridge.domain.access.sign_in import SignInProxy
from weighbridge.domain.image.platform import DEFAULT, Platform
from weighbridge.domain.policy.policy import NO_POLICIES, PolicySet
from weighbridge.domain.reclaim.keep_rules import NOTHING_CHOSEN, ReclaimChoice
from weighbridge.domain.registry.rate_limit import Probe
from weighbridge.domain.series_budget import Budget
from weighbridge.domain.traffic.costs import Prices
from weighbridge.engine.context.parts import JobTarget
from weighbridge.errors import UsageError

Prober: TypeAlias = Callable[[str], Awaitable[Probe]]
"""A probe by a registry's name. Raises UsageError(unknown_registry) where none of this
name is configured."""


async def no_registries(name: str) -> Probe:
    """Where none is configured."""
    raise UsageError("no registry is configured", code="unknown_registry")


Role: TypeAlias = Literal["none", "read", "metrics", "probe", "admin"]
"""`none`: answered to everybody who can reach the socket. `probe`: to tokens that may
read metrics; it makes us ask others, so that `anonymous_read` does not open it."""


def _nothing_configured(target: str) -> JobTarget:
    raise UsageError("no registry is configured", code="registry_not_found")


class WebOptions(Struct, frozen=True):
    """How this process is reached and what it shows.

    bind:           HOST:PORT as it is listened on; IPv6 in brackets
    anonymous_read: whether `read` and `metrics` need no token off loopback
    external_url:   where people see it, None for what the socket says
    trusted_proxies: of whom `X-Forwarded-For` is believed, to know who sends webhooks,
                    and what `auth_proxy` names
    auth_proxy:     the headers in which those say who signed in, None: they do not
    platforms:      the reference platforms, most wanted first
    budget:         how many series `/metrics/repositories` may have, and for whom
    policies:       those in force now; others after a reload
    failed_since:   since when their files could not be read again, None: they could
    broker_away_since: since when Redis does not answer, None: it does, or none is used
    metrics_bind:   the HOST:PORT that serves `/metrics*` and `/probe` in place of
                    `bind`, or None
    prober:         asks a configured registry one small question
    due_clock:      of those who crawl, where they have another clock than this process.
                    Raises StoreError
    find_target:    the registry or repository of a target that is to be crawled. Raises
                    UsageError(registry_not_found, unknown_target, outside_filter)
    reclaim:        which tags are kept, and of which registries some are left out
    prices:         what storing and pulling costs, None where that is not configured
    """

    bind: str = "127.0.0.1:8080"
    anonymous_read: bool = False
    external_url: str | None = None
    trusted_proxies: tuple[Network, ...] = ()
    auth_proxy: SignInProxy | None = None
    platforms: tuple[Platform, ...] = (DEFAULT,)
    budget: Budget = field(default_factory=Budget)
    policies: Callable[[], PolicySet] = field(default=lambda: NO_POLICIES)
    failed_since: Callable[[], datetime | None] = field(default=lambda: None)
    broker_away_since: Callable[[], datetime | None] = field(default=lambda: None)
    metrics_bind: str | None = None
    prober: Prober = no_registries
    due_clock: Callable[[], datetime] | None = None
    find_target: Callable[[str], JobTarget] = _nothing_configured
    reclaim: ReclaimChoice = NOTHING_CHOSEN
    prices: Prices | None = None

    @property
    def wants_loopback_host(self) -> bool:
        """Whether only a loopback name is a Host that we answer to: where others come
        by way of a proxy, it may hand on any name."""
        is_behind_proxy = self.external_url is not None or bool(self.trusted_proxies)
        return is_loopback(host_of(self.bind)) and not is_behind_proxy

    @property
    def of_metrics(self) -> "WebOptions | None":
        """How the listener of the metrics is reached, None where it has none."""
        if self.metrics_bind is None:
            return None
        return replace(
            self,
            bind=self.metrics_bind,
            external_url=None,
            trusted_proxies=(),
            auth_proxy=None,
        )

    def is_open(self, role: Role) -> bool:
        """Whether whoever reaches the socket has this role without a token. Never
        `admin`, wherever the socket is."""
        if role == "probe":
            return self.wants_loopback_host
        is_local = self.wants_loopback_host or self.anonymous_read
        return role == "none" or (is_local and role in ("read", "metrics"))


def check_reach(
    options: WebOptions,
    has_token: Callable[[], bool],
    how: str = "weighbridge token create --role read, for the same database",
) -> None:
    """Raises UsageError(no_token) for what others can reach and nobody could use.

    has_token: whether there is a token that is valid now; asked only where it matters
    how:       one is made
    """
    if options.anonymous_read or options.auth_proxy is not None:
        return
    listeners = [options, *([options.of_metrics] if options.of_metrics else [])]
    reached = [each for each in listeners if not each.wants_loopback_host]
    if reached and not has_token():
        first = reached[0]
        where = first.external_url or first.bind
        is_local = is_loopback(host_of(first.bind))
        close = (
            "leave out web.external_url and web.trusted_proxies"
            if is_local
            else "listen on 127.0.0.1"
        )
        raise UsageError(
            f"{where} can be reached from elsewhere, and there is no token yet",
            code="no_token",
            hint=f"{how}\n{close}, or set web.anonymous_read: true",
        )


def host_of(authority: str) -> str:
    """`127.0.0.1` of `127.0.0.1:8080`, `::1` of `[::1]:8080`, lower case."""
    host = authority.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host


def is_loopback(host: str) -> bool:
    """Whether this host, a name or a literal, can only be this machine.

    RFC 6761 6.3 keeps `localhost` and everything below it for loopback.
    """
    name = host.removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


SECURITY_HEADERS: Final[Mapping[str, str]] = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; "
        "img-src 'self' data:; connect-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "private, no-cache",
}
"""Sent with every answer. No CORS header is among them: no other site may read."""
