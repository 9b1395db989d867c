"""What is asked, and of whom: a URL in the parts that a request is made of, and as
it may appear in logs and messages, without anything that opens a door."""

import re
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import quote, urlsplit

import httpx
from msgspec import Struct

from weighbridge.net.guard.reach import Reach

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


class OriginRoute(NamedTuple):
    """An origin under a ceiling. A connection that was opened under one ceiling is
    never lent to a request under another. (A tuple, for it is hashed per request.)

    host: as httpx encodes it (IDNA, IPv6 without brackets)
    """

    scheme: str
    host: str
    port: int
    ceiling: Reach

    def __str__(self) -> str:
        return origin_text(self.scheme, self.host, self.port)


def origin(url: httpx.URL) -> tuple[str, str, int]:
    """Scheme, host and port (RFC 6454); the port is 0 for an unknown scheme."""
    scheme = url.scheme
    default = _DEFAULT_PORTS.get(scheme, 0)
    port = url.port if url.port is not None and default else default
    return scheme, url.raw_host.decode("ascii"), port


def origin_of(url: httpx.URL) -> str:
    """All that messages say of a URL: the rest may carry a signature."""
    return origin_text(*origin(url))


def origin_text(scheme: str, host: str, port: int) -> str:
    """An origin as a person writes it, its port always said."""
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
