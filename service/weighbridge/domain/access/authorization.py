"""Reads the header `Authorization`: what a client shows to be let in."""

import base64
import binascii
from typing import Final

from weighbridge.domain.access.roles import could_be_token

_CHARACTERS: Final = 1024


def presented_token(header: str) -> str | None:
    """The token of `Bearer TOKEN` (RFC 6750 2.1), or of `Basic` (RFC 7617) with any
    user name and the token as the password. None for everything else."""
    if len(header) > _CHARACTERS:
        return None
    scheme, _, rest = header.strip(" ").partition(" ")
    rest = rest.strip(" ")
    # Schemes are case-insensitive (RFC 9110 11.1).
    if scheme.lower() == "bearer":
        text = rest
    elif scheme.lower() == "basic":
        text = _password(rest)
    else:
        return None
    return text if could_be_token(text) else None


def _password(encoded: str) -> str:
    try:
        pair = base64.b64decode(encoded, validate=True).decode("ascii", "replace")
    except (binascii.Error, ValueError):
        return ""
    # The first colon ends the user name (RFC 7617 2).
    return pair.partition(":")[2]
