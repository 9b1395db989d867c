"""What a source of webhooks is besides its name, what it tells, and what all of them
share: reading members strictly, and making a push of them."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from weighbridge.domain.image.digest import Digest, is_digest
from weighbridge.domain.image.reference import is_repository_name, is_tag
from weighbridge.domain.text.strict_json import Members, read_moment
from weighbridge.domain.webhook.webhook_secret import USUAL_WAYS, SecretWays
from weighbridge.errors import DocumentError


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
    """

    document: object
    headers: Mapping[str, str]
    host: str

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
    recipe:      what to paste into the sender, of our address and the secret
    is_secret_in_address: whether the address is all that it takes
    secret_ways: how it shows that it knows the secret
    headers:     those besides that `read` looks at, in lower case
    handshake:   what it wants back before it sends anything, None mostly
    """

    read: Adapter
    recipe: Callable[[str, str], str]
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
