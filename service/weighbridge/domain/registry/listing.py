"""What a registry's listings say: pages of repositories and of tags; and the address
that a registry has, whatever it is called."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct, field

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.traffic.pulls import PullCount

MASS: Final = 10
"""More tags, or repositories, than this, and more than half: a second crawl must
agree."""


class TagSeen(Struct, frozen=True):
    """One tag of a listing. Plain /v2 gives the name only; None is `not said`.

    sizes: compressed bytes that the listing names for images of the tag, each by the
           digest of its manifest: a hint, which is compared and never believed
    pulled_at: when it, or what it leads to, was last pulled
    """

    name: str
    digest: Digest | None = None
    pushed_at: datetime | None = None
    sizes: tuple[tuple[Digest, int], ...] = ()
    pulled_at: datetime | None = None


class TagPage(Struct, frozen=True):
    """A page of a listing of tags.

    tags:         well-formed ones
    invalid:      how many entries were not tags at all
    tags_may_move: its entries are images with their tags, or the newest come first: a
                 tag that moves to another place while pages are read may be on none
    """

    tags: tuple[TagSeen, ...]
    invalid: int = 0
    tags_may_move: bool = False


class RepositoryListing(Struct, frozen=True):
    """names: well-formed ones; invalid: how many entries were no names; pulls: how
    much was pulled of those of which the registry tells it."""

    names: tuple[str, ...]
    invalid: int = 0
    pulls: Mapping[str, PullCount] = field(default_factory=dict)


def is_mass(absent: int, live: int) -> bool:
    """Whether so many of so many cannot be believed to have been deleted at once."""
    return absent > MASS and absent * 2 > live


def is_explained(
    listed_bytes: int, layers: Sequence[tuple[Digest, int]], config_bytes: int
) -> bool:
    """Whether a listing's size is what these layers make.

    listed_bytes: as the listing names it
    layers:       digest and compressed bytes of every layer, repeated ones too
    config_bytes: length of the image's config
    """
    once = sum(dict(layers).values())
    each = sum(length for _, length in layers)
    return listed_bytes - once in (0, config_bytes) or listed_bytes - each in (
        0,
        config_bytes,
    )


NO_ALIASES: Final[Mapping[str, str]] = {}
_PORTS: Final = {"http": 80, "https": 443}


def registry_address(url: str, aliases: Mapping[str, str] = NO_ALIASES) -> str:
    """`scheme://host:port[/prefix]` of a registry's URL: two URLs with one address lead
    to one registry. In lower case but for the prefix, the port always said.

    aliases: hosts that are known to be others, each with the one that it is

    A URL that is none comes back as it is. Names are not looked up: `localhost` and
    127.0.0.1 are two addresses.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return url
    if not parts.hostname or port is None:
        return url
    # RFC 1034 3.1: a dot at the end names the same host.
    host = parts.hostname.rstrip(".")
    host = aliases.get(host, host)
    place = f"{f'[{host}]' if ':' in host else host}:{port}"
    return f"{parts.scheme}://{place}{parts.path.rstrip('/')}"


def main_url(url: str, aliases: Mapping[str, str]) -> str:
    """A registry's checked URL, with the host that it is. aliases: as above"""
    scheme, separator, authority = url.partition("://")
    host, colon, port = authority.partition(":")
    return f"{scheme}{separator}{aliases.get(host, host)}{colon}{port}"
