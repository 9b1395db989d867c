"""Who a sign-in proxy says has signed in: read strictly from the headers that it adds.

The proxy has to take away what its clients send under these names; here is refused
what could be read as another person or group than the proxy meant.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from weighbridge.domain.access.principal import Principal
from weighbridge.domain.access.roles import USER
from weighbridge.domain.text.printable import printable
from weighbridge.errors import UsageError

HEADER_BYTES: Final = 4096
"""A longer value is refused, not cut: the group that counts might be behind the cut."""
NAME_CHARACTERS: Final = 256
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]")
_HEADER: Final = re.compile(r"[A-Za-z0-9-]{1,100}", re.ASCII)
# What says something else of a request, or what any client may say of itself.
_TAKEN: Final = frozenset(
    {
        "accept",
        "authorization",
        "connection",
        "content-length",
        "content-type",
        "cookie",
        "expect",
        "forwarded",
        "host",
        "origin",
        "sec-fetch-site",
        "te",
        "transfer-encoding",
        "user-agent",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-real-ip",
    }
)
Headers = Iterable[tuple[bytes, bytes]]


class SignInProxy(Struct, frozen=True):
    """What the proxy's headers are called, in lower case.

    user:         has who signed in
    groups:       has their groups, with commas between them
    admin_groups: whose members see all and may write
    """

    user: str
    groups: str
    admin_groups: frozenset[str] = frozenset()


def checked_header(text: str) -> str:
    """The name of a header, in lower case. Raises UsageError(invalid_auth_proxy)."""
    if _HEADER.fullmatch(text) is None or text.lower() in _TAKEN:
        raise UsageError(
            "must be the name of a header of its own, such as X-Auth-Request-Email",
            code="invalid_auth_proxy",
        )
    return text.lower()


def claims_to_be_signed_in(proxy: SignInProxy, headers: Headers) -> bool:
    """Whether a request has any of these headers, whatever it says."""
    names = (proxy.user.encode(), proxy.groups.encode())
    return any(name.lower() in names for name, _ in headers)


def signed_in(
    proxy: SignInProxy, headers: Headers, teams: frozenset[str]
) -> Principal | None:
    """Who signed in, None where the proxy names nobody.

    teams: those that there are: every other group gives nothing
    Raises UsageError(invalid_sign_in) for what could be read in two ways.
    """
    sent = [(name.lower(), value) for name, value in headers]
    name = _text(_only(sent, proxy.user), proxy.user)
    listed = _text(_only(sent, proxy.groups), proxy.groups)
    if not name:
        return None
    # What a proxy on the way makes of a header that was sent twice has a comma.
    if len(name) > NAME_CHARACTERS or "," in name:
        raise _fault(f"{proxy.user} is not the name of one person")
    # Else two people would look like one in the audit log.
    if printable(name) != name or name.strip() != name:
        raise _fault(f"{proxy.user} has unprintable characters")
    groups = {group.strip(" \t") for group in listed.split(",")} - {""}
    if groups & proxy.admin_groups:
        return Principal(f"{USER}{name}", "admin", None)
    return Principal(f"{USER}{name}", "read", teams.intersection(groups))


def _only(headers: Sequence[tuple[bytes, bytes]], name: str) -> bytes:
    values = [value for key, value in headers if key == name.encode()]
    if len(values) > 1:
        raise _fault(f"{name} is there twice")
    return values[0] if values else b""


def _text(value: bytes, name: str) -> str:
    if len(value) > HEADER_BYTES:
        raise _fault(f"{name} has more than {HEADER_BYTES:,} bytes")
    try:
        text = value.decode("utf-8").strip(" \t")
    except UnicodeDecodeError as exc:
        raise _fault(f"{name} is not UTF-8") from exc
    if _UNPRINTABLE.search(text.replace("\t", " ")):
        raise _fault(f"{name} has unprintable characters")
    return text


def _fault(message: str) -> UsageError:
    return UsageError(
        message,
        code="invalid_sign_in",
        hint="the sign-in proxy has to send it otherwise",
    )
