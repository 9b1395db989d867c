"""One question to a registry and its answer, between the transport and the calls."""

from typing import Final, Literal, TypeAlias

from msgspec import Struct, field

from weighbridge.domain.limits import ERROR_BODY_BYTES
from weighbridge.net.http1.head import Fields

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
    """What is asked, and what counts as its answer.

    scope:      what a token must allow, see `auth`; "" asks for none
    body_limit: bytes of a good answer; errors have a cap of their own
    byte_range: the value of `Range`, or ""
    handles:    statuses that whoever asks wants to see instead of an error
    """

    operation: Operation
    url: str
    scope: str
    body_limit: int
    method: Method = "GET"
    accept: str = JSON
    byte_range: str = ""
    handles: frozenset[int] = field(default_factory=frozenset)

    @property
    def read_limit(self) -> int:
        """Bytes of any answer: room for an error's own words, where little is asked
        for."""
        return max(self.body_limit, ERROR_BODY_BYTES)

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
