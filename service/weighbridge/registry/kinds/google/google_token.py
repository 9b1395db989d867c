"""The tokens by which Google's APIs know who asks.

A service account signs its own (google.aip.dev/auth/4111): no token server is asked,
and the key is shown to nobody.
"""

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Final, Protocol

from msgspec import Struct

from weighbridge.domain.text.printable import Secret
from weighbridge.registry.kinds.google.google_key import ServiceKey, refused_key
from weighbridge.registry.login.credentials import bearer
from weighbridge.registry.pacing.rate_limiter import Clock

AUDIENCE: Final = "https://artifactregistry.googleapis.com/"
"""Whom a token is for; it is of no use anywhere else."""
TOKEN_USER: Final = "oauth2accesstoken"  # noqa: S105 - a user name
"""The user name by which Google's registries take an access token for the password."""
_LASTS_S: Final = 3_600
"""The longest that Google takes."""
_USED_S: Final = 3_000.0


class GoogleToken(Protocol):
    """Who we are at Google's API."""

    async def authorization(self) -> Secret:
        """The value of the header. Raises AuthError."""


class GivenToken(Struct, frozen=True):
    """One that somebody else asked for, and that lasts as long as it does."""

    token: Secret

    async def authorization(self) -> Secret:
        return bearer(self.token)


class SignedToken:
    """One that a service account's key signs, made again before it ends."""

    def __init__(self, key: ServiceKey, clock: Clock) -> None:
        """Raises ConfigError(secret_file) where the key cannot sign."""
        self._key = key
        self._clock = clock
        self._sign()

    async def authorization(self) -> Secret:
        if self._clock.monotonic() >= self._until:
            self._sign()
        return self._authorization

    def _sign(self) -> None:
        self._authorization = bearer(signed_token(self._key, self._clock.now()))
        self._until = self._clock.monotonic() + _USED_S


def can_sign() -> bool:
    """Whether the extra `google` is installed."""
    try:
        import cryptography  # noqa: F401 - whether it is there is all that is asked
    except ImportError:
        return False
    return True


def signed_token(key: ServiceKey, now: datetime) -> Secret:
    """A token of RFC 7519, signed by RS256 (RFC 7518 3.3). Raises
    ConfigError(secret_file) where the key cannot sign."""
    # Late: an extra, and slow to load.
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    begins = int(now.timestamp())
    head = {"alg": "RS256", "typ": "JWT", "kid": key.key_id}
    claims = {
        "iss": key.email,
        "sub": key.email,
        "aud": AUDIENCE,
        "iat": begins,
        "exp": begins + _LASTS_S,
    }
    text = f"{_part(head)}.{_part(claims)}"
    try:
        loaded = load_pem_private_key(key.private_key.reveal().encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # `from None`: the cause may quote the key.
        raise refused_key(key.path, "holds a key that cannot be read") from None
    if not isinstance(loaded, RSAPrivateKey):
        raise refused_key(key.path, "holds a key that is not RSA")
    signature = loaded.sign(text.encode(), PKCS1v15(), SHA256())
    return Secret(f"{text}.{_base64(signature)}")


def _part(value: Mapping[str, object]) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(raw: bytes) -> str:
    """RFC 7515 2: without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
