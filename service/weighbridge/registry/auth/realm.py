"""Which token servers a registry may send us to, and with what."""

import re
from typing import Final

import httpx
from msgspec import Struct

from weighbridge.errors import AddressRefused, AuthError
from weighbridge.net.failure.redact import redact_url
from weighbridge.net.guard.reach import Reach, reach_of_host
from weighbridge.net.guard.url_parts import origin
from weighbridge.registry.exchange.endpoint import Endpoint

# A registry on the left may have its token server on the right. A shared parent
# domain proves nothing: azurecr.io, jfrog.io and pkg.dev hold many tenants.
_TOKEN_HOSTS: Final = {
    "registry-1.docker.io": "auth.docker.io",
    "registry.gitlab.com": "gitlab.com",
}
_NOT_LIFTED: Final = (
    "the realm must be put right at the registry: trusted_realm_hosts cannot allow it"
)
_VISIBLE: Final = re.compile(r"[!-\[\]-~]{1,2048}")  # no backslash


class Realm(Struct, frozen=True):
    """A token server that may be asked.

    with_credential: whether our credential may go there
    ceiling:         the most private class of addresses that it may lead to
    """

    url: httpx.URL
    with_credential: bool
    ceiling: Reach


def allowed_realm(text: str, endpoint: Endpoint) -> Realm:
    """The realm of a challenge, if our credential (or, where there is none, an
    anonymous request) may go to it. Raises AuthError(realm_refused)."""
    url = _parse(text)
    scheme, host, port = origin(url)
    home_scheme, home_host, home_port = endpoint.origin
    if home_scheme == "https" and scheme != "https":
        raise realm_refused(url, "it is not https, and the registry is", _NOT_LIFTED)
    if (host, port) == (home_host, home_port):
        return Realm(url, True, endpoint.ceiling)
    if _is_trusted(host, port, endpoint.trusted_realm_hosts):
        # Whoever names a host in the configuration has lifted the ceiling for it.
        return Realm(url, True, Reach.LOOPBACK)
    is_pair = _TOKEN_HOSTS.get(home_host) == host and port == home_port == 443
    if is_pair and scheme == home_scheme == "https":
        return Realm(url, True, endpoint.ceiling)
    if _is_literal(host):
        raise realm_refused(url, "it is not the registry's own address")
    if endpoint.credential is not None:
        raise realm_refused(url, "the credential for this registry does not go there")
    if scheme != "https":
        raise realm_refused(url, "it is not https", _NOT_LIFTED)
    return Realm(url, False, Reach.PUBLIC)


def realm_refused(url: httpx.URL, reason: str, hint: str = "") -> AuthError:
    """The error for a token server that is not asked, naming the way to allow it."""
    address = url.netloc.decode("ascii")
    return AuthError(
        f"the registry names {redact_url(str(url))} as its token server: {reason}",
        code="realm_refused",
        hint=hint or f"if {address} is right, add {address!r} to trusted_realm_hosts",
    )


def _parse(text: str) -> httpx.URL:
    if not _VISIBLE.fullmatch(text):
        raise _unreadable(text, "it is empty, too long or not visible ASCII")
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as exc:
        raise _unreadable(text, "it is no URL") from exc
    _, host, port = origin(url)
    if not host or not 0 < port < 65_536:
        raise _unreadable(text, "it is no http or https address with a host")
    if url.userinfo:
        raise _unreadable(text, "it holds a user name")
    return url.copy_with(fragment=None)


def _unreadable(text: str, reason: str) -> AuthError:
    return AuthError(
        f"the registry names {redact_url(text[:200])} as its token server: {reason}",
        code="realm_refused",
        hint=_NOT_LIFTED,
    )


def _is_trusted(host: str, port: int, trusted: frozenset[str]) -> bool:
    """A name may stand there without a port; an address or localhost may not, as
    everything that runs on this machine or in its network has one."""
    bracketed = f"[{host}]" if ":" in host else host
    if f"{bracketed}:{port}" in trusted:
        return True
    return host in trusted and not _is_literal(host)


def _is_literal(host: str) -> bool:
    try:
        return reach_of_host(host) is not None
    except AddressRefused:
        return True
