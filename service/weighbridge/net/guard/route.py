"""Where a request goes, and how near that may be: the key of a pool."""

from typing import Final, NamedTuple

import httpx

from weighbridge.net.guard.reach import Reach

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
