"""What a webhook's body tells: pushes, hints where to ask, or why there is none."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, TypeAlias

from msgspec import Struct

from weighbridge.domain.image.digest import Digest


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
