"""From which address a request comes, also behind proxies that are trusted."""

import re
from collections.abc import Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final, TypeAlias

from weighbridge.errors import UsageError

Network: TypeAlias = IPv4Network | IPv6Network
_IPV6_PREFIX: Final = 64
"""Whoever has one address of IPv6 has all of its network (RFC 6177 2)."""
_PORT: Final = re.compile(r"\[(?P<six>[^\]]*)\](?::\d+)?|(?P<four>[^:]*):\d+")
"""Some proxies write the port of the sender too."""


def parse_network(text: str) -> Network:
    """`10.0.0.0/8`, `::1` or `192.0.2.7`. Raises UsageError(invalid_network) for what
    is none, and for a network of all addresses: anybody's header would be believed."""
    try:
        network = ip_network(text)
    except ValueError:
        raise _invalid() from None
    if not network.prefixlen:
        raise _invalid()
    return network


def sender_address(
    peer: str, forwarded_for: Sequence[str], trusted: Sequence[Network]
) -> str:
    """The sender's address, or its network in IPv6, as a text; "" where the peer has no
    address, as with a socket of a file.

    peer:          who opened the connection
    forwarded_for: the values of `X-Forwarded-For`, in their order
    trusted:       of whom that header is believed: each proxy adds behind what it was
                   sent the address that it was sent it from, so that the last one that
                   no trusted proxy has is the sender's
    """
    address = _address(peer)
    hops = [hop for value in forwarded_for for hop in value.split(",")]
    while address is not None and hops and _is_in(address, trusted):
        before = _address(hops.pop().strip())
        if before is None:
            break
        address = before
    if isinstance(address, IPv6Address):
        return str(ip_network((address, _IPV6_PREFIX), strict=False))
    return "" if address is None else str(address)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    if (found := _PORT.fullmatch(text)) is not None:
        text = found["six"] or found["four"] or ""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    inner = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return inner or address


def _is_in(address: IPv4Address | IPv6Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)


def _invalid() -> UsageError:
    return UsageError(
        "must be an address or a network, such as 10.0.0.7 or 10.0.0.0/8, and not of "
        "all addresses",
        code="invalid_network",
    )
