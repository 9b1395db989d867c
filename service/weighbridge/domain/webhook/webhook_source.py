"""What a source of webhooks is besides its name, what it tells, and what all of them
share: whether whoever sent one knows its secret, reading members strictly, and making
a push of them.

Secrets are compared as bytes, through their SHA-256: in constant time, whatever the
length, and all of them each time. The body is taken for what it is, bytes: it is
parsed only once this is known.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from weighbridge.domain.image.digest import Digest, is_digest
from weighbridge.domain.image.reference import is_repository_name, is_tag
from weighbridge.domain.text.strict_json import Members, read_moment
from weighbridge.errors import DocumentError

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


class PushSeen(Struct, frozen=True):
    """One event about one tag, as its sender tells it. Checked names; nothing else of
    it is believed, and no address in it is ever asked.

    tag:       None where the sender does not say it
    digest:    what it says the tag has now, None where it does not
    is_delete: the tag, or the digest, is said to be gone
    pushed_at: aware, None where it is not said
    event:     what names this event among those of its sender: told twice, it is one
    """

    repository: str
    tag: str | None
    digest: Digest | None
    is_delete: bool
    pushed_at: datetime | None
    event: str


Reason: TypeAlias = Literal["malformed", "not_a_push", "unknown_registry"]
"""Why an event is no push: it is not what its sender sends, it tells of something
else (a pull, a blob, a manifest without a tag), or of another registry."""

Outcome: TypeAlias = PushSeen | Reason
"""Of one event."""


class RawDelivery(Struct, frozen=True):
    """A body that came, as JSON has it.

    headers: by their names in lower case
    host:    of the registry that the body is about, `host[:port]`, as configured
    prefix:  of its paths, "" for none
    """

    document: object
    headers: Mapping[str, str]
    host: str
    prefix: str = ""

    def header(self, name: str) -> str:
        """ "" where it was not sent."""
        return self.headers.get(name, "")


class ParsedDelivery(Struct, frozen=True):
    """Everything that one body tells.

    useless: the reason of each event that is no push
    reply:   what the sender wants back before it sends anything, None mostly
    """

    pushes: tuple[PushSeen, ...] = ()
    useless: tuple[Reason, ...] = ()
    reply: Mapping[str, str] | None = None


Adapter: TypeAlias = Callable[[RawDelivery], Outcome | Iterable[Outcome]]


class WebhookSource(Struct, frozen=True):
    """One sender of webhooks; a line of `sources/source_table.py`.

    read:        from a delivery to its pushes, and why others are none. What names an
                 event differs for two pushes of one tag; "" where the sender has no
                 such name
    recipe:      what to paste into the sender, with {url} for our address and {secret}
    is_secret_in_address: whether the address is all that it takes
    secret_ways: how it shows that it knows the secret
    headers:     those besides that `read` looks at, in lower case
    handshake:   what it wants back before it sends anything, None mostly
    """

    read: Adapter
    recipe: str
    is_secret_in_address: bool = False
    secret_ways: SecretWays = USUAL_WAYS
    headers: tuple[str, ...] = ()
    handshake: Callable[[RawDelivery], Mapping[str, str] | None] | None = None


def form(place: str, fields: Mapping[str, str]) -> str:
    """The recipe for fields that a person fills in, in this place."""
    width = max(map(len, fields))
    lines = [f"{name:{width}}  {value}" for name, value in fields.items()]
    return "\n".join([f"# {place}", *lines])


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""No registry is older. What says so does not know."""
_LATEST_S: Final = 2**35
_ITEMS: Final = 10_000
"""Of one list: senders tell of one event, and Event Grid of 5,000 at most."""


def members_of(value: object) -> Members:
    """An object. Raises DocumentError(malformed)."""
    if type(value) is not dict:
        raise malformed("an object is missing")
    return value


def text_of(value: object) -> str:
    """A text, "" where there is none. Raises DocumentError(malformed)."""
    if value is None:
        return ""
    if type(value) is not str:
        raise malformed("a text is something else")
    return value


def each_of(value: object, read: Callable[[object], Outcome]) -> Iterator[Outcome]:
    """Every event of a list: one that is malformed does not spoil the others. Raises
    DocumentError(malformed)."""
    if type(value) is not list:
        raise malformed("a list is missing")
    if len(value) > _ITEMS:
        raise malformed("a list is longer than a sender makes it")
    for event in value:
        try:
            yield read(event)
        except DocumentError:
            yield "malformed"


def moment_of(value: object) -> datetime | None:
    """A time as RFC 3339 writes it; None for what is none."""
    return read_moment(value, _EARLIEST)


def moment_of_seconds(value: object) -> datetime | None:
    """The same of seconds since 1970."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    if not 0 <= value <= _LATEST_S:
        return None
    moment = _EPOCH + timedelta(seconds=value)
    return moment if moment >= _EARLIEST else None


def pushed(
    repository: object,
    tag: object,
    *,
    event: str,
    digest: object = None,
    is_delete: bool = False,
    pushed_at: datetime | None = None,
) -> Outcome:
    """The push of one tag, with checked names.

    What was pushed without a tag is no push: a child of an index, a signature, or an
    image of which the tag is told by another event. What is deleted without one may
    have had several.
    digest: only a hint, so that one which is none is left out
    Raises DocumentError(malformed).
    """
    if not is_repository_name(repository):
        raise malformed("the repository has no valid name")
    name = _tag_of(tag)
    if name is None and not is_delete:
        return "not_a_push"
    return PushSeen(
        repository=str(repository),
        tag=name,
        digest=Digest(str(digest)) if is_digest(digest) else None,
        is_delete=is_delete,
        pushed_at=pushed_at,
        event=event,
    )


def _tag_of(value: object) -> str | None:
    """None for no tag, which some senders write as the digest."""
    text = text_of(value)
    if not text or is_digest(text):
        return None
    if not is_tag(text):
        raise malformed("the tag has no valid name")
    return text


def malformed(why: str) -> DocumentError:
    return DocumentError(
        f"the webhook's body is not its sender's: {why}", code="malformed"
    )
