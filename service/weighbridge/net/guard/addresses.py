"""Which addresses may be reached: resolve once, check every answer, dial only those;
and a URL in the parts that a request is made of, and as it may appear in logs and
messages, without anything that opens a door.

The lists are written out because `ipaddress.is_private` and `is_global` change their
meaning between versions of Python. There is no switch that turns the guard off. Names
are looked up on threads of their own.
"""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import IntEnum
from functools import lru_cache
from typing import Final, NamedTuple, Protocol
from urllib.parse import quote, urlsplit

import httpx
from msgspec import Struct

from weighbridge.domain.text.printable import Secret
from weighbridge.errors import AddressRefused

_THREADS = 4


class Resolver(Protocol):
    """What turns a host into addresses: the system's resolver, or a script in tests."""

    async def __call__(self, host: str) -> Sequence[str]:
        """Every address of a name or literal, as text; a scope is kept after "%".

        Raises OSError (socket.gaierror) where there is none."""


class SystemResolver:
    """The system's getaddrinfo, which also reads literals in every odd spelling; those
    in the usual one are what they say.

    The loop's default threads are not used: a look-up cannot be interrupted, and a
    name server that hangs would take every other user of those threads with it.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(
            _THREADS, thread_name_prefix="weighbridge-resolve"
        )
        self._closed = False

    async def __call__(self, host: str) -> Sequence[str]:
        if not self._closed and _is_literal(host):
            # It must not wait behind names whose server hangs.
            return [host]
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, _look_up, host)
        except RuntimeError as exc:
            raise _closed() from exc
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self._closed and task is not None and not task.cancelling():
                # `close` cancelled the look-up, not whoever waits for it.
                raise _closed() from None
            raise

    def close(self) -> None:
        """Take no more names; look-ups that hang are left to themselves."""
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)


def _is_literal(host: str) -> bool:
    if "%" in host:
        return False  # the scope is the system's to understand
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _closed() -> socket.gaierror:
    return socket.gaierror(socket.EAI_AGAIN, "the resolver was closed")


def _look_up(host: str) -> list[str]:
    try:
        infos = socket.getaddrinfo(
            host, None, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
        )
    except UnicodeError as exc:
        # A label that IDNA cannot encode (empty, or over 63 bytes).
        raise socket.gaierror(socket.EAI_NONAME, "not a host name") from exc
    return [_text(info[4]) for info in infos]


def _text(
    sockaddr: tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes],
) -> str:
    address = str(sockaddr[0])
    if len(sockaddr) == 4 and sockaddr[3]:
        return f"{address}%{sockaddr[3]}"
    return address


IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_ADDRESSES_PER_NAME: Final = 64
_NEVER_HINT: Final = (
    "another address: link-local, cloud metadata and reserved ones are refused "
    "whatever is configured"
)


class Reach(IntEnum):
    """How near an address is. A ceiling allows itself and everything below it."""

    PUBLIC = 0
    PRIVATE = 1
    LOOPBACK = 2


class CheckedAddress(Struct, frozen=True):
    """An address that passed the guard, ready to be dialled."""

    ip: IPAddress
    port: int

    @property
    def family(self) -> socket.AddressFamily:
        """AF_INET or AF_INET6."""
        return socket.AF_INET if self.ip.version == 4 else socket.AF_INET6


def _networks4(*texts: str) -> tuple[ipaddress.IPv4Network, ...]:
    return tuple(ipaddress.IPv4Network(text) for text in texts)


def _networks6(*texts: str) -> tuple[ipaddress.IPv6Network, ...]:
    return tuple(ipaddress.IPv6Network(text) for text in texts)


_LOOPBACK4 = _networks4("127.0.0.0/8")
_NEVER4 = _networks4(
    "0.0.0.0/8",  # "this host": Linux connects it to loopback
    "100.100.100.200/32",  # metadata of Alibaba Cloud, inside a private range
    "168.63.129.16/32",  # Azure's host agent
    "169.254.0.0/16",  # link-local, metadata of most clouds
    "192.0.0.0/24",  # protocol assignments, metadata of Oracle Cloud
    "192.0.2.0/24",  # documentation, RFC 5737
    "192.88.99.0/24",  # 6to4 relays, RFC 7526
    "198.18.0.0/15",  # benchmarks, RFC 2544
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",  # multicast
    "240.0.0.0/4",  # reserved, with broadcast
)
_PRIVATE4 = _networks4(
    "10.0.0.0/8",
    "100.64.0.0/10",  # carrier NAT, RFC 6598: the pod network of some clusters
    "172.16.0.0/12",
    "192.168.0.0/16",
)
_LOOPBACK6 = ipaddress.IPv6Address("::1")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_6TO4 = ipaddress.IPv6Network("2002::/16")
_NEVER6 = _networks6(
    "::/96",  # unspecified, and IPv4-compatible addresses
    "100::/64",  # discard, RFC 6666
    "2001::/23",  # protocol assignments, with Teredo
    "2001:db8::/32",  # documentation
    "3fff::/20",  # documentation, RFC 9637
    "5f00::/16",  # segment routing
    "fd00:ec2::254/128",  # metadata of AWS, inside a private range
    "fe80::/10",  # link-local
    "fec0::/10",  # site-local, RFC 3879
    "ff00::/8",  # multicast
)
_PRIVATE6 = _networks6("fc00::/7")
_PUBLIC6 = _networks6("2000::/3")


def classify(address: str) -> Reach:
    """The class of an address written as text. Raises AddressRefused for those that
    are never reached, whatever the registry, and for what is no address."""
    return _reach(_parsed(address))


def reach_of_host(host: str) -> Reach | None:
    """What a host says of itself: the class of a literal (in any spelling that the
    system's resolver takes) or of `localhost`; None for every other name.

    Raises AddressRefused for a literal that is never reached.
    """
    bare = host.strip("[]")
    if bare.lower().rstrip(".") == "localhost":
        return Reach.LOOPBACK
    try:
        infos = socket.getaddrinfo(bare, None, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return None
    return max(classify(str(info[4][0])) for info in infos)


async def checked(
    resolver: Resolver, host: str, port: int, ceiling: Reach
) -> tuple[CheckedAddress, ...]:
    """The addresses of `host`, resolved once and all of them checked.

    One answer that is not allowed refuses the name: a mixed answer is how a rebinding
    name gets past a check of the first. Raises AddressRefused; OSError if the
    resolver has no answer.
    """
    _check_port(host, port)
    answers = await resolver(host)
    if not 0 < len(answers) <= _ADDRESSES_PER_NAME:
        raise AddressRefused(f"{host} has {len(answers)} addresses: 1 to 64 are taken")
    return tuple(_allowed(answer, host, port, ceiling) for answer in answers)


def _check_port(host: str, port: int) -> None:
    if not 0 < port < 65_536:
        # The system's resolver would take 99999 as 34463, modulo 65,536.
        raise AddressRefused(f"{host}: port {port} is not between 1 and 65535")


# What some reader may take for another host than we do is no name (RFC 3986 2.1 lets
# `127%2e0.0.1` be one).
_NAME: Final = re.compile(r"[a-z0-9._-]{1,253}", re.ASCII)
# URL Standard, "ends in a number": such a host is an address or nothing.
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_LITERAL: Final = re.compile(r"[0-9a-fx.:]{1,45}", re.ASCII)
_HOME_DOMAINS: Final = frozenset({"localhost", "localdomain"})  # RFC 6761; /etc/hosts
_NEAR_DOMAINS: Final = frozenset({"local", "internal"})  # RFC 6762, ICANN 2024
# Names of 169.254.169.254 in networks of Google and Amazon.
_METADATA_NAMES: Final = frozenset(
    {
        "metadata",
        "metadata.google.internal",
        "metadata.goog",
        "instance-data",
        "instance-data.ec2.internal",
    }
)


def check_beyond_proxy(host: str, port: int, ceiling: Reach) -> None:
    """Whether a proxy may be asked for this host. Raises AddressRefused.

    The proxy looks the name up, so that only what the host says of itself is judged:
    a literal is of its class; a name under `localhost` or `localdomain` is loopback; a
    name without a dot, or under `local` or `internal`, is private; one of a cloud's
    metadata is never asked for.
    """
    _check_port(host, port)
    bare = host.rstrip(".").lower()
    reach = reach_of_host(bare) if _LITERAL.fullmatch(bare) else None
    if reach is None:
        reach = _reach_of_name(host, bare)
    if reach > ceiling:
        raise AddressRefused(
            f"{host} is {reach.name.lower()} by its name; through the proxy this"
            f" request may go to {ceiling.name.lower()} addresses at most"
        )


def _reach_of_name(host: str, bare: str) -> Reach:
    _, dot, last = bare.rpartition(".")
    if _NAME.fullmatch(bare) is None or _NUMBER.fullmatch(last):
        raise AddressRefused(f"{host!r} is neither a name nor an address")
    if bare in _METADATA_NAMES:
        raise AddressRefused(f"{host} is never reached")
    if last in _HOME_DOMAINS:
        return Reach.LOOPBACK
    return Reach.PRIVATE if not dot or last in _NEAR_DOMAINS else Reach.PUBLIC


def _allowed(answer: str, host: str, port: int, ceiling: Reach) -> CheckedAddress:
    ip = _parsed(answer)
    reach = _reach(ip)
    if reach > ceiling:
        raise AddressRefused(
            f"{host} leads to {ip}, which is {reach.name.lower()}; this request may "
            f"go to {ceiling.name.lower()} addresses at most"
        )
    return CheckedAddress(ip, port)


def _parsed(address: str) -> IPAddress:
    if "%" in address:
        raise AddressRefused(f"{address} is bound to one network interface")
    try:
        ip = ipaddress.ip_address(address)
    except ValueError as exc:
        raise AddressRefused(f"{address!r} is not an address") from exc
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        # ::ffff:127.0.0.1 is 127.0.0.1, and is dialled as such.
        return ip.ipv4_mapped
    return ip


def _reach(ip: IPAddress) -> Reach:
    if isinstance(ip, ipaddress.IPv4Address):
        return _reach4(ip)
    if ip == _LOOPBACK6:
        return Reach.LOOPBACK
    if ip in _NAT64:
        return _reach4(ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF))
    if ip in _6TO4:
        return _reach4(ipaddress.IPv4Address(int(ip) >> 80 & 0xFFFF_FFFF))
    if not _within(ip, _NEVER6):
        if _within(ip, _PRIVATE6):
            return Reach.PRIVATE
        if _within(ip, _PUBLIC6):
            return Reach.PUBLIC
    raise AddressRefused(f"{ip} is never reached", hint=_NEVER_HINT)


def _reach4(ip: ipaddress.IPv4Address) -> Reach:
    if _within(ip, _LOOPBACK4):
        return Reach.LOOPBACK
    if _within(ip, _NEVER4):
        raise AddressRefused(f"{ip} is never reached", hint=_NEVER_HINT)
    return Reach.PRIVATE if _within(ip, _PRIVATE4) else Reach.PUBLIC


def _within(
    ip: IPAddress,
    networks: Iterable[ipaddress.IPv4Network] | Iterable[ipaddress.IPv6Network],
) -> bool:
    return any(ip in network for network in networks)


_REDACTED = "REDACTED"
_SHOWN_KEYS = frozenset({"scope", "service", "n", "last", "digest", "mount", "from"})
_NOT_VISIBLE = re.compile(r"[^\x21-\x7e]+")


def redact_url(url: str) -> str:
    """Scheme, host, port and path, with the query values that a registry's own API
    needs; every other value is REDACTED (signed URLs carry credentials there).

    User information and the fragment are left out. Never raises: a text that is no
    URL becomes REDACTED as a whole.
    """
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return _REDACTED
    scheme = f"{parts.scheme}://" if parts.scheme else ""
    query = f"?{_redact_query(parts.query)}" if parts.query else ""
    return _NOT_VISIBLE.sub(_percent, f"{scheme}{host}{parts.path}{query}")


def _redact_query(query: str) -> str:
    return "&".join(_redact_field(field) for field in query.split("&"))


def _redact_field(field: str) -> str:
    key, equals, _ = field.partition("=")
    if not equals:
        # A lone word may be the token itself.
        return _REDACTED
    return field if key in _SHOWN_KEYS else f"{key}={_REDACTED}"


def _percent(match: re.Match[str]) -> str:
    return quote(match[0].encode("utf-8", "surrogatepass"), safe="")


# Characters that httpx leaves as they are, in segments that begin with none of the
# dots which it resolves. Repositories, tags, digests and most pages are such.
_PLAIN_TARGET: Final = re.compile(
    r"(?:/[A-Za-z0-9_~:@=-][A-Za-z0-9._~:@=-]*)+(?:\?[A-Za-z0-9._~:@/=&-]*)?", re.ASCII
)
_PLAIN_ORIGIN: Final = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+", re.ASCII)
_ORIGINS: Final = 64
_BEHIND_SCHEME: Final = len("https://")


class Address(Struct, frozen=True):
    """Parts of one URL.

    text:   the URL, for whoever wants another view of it
    host:   as httpx encodes it (IDNA, IPv6 without brackets)
    port:   0 for an unknown scheme
    netloc: the value of `Host`
    target: path and query, as they are sent
    """

    text: str
    scheme: str
    host: str
    port: int
    netloc: bytes
    target: bytes

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port (RFC 6454)."""
        return self.scheme, self.host, self.port

    @property
    def shown(self) -> str:
        """All that messages say of it: the rest may carry a signature."""
        return origin_text(self.scheme, self.host, self.port)


def address_of(text: str) -> Address:
    """The parts of a URL as httpx reads it. Raises httpx.InvalidURL.

    httpx takes longer to read one URL than everything else that is done for a
    request; of a plain one it changes nothing, and then only its origin is read, once.
    """
    at = text.find("/", _BEHIND_SCHEME)
    if at < 0 or _PLAIN_TARGET.fullmatch(text, at) is None:
        return address_of_url(httpx.URL(text))
    origin = text[:at]
    if _PLAIN_ORIGIN.fullmatch(origin) is None:
        return address_of_url(httpx.URL(text))
    scheme, host, port, netloc = _origin_parts(origin)
    return Address(text, scheme, host, port, netloc, text[at:].encode("ascii"))


def address_of_url(url: httpx.URL) -> Address:
    """The parts of a URL that is read already."""
    scheme, host, port = origin(url)
    return Address(str(url), scheme, host, port, url.netloc, url.raw_path)


@lru_cache(maxsize=_ORIGINS)
def _origin_parts(text: str) -> tuple[str, str, int, bytes]:
    url = httpx.URL(text)
    return *origin(url), url.netloc


_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class Proxy(Struct, frozen=True):
    """An HTTP proxy that connections are made through.

    login: user name and password as they are now, None for neither. Raises ConfigError
    """

    host: str
    port: int
    login: Callable[[], tuple[str, Secret] | None]

    def __str__(self) -> str:
        return origin_text("http", self.host, self.port)


class OriginRoute(NamedTuple):
    """An origin under a ceiling. A connection that was opened under one ceiling, or
    through one proxy, is never lent to a request under another. (A tuple, for it is
    hashed per request.)

    host:  as httpx encodes it (IDNA, IPv6 without brackets)
    proxy: what it is reached through, None for directly
    """

    scheme: str
    host: str
    port: int
    ceiling: Reach
    proxy: Proxy | None = None

    def __str__(self) -> str:
        return origin_text(self.scheme, self.host, self.port)


def origin(url: httpx.URL) -> tuple[str, str, int]:
    """Scheme, host and port (RFC 6454); the port is 0 for an unknown scheme."""
    scheme = url.scheme
    default = _DEFAULT_PORTS.get(scheme, 0)
    port = url.port if url.port is not None and default else default
    return scheme, url.raw_host.decode("ascii"), port


def origin_text(scheme: str, host: str, port: int) -> str:
    """An origin as a person writes it, its port always said: all that messages say of a
    URL, as the rest may carry a signature."""
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
