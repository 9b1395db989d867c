"""Who we are at a registry: a user with a password, or a token."""

import base64
from typing import Final, Protocol

from msgspec import Struct

from weighbridge.domain.text.printable import Secret
from weighbridge.errors import UsageError

REFRESH_TOKEN_USERS: Final = frozenset(
    ("<token>", "00000000-0000-0000-0000-000000000000")
)
"""What stands in place of a user name where the password is an OAuth2 refresh token:
docker's word for it, and that of Azure's registries."""


class LoginNames(Struct, frozen=True):
    """By which names docker keeps the login of one registry.

    hosts:  all that mean it
    server: what a credential helper calls it
    """

    hosts: frozenset[str] = frozenset()
    server: str = ""


NO_OTHER_NAMES: Final = LoginNames()
"""Its login is kept under its host alone."""


class Credential(Struct, frozen=True):
    """Either `username` and `password`, or `token`.

    password: sent by HTTP Basic, to the registry or to its token server
    token:    a ready Bearer token, sent to the registry alone
    """

    username: str = ""
    password: Secret | None = None
    token: Secret | None = None

    def __post_init__(self) -> None:
        if (self.password is None) == (self.token is None):
            raise UsageError(
                "a credential is a user name with a password, or a token",
                code="invalid_credential",
                hint="give one of them, not both",
            )
        # RFC 7617 2: the first colon ends the user name; controls are forbidden.
        if ":" in self.username or not self.username.isprintable():
            raise UsageError(
                "a user name holds a colon or a control character",
                code="invalid_credential",
            )
        if self.password is not None and not _is_unicode(self.password):
            raise UsageError(
                "a password holds half of a surrogate pair, which no text does",
                code="invalid_credential",
            )
        if self.token is not None and not is_bearer_token(self.token.reveal()):
            raise UsageError(
                "a token holds characters that cannot be sent",
                code="invalid_credential",
                hint="check for a line end or a blank in the file",
            )

    def __str__(self) -> str:
        """Who this is, for messages."""
        if self.refresh_token is not None:
            return "the configured refresh token"
        return f"user {self.username!r}" if self.password else "the configured token"

    @property
    def refresh_token(self) -> Secret | None:
        """The password, where it is no person's but is shown to a token server by
        POST."""
        return self.password if self.username in REFRESH_TOKEN_USERS else None

    @property
    def api_password(self) -> Secret | None:
        """The password, where a vendor's API may see it: a refresh token is for token
        servers alone."""
        return None if self.refresh_token is not None else self.password

    def authorization(self) -> Secret:
        """What it is known by: the value of `Authorization` that shows it to whom it
        is shown without a token server."""
        return self.basic() if self.token is None else bearer(self.token)

    def basic(self) -> Secret:
        """The value of `Authorization` for HTTP Basic (RFC 7617, UTF-8)."""
        password = "" if self.password is None else self.password.reveal()
        pair = f"{self.username}:{password}".encode()
        return Secret(f"Basic {base64.b64encode(pair).decode('ascii')}")


class GivenCredential(Struct, frozen=True):
    """One that was given for a time.

    lasts_s: seconds from now in which it is used, already cut short
    """

    credential: Credential
    lasts_s: float


class CredentialSource(Protocol):
    """A credential that a registry gives for a time, and that is asked for once a
    request needs it."""

    def __str__(self) -> str:
        """Who this is, for messages."""

    async def credential(self, refused: Secret | None) -> Credential | None:
        """The one that is good now; None: the registry is asked as nobody. Raises
        AuthError, TransportError, RegistryError.

        refused: the `Authorization` that the registry did not take, None for none;
                 where that is of the credential at hand, another one is asked for
        """


def _is_unicode(secret: Secret) -> bool:
    """Whether UTF-8 can hold it: JSON may escape what no text holds (RFC 8259 8.2)."""
    try:
        secret.reveal().encode()
    except UnicodeEncodeError:
        return False
    return True


def is_bearer_token(text: str) -> bool:
    """Whether a header can carry it: visible ASCII, not empty."""
    return text != "" and text.isascii() and text.isprintable() and " " not in text


def bearer(token: Secret) -> Secret:
    """The value of `Authorization` for a Bearer token (RFC 6750 2.1)."""
    return Secret(f"Bearer {token.reveal()}")
