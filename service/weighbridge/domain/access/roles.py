"""Who may do what: roles, the tokens that stand for them, and how a client shows one;
and from which address it asks, also behind proxies that are trusted.

A token is `PREFIX_` and 32 random bytes in base64url. The prefix tells people and
scanners of leaked secrets what they have found; only the stored role grants anything.
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final, TypeAlias

from msgspec import Struct

from weighbridge.domain.text.printable import Secret, printable
from weighbridge.domain.webhook.sources.source_table import SOURCE_NAMES
from weighbridge.domain.webhook.webhook_source import credential_of
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


def is_of(peer: str, networks: Sequence[Network]) -> bool:
    """Whether a peer's address is in one of these networks; one without an address, as
    with a socket of a file, is in none."""
    address = _address(peer)
    return address is not None and _is_in(address, networks)


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


SECRET_BYTES: Final = 32
PREFIXES: Final = {"read": "wbr_", "admin": "wba_", "metrics": "wbm_"}
_WEBHOOK: Final = "webhook:"
_WEBHOOK_PREFIX: Final = "whsec_"
_TOKEN: Final = re.compile(r"(?:wb[ram]|whsec)_[A-Za-z0-9_-]{43}", re.ASCII)
# Never all digits: an id is never taken for a name.
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9._:-]{0,62}", re.ASCII)


class AccessToken(Struct, frozen=True):
    """A token as it is kept: never the secret itself.

    expires_at: None where it holds until it is revoked
    last_used_at: to the minute, None where it never was
    teams: whose repositories are shown, None: all are
    previous_until: so long the text that it had before is taken too, None: it is not
    renewed_at: when it got the text that it has, None: it always had it
    """

    id: int
    name: str
    role: str
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None
    teams: frozenset[str] | None = None
    previous_until: datetime | None = None
    renewed_at: datetime | None = None

    def state(self, now: datetime) -> str:
        """`valid`, `expired` or `revoked`."""
        if self.revoked_at is not None:
            return "revoked"
        is_over = self.expires_at is not None and self.expires_at <= now
        return "expired" if is_over else "valid"


def grants(role: str, needed: str) -> bool:
    """Whether a token of this role is enough: `admin` includes `read` and `metrics`,
    everything else is only itself."""
    return role == needed or (role == "admin" and needed in ("read", "metrics"))


def webhook_role(source: str) -> str:
    """The role of a token that a sender shows, and that opens nothing else."""
    return _WEBHOOK + source


def checked_role(text: str) -> str:
    """The role. Raises UsageError(invalid_role)."""
    if text in PREFIXES:
        return text
    source = text.removeprefix(_WEBHOOK)
    if text.startswith(_WEBHOOK) and source in SOURCE_NAMES:
        return text
    raise UsageError(
        f"{printable(text, 40)!r} is no role",
        code="invalid_role",
        hint="read, metrics, admin, or webhook:SOURCE with one of "
        f"{', '.join(SOURCE_NAMES)}",
    )


_TEAM: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,100}")


def checked_teams(role: str, teams: Sequence[str]) -> frozenset[str] | None:
    """Whose repositories a token shows, None for all. Raises
    UsageError(invalid_team)."""
    if not teams:
        return None
    if role != "read":
        raise UsageError(
            "only a token of the role read has teams: the others reach what all have",
            code="invalid_team",
            hint="--role read, or without --team",
        )
    for team in teams:
        if not _TEAM.fullmatch(team):
            raise UsageError(
                f"{printable(team, 70)!r} is no team",
                code="invalid_team",
                hint="as policies write it: 1 to 100 printable characters",
            )
    return frozenset(teams)


USER: Final = "user:"
"""What the name of a person begins with, whom the sign-in proxy names."""
_OTHERS: Final = (USER, "cli:")


def checked_name(text: str) -> str:
    """The name of a token. Raises UsageError(invalid_token_name) for what is none, and
    for what a person is called in the audit log."""
    if _NAME.fullmatch(text) and not text.startswith(_OTHERS):
        return text
    raise UsageError(
        f"{printable(text, 70)!r} is no name for a token",
        code="invalid_token_name",
        hint="a letter, then at most 62 letters, digits, dots, colons, - or _",
    )


def new_secret(role: str, random: bytes) -> Secret:
    """The text of a token.

    random: 32 bytes that nobody can guess
    """
    if len(random) != SECRET_BYTES:
        raise ValueError("a token is made of 32 random bytes")
    prefix = PREFIXES.get(role, _WEBHOOK_PREFIX)
    return Secret(prefix + base64.urlsafe_b64encode(random).decode().rstrip("="))


def could_be_token(text: str) -> bool:
    """Whether a token of ours looks like this."""
    return _TOKEN.fullmatch(text) is not None


def role_of(text: str) -> str | None:
    """The role that the prefix of a token names; None for what is no token, and for one
    of a webhook, whose prefix names no source."""
    found = (role for role, prefix in PREFIXES.items() if text.startswith(prefix))
    return next(found, None) if could_be_token(text) else None


def digest_of(text: str) -> bytes:
    """What is kept in place of the text: its SHA-256. A slow hash would gain nothing,
    since nobody guesses 32 random bytes."""
    return hashlib.sha256(text.encode(errors="surrogateescape")).digest()


_CHARACTERS: Final = 1024


def presented_token(header: str) -> str | None:
    """The token that `Authorization` shows, as a bearer's or as the password of any
    user; None for everything else."""
    if len(header) > _CHARACTERS:
        return None
    text = credential_of(header)
    return text if could_be_token(text) else None
