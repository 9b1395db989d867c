"""Whether whoever sent a webhook knows its secret, in each way that a sender has.

Secrets are compared as bytes, through their SHA-256: in constant time, whatever the
length, and all of them each time. The body is taken for what it is, bytes: it is
parsed only once this is known.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

from msgspec import Struct

SIGNATURE_HEADERS: Final = frozenset({"x-hub-signature-256", "webhook-signature"})
"""Of signatures that any sender may make."""
TOLERANCE_S: Final = 300
"""standard-webhooks, "Verifying webhook authenticity"."""
_SIGNATURES: Final = 8
_HEADER_CHARACTERS: Final = 4096
_HEX: Final = {
    "sha1": re.compile(r"[0-9a-f]{40}", re.ASCII),
    "sha256": re.compile(r"[0-9a-f]{64}", re.ASCII),
}
_SECONDS: Final = re.compile(r"[0-9]{1,12}", re.ASCII)
_STANDARD_PREFIX: Final = "whsec_"


class SecretWays(Struct, frozen=True):
    """How a sender shows that it knows the secret, besides `Authorization` and the
    signatures of GitHub and of standard-webhooks.

    in_address: in the path or the query: it has nothing else that is secret
    header:     one of its own, in lower case
    hash:       of the HMAC of the body, in hexadecimal digits, that this header holds
    is_plain:   whether it may hold the secret itself
    """

    in_address: bool = False
    header: str = ""
    hash: Literal["sha1", "sha256"] = "sha256"
    is_plain: bool = False


USUAL_WAYS: Final = SecretWays()


class ShownSecret(Struct, frozen=True):
    """What a request shows, its body aside.

    ways:    how its sender may show the secret
    headers: by their names in lower case; one that came twice is not among them
    path:    the secret in its path, "" for none
    query:   the value of `key` in its query, "" for none
    now_s:   seconds since 1970
    """

    source: str
    ways: SecretWays
    headers: Mapping[str, str]
    path: str
    query: str
    now_s: float

    @property
    def is_signed(self) -> bool:
        """Whether its body counts too."""
        return self.ways.header in self.headers or not SIGNATURE_HEADERS.isdisjoint(
            self.headers
        )


class SecretKey:
    """A secret, ready to be compared."""

    __slots__ = ("_digest", "_secret", "_standard")

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        self._digest = hashlib.sha256(self._secret).digest()
        self._standard = _standard_key(secret)

    def is_shown(self, digests: Iterable[bytes]) -> bool:
        """Whether one of these is the SHA-256 of the secret."""
        found = False
        for digest in digests:
            found |= hmac.compare_digest(digest, self._digest)
        return found

    def has_signed(self, shown: ShownSecret, body: bytes) -> bool:
        """Whether a signature that was sent is of this body by this secret."""
        found = False
        for name, check in ((shown.ways.header, SecretKey._is_own), *_SIGNED):
            header = shown.headers.get(name, "")
            if header and len(header) <= _HEADER_CHARACTERS:
                found |= check(self, shown, header, body)
        return found

    def _is_hub(self, shown: ShownSecret, header: str, body: bytes) -> bool:
        """GitHub, "Validating webhook deliveries"."""
        name, _, text = header.partition("=")
        return name == "sha256" and self._is_hmac(name, text, body)

    def _is_own(self, shown: ShownSecret, header: str, body: bytes) -> bool:
        return self._is_hmac(shown.ways.hash, header, body)

    def _is_standard(self, shown: ShownSecret, header: str, body: bytes) -> bool:
        """standard-webhooks: `v1,BASE64`, as many as there are keys, over id, time
        and body."""
        sent_at = shown.headers.get("webhook-timestamp", "")
        name = shown.headers.get("webhook-id", "")
        signatures = header.split(" ")
        if not _SECONDS.fullmatch(sent_at) or len(signatures) > _SIGNATURES:
            return False
        if abs(shown.now_s - int(sent_at)) > TOLERANCE_S:
            return False
        signed = f"{name}.{sent_at}.".encode(errors="surrogatepass") + body
        made = hmac.new(self._standard, signed, hashlib.sha256).digest()
        found = False
        for signature in signatures:
            version, _, text = signature.partition(",")
            found |= version == "v1" and hmac.compare_digest(_decoded(text), made)
        return found

    def _is_hmac(self, name: str, text: str, body: bytes) -> bool:
        if not _HEX[name].fullmatch(text):
            return False
        made = hmac.new(self._secret, body, name).digest()
        return hmac.compare_digest(made, bytes.fromhex(text))


_SIGNED: Final = (
    ("x-hub-signature-256", SecretKey._is_hub),
    ("webhook-signature", SecretKey._is_standard),
)


def shown_digests(shown: ShownSecret) -> Sequence[bytes]:
    """The SHA-256 of everything that the request shows in the place of a secret."""
    texts = _authorization(shown.headers.get("authorization", ""))
    if shown.ways.is_plain:
        texts.append(shown.headers.get(shown.ways.header, ""))
    if shown.ways.in_address:
        texts += [shown.path, shown.query]
    return [
        hashlib.sha256(text.encode(errors="surrogatepass")).digest()
        for text in texts
        if text and len(text) <= _HEADER_CHARACTERS
    ]


def _authorization(header: str) -> list[str]:
    """The secret as it is, as a bearer's token, or as the password of any user."""
    if len(header) > _HEADER_CHARACTERS:
        return []
    return [header.strip(" "), credential_of(header)]


def credential_of(header: str) -> str:
    """What `Authorization` shows: a bearer's token (RFC 6750 2.1), or the password of
    any user (RFC 7617); "" for everything else."""
    scheme, _, rest = header.strip(" ").partition(" ")
    rest = rest.strip(" ")
    # Schemes are case-insensitive (RFC 9110 11.1).
    if scheme.lower() == "bearer":
        return rest
    if scheme.lower() == "basic":
        # The first colon ends the user name (RFC 7617 2).
        return _decoded(rest).decode("latin-1").partition(":")[2]
    return ""


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _standard_key(secret: str) -> bytes:
    """The bytes in a `whsec_` secret; every other secret is its own text."""
    text = secret.removeprefix(_STANDARD_PREFIX)
    return _decoded(text) or secret.encode() if text != secret else secret.encode()
