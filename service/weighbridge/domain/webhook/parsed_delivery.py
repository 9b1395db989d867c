"""What a webhook's body tells: pushes, or why there is none."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from msgspec import Struct

from weighbridge.domain.webhook.push import PushSeen

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
