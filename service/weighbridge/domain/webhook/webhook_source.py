"""What a source of webhooks is, besides its name."""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from msgspec import Struct

from weighbridge.domain.webhook.parsed_delivery import Outcome, RawDelivery
from weighbridge.domain.webhook.webhook_secret import USUAL_WAYS, SecretWays

Adapter: TypeAlias = Callable[[RawDelivery], Iterable[Outcome]]


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
