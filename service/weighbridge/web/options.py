"""What the web part may be told, and which of it would be unsafe."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final, Literal, TypeAlias

from weighbridge.domain.platform import DEFAULT, Platform
from weighbridge.domain.series import Budget
from weighbridge.errors import UsageError

Role: TypeAlias = Literal["none", "read", "metrics"]
"""`none`: answered to everybody who can reach the socket."""


@dataclass(frozen=True, slots=True)
class WebOptions:
    """How this process is reached and what it shows.

    bind:           HOST:PORT as it is listened on; IPv6 in brackets
    anonymous_read: whether `read` and `metrics` need no token off loopback
    external_url:   where people see it, None for what the socket says
    platforms:      the reference platforms, most wanted first
    budget:         how many series `/metrics/repositories` may have, and for whom
    """

    bind: str = "127.0.0.1:8080"
    anonymous_read: bool = False
    external_url: str | None = None
    platforms: tuple[Platform, ...] = (DEFAULT,)
    budget: Budget = field(default_factory=Budget)

    @property
    def wants_loopback_host(self) -> bool:
        """Whether only a loopback name is a Host that we answer to."""
        return is_loopback(host_of(self.bind)) and self.external_url is None


def check_reach(options: WebOptions) -> None:
    """Raises UsageError(anonymous_read) for what would be open to a network.

    Tokens do not exist yet, so beyond loopback reading is either said to be open
    or it is not served at all.
    """
    if options.anonymous_read or options.wants_loopback_host:
        return
    raise UsageError(
        f"{options.bind} can be reached from elsewhere and nothing asks for a token",
        code="anonymous_read",
        hint="listen on 127.0.0.1, or say web.anonymous_read: true",
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
