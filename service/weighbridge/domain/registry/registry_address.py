"""The address of a registry: what it is, whatever it is called."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

NO_ALIASES: Final[Mapping[str, str]] = {}
_PORTS: Final = {"http": 80, "https": 443}


def registry_address(url: str, aliases: Mapping[str, str] = NO_ALIASES) -> str:
    """`scheme://host:port` of a registry's URL: two URLs with one address lead to one
    registry. In lower case, the port always said.

    aliases: hosts that are known to be others, each with the one that it is

    A URL that is none comes back as it is. Names are not looked up: `localhost` and
    127.0.0.1 are two addresses.
    """
    try:
        parts = urlsplit(url.lower())
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return url
    if not parts.hostname or port is None:
        return url
    # RFC 1034 3.1: a dot at the end names the same host.
    host = parts.hostname.rstrip(".")
    host = aliases.get(host, host)
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def main_url(url: str, aliases: Mapping[str, str]) -> str:
    """A registry's checked URL, with the host that it is. aliases: as above"""
    scheme, separator, authority = url.partition("://")
    host, colon, port = authority.partition(":")
    return f"{scheme}{separator}{aliases.get(host, host)}{colon}{port}"
