"""The address of a registry: what it is, whatever it is called."""

from typing import Final
from urllib.parse import urlsplit

DOCKER_HUB: Final = "registry-1.docker.io"
"""The host behind the name docker.io, which itself serves a web site."""
DOCKER_HUB_HOSTS: Final = frozenset({"docker.io", "index.docker.io", DOCKER_HUB})
"""Hosts that all mean Docker Hub's registry."""

_PORTS: Final = {"http": 80, "https": 443}


def registry_address(url: str) -> str:
    """`scheme://host:port` of a registry's URL: two URLs with one address lead to one
    registry. In lower case, the port always said, one name for Docker Hub.

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
    host = DOCKER_HUB if host in DOCKER_HUB_HOSTS else host
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}"
