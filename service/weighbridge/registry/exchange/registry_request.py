"""One question to a registry and its answer, between the transport and the calls."""

from typing import Final, Literal, TypeAlias

from msgspec import Struct, field

from weighbridge.domain.text.secret import Secret
from weighbridge.net.guard.reach import Reach
from weighbridge.net.http1.header_fields import Fields

Operation: TypeAlias = Literal[
    "ping",
    "token",
    "catalog",
    "tags",
    "bulk",
    "manifest_head",
    "manifest_get",
    "config",
    "blob_range",
    "blob_head",
]
"""What a request is for: the label of the metrics, and what answers are expected."""

Method: TypeAlias = Literal["GET", "HEAD", "POST"]

JSON: Final = "application/json"


class RegistryRequest(Struct, frozen=True):
    """A GET or HEAD, or the POST of a sign-in.

    scope:      what a token must allow, see `auth`; "" asks for none
    body_limit: bytes of a good answer; errors have a cap of their own
    byte_range: the value of `Range`, or ""
    handles:    statuses that whoever asks wants to see instead of an error
    ceiling:    instead of the endpoint's own, or None
    secret:     of a POST: the JSON that it sends
    """

    operation: Operation
    url: str
    scope: str
    body_limit: int
    method: Method = "GET"
    accept: str = JSON
    byte_range: str = ""
    handles: frozenset[int] = field(default_factory=frozenset)
    follow_redirects: bool = True
    ceiling: Reach | None = None
    secret: Secret | None = None

    @property
    def is_of_blob(self) -> bool:
        """Whether a good answer is what somebody pushed, byte by byte."""
        return self.operation in ("config", "blob_range")


class RegistryAnswer(Struct, frozen=True):
    """What came back, read whole.

    content:   None where it was longer than `body_limit` and is not needed
    is_proven: whether the framing proves that it is whole; a body that ends with
               its connection does not
    is_away:   whether it comes from another origin than the registry's
    """

    status: int
    headers: Fields
    content: bytes | None
    is_proven: bool
    is_away: bool
