"""Addresses as a person writes them: a registry's URL, a listener's HOST:PORT."""

import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit

from pydantic_core import PydanticCustomError

from weighbridge.domain.text.printable import REDACTED, Secret

_HOST: Final = re.compile(r"[A-Za-z0-9_.-]{1,253}", re.ASCII)
_NOT_IN_A_URL: Final = re.compile(r"[^\x21-\x7e]|\\")


_LOGIN: Final = "auth: {username, password_file}"
# What no server and no proxy reads in two ways: nothing is encoded, and no segment is
# `.` or `..`.
_PREFIX: Final = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+", re.ASCII)
PREFIX_CHARACTERS: Final = 255


def check_url(text: str) -> str:
    """A registry's `scheme://host[:port]`, as `check_origin` has it."""
    return check_origin(text, _LOGIN)


def check_prefixed_url(text: str) -> str:
    """The same, and the path below which `/v2/` is, in the letters that it has."""
    scheme, separator, rest = text.partition("://")
    host, slash, path = rest.partition("/")
    prefix = f"{slash}{path}".rstrip("/")
    if "@" in text or "?" in text or "#" in text or not prefix:
        return check_url(text)
    origin = check_url(f"{scheme}{separator}{host}")
    if f"{prefix}/".endswith("/v2/"):
        raise _no_url("must end before /v2, which is added to it")
    if len(prefix) > PREFIX_CHARACTERS or _PREFIX.fullmatch(prefix) is None:
        raise _no_url(
            "has a path with more than segments of letters, digits, '.', '_', '~'"
            " and '-'"
        )
    return f"{origin}{prefix}"


def check_origin(text: str, login: str) -> str:
    """`scheme://host[:port]`, in lower case and without the slash at its end.

    login: the keys that are meant for a user and a password
    """
    if _NOT_IN_A_URL.search(text):
        raise _no_url("holds a space or another character that no URL has")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as exc:
        # What is no port may be a password whose @ was forgotten: it is not shown.
        message = "is no URL: write https://HOST[:PORT]"
        raise PydanticCustomError(
            "invalid_url", "{message}", {"message": message, "shown": ""}
        ) from exc
    if "@" in parts.netloc:
        raise PydanticCustomError(
            "secret_in_url",
            "must not hold a user or password: use {login}",
            {"login": login},
        )
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise _no_url("must start with https:// or http:// and name a host")
    if not is_host(parts.hostname):
        raise _no_url("names no valid host")
    if port == 0:
        raise _no_url("has a port outside 1 to 65535")
    if "?" in text or "#" in text:
        # What stands there may be a token: it is not shown.
        message = "must have no query and no fragment"
        raise PydanticCustomError(
            "invalid_url", "{message}", {"message": message, "shown": ""}
        )
    if parts.path not in ("", "/"):
        raise _no_url("must end after the host: no path")
    return f"{parts.scheme}://{parts.netloc.lower()}"


def host_of(url: str) -> str:
    """The host of a checked URL, without brackets and port."""
    return urlsplit(url).hostname or ""


def prefix_of(url: str) -> str:
    """What of a checked URL stands between the host and `/v2`: "" or `/a/path`."""
    return urlsplit(url).path


def shown_url(url: Secret) -> str:
    """The URL of a database or of Redis without user, password and parameters."""
    scheme, _, rest = url.reveal().partition(":")
    if not scheme.startswith("sqlite") and "@" in rest:
        # A password may hold a slash, a question mark or an @.
        rest = f"//{REDACTED}@{rest.rpartition('@')[2]}"
    return f"{scheme}:{rest.partition('?')[0]}"


def split_bind(text: str) -> tuple[str, int]:
    """Host and port of `127.0.0.1:8080`, `[::1]:8080` or `localhost:8080`.

    Port 0 lets the system choose one.
    """
    host, _, port = text.rpartition(":")
    is_bracketed = host.startswith("[") and host.endswith("]")
    host = host[1:-1] if is_bracketed else host
    is_host = is_literal(host) if is_bracketed else bool(_HOST.fullmatch(host))
    if not is_host or not re.fullmatch(r"[0-9]{1,5}", port, re.ASCII):
        raise _no_bind()
    if int(port) > 65_535:
        raise _no_bind()
    return host, int(port)


def is_loopback(host: str) -> bool:
    """Whether only this machine is meant: a literal, or the name `localhost`.

    Other names are not looked up: what they lead to may change.
    """
    address = find_literal(host)
    return host.lower() == "localhost" or (address is not None and address.is_loopback)


def is_literal(host: str) -> bool:
    """Whether it is an address, without brackets and scope."""
    return find_literal(host) is not None and "%" not in host


def find_literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that a host is, an IPv4 one also where it is written as IPv6; None
    for a name."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def is_host(host: str) -> bool:
    """Whether it is a name or an address, without its port."""
    return bool(_HOST.fullmatch(host)) or is_literal(host)


def _no_url(message: str) -> PydanticCustomError:
    return PydanticCustomError("invalid_url", "{message}", {"message": message})


def _no_bind() -> PydanticCustomError:
    return PydanticCustomError(
        "invalid_bind", "must be HOST:PORT, such as 127.0.0.1:8080"
    )
