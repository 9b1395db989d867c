"""`WWW-Authenticate`: the challenges of a 401 (RFC 9110 11.6.1); and which token
servers a registry may send us to by them, and with what."""

import re
from collections.abc import Mapping
from typing import Final

import httpx
from msgspec import Struct, field

from weighbridge.errors import AddressRefused, AuthError
from weighbridge.net.guard.reach import Reach, reach_of_host
from weighbridge.net.guard.url_parts import origin, redact_url
from weighbridge.registry.exchange.endpoint import Endpoint

CHALLENGE_CHARACTERS: Final = 8 * 1024
"""All header lines together; real ones are below 1 KiB."""

_BLANK: Final = re.compile(r"[ \t]*")
_BETWEEN: Final = re.compile(r"[ \t,]*")
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_EQUALS: Final = re.compile(r"[ \t]*=[ \t]*")
_QUOTED: Final = re.compile(
    r'"((?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*)"',
)
_ESCAPE: Final = re.compile(r"\\(.)")
# Possessive, so that it never tries a shorter piece. A lone `realm=` is one, too:
# by the grammar it is no parameter.
_TOKEN68: Final = re.compile(r"[A-Za-z0-9._~+/-]++=*+(?=[ \t]*(?:,|$))")


class Challenge(Struct, frozen=True):
    """One way in. `scheme` and the names of `params` are lower case.

    params: empty where the scheme stands alone or with a token68
    """

    scheme: str
    params: Mapping[str, str] = field(default_factory=dict)


def parse(values: list[str]) -> list[Challenge]:
    """All challenges of these header lines, in their order.

    Raises AuthError(auth_error) for what is not the grammar: a guess at a
    challenge is a guess at where credentials go.
    """
    if sum(map(len, values)) > CHALLENGE_CHARACTERS:
        raise _malformed("it is too long")
    return [challenge for value in values for challenge in _parse_line(value)]


def _parse_line(text: str) -> list[Challenge]:
    challenges: list[Challenge] = []
    at = _skip(_BETWEEN, text, 0)
    while at < len(text):
        scheme = _TOKEN.match(text, at)
        if scheme is None:
            raise _malformed("a scheme is missing")
        params, at = _parse_rest(text, scheme.end())
        challenges.append(Challenge(scheme[0].lower(), params))
    return challenges


def _parse_rest(text: str, at: int) -> tuple[dict[str, str], int]:
    """What follows a scheme, and where the next challenge begins."""
    start = _skip(_BLANK, text, at)
    if start == len(text) or text[start] == ",":
        return {}, _next_element(text, start)
    if start == at:
        raise _malformed("a scheme runs into something else")
    if lump := _TOKEN68.match(text, start):
        return {}, _next_element(text, lump.end())
    return _parse_params(text, start)


def _parse_params(text: str, at: int) -> tuple[dict[str, str], int]:
    params: dict[str, str] = {}
    while (name := _TOKEN.match(text, at)) and (
        equals := _EQUALS.match(text, name.end())
    ):
        value, end = _parse_value(text, equals.end())
        if name[0].lower() in params:
            raise _malformed("a parameter stands there twice")
        params[name[0].lower()] = value
        at = _next_element(text, end)
    if not params:
        raise _malformed("a parameter has no value")
    return params, at


def _parse_value(text: str, at: int) -> tuple[str, int]:
    if quoted := _QUOTED.match(text, at):
        return _ESCAPE.sub(r"\1", quoted[1]), quoted.end()
    if plain := _TOKEN.match(text, at):
        return plain[0], plain.end()
    raise _malformed("a parameter has no value")


def _next_element(text: str, at: int) -> int:
    """Where the next element of the list begins: after a comma, or at the end."""
    start = _skip(_BETWEEN, text, at)
    if start < len(text) and "," not in text[at:start]:
        raise _malformed("a comma is missing")
    return start


def _skip(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return at if found is None else found.end()


def _malformed(reason: str) -> AuthError:
    return AuthError(
        f"the registry's WWW-Authenticate header cannot be read: {reason}",
        hint="ask the operator of the registry; a proxy before it may have changed it",
    )


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
