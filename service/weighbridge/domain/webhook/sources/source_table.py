"""Reads a webhook's body by its sender's adapter."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeAlias

from msgspec.structs import replace

from weighbridge.domain.text.strict_json import parse_json
from weighbridge.domain.webhook.parsed_delivery import (
    Outcome,
    ParsedDelivery,
    RawDelivery,
    Reason,
)
from weighbridge.domain.webhook.push import PushSeen, Source
from weighbridge.domain.webhook.sources import (
    acr,
    artifactory,
    distribution,
    dockerhub,
    ecr,
    ghcr,
    google,
    harbor,
    nexus,
    quay,
    zot,
)
from weighbridge.errors import DocumentError

Adapter: TypeAlias = Callable[[RawDelivery], Iterable[Outcome]]

ADAPTERS: Final[Mapping[Source, Adapter]] = {
    "acr": acr.read,
    "artifactory": artifactory.read,
    "distribution": distribution.read,
    "dockerhub": dockerhub.read,
    "ecr": ecr.read,
    "ghcr": ghcr.read,
    # Its registry is a distribution, and sends what that sends.
    "gitlab": distribution.read,
    "google": google.read,
    "harbor": harbor.read,
    "nexus": nexus.read,
    "quay": quay.read,
    "zot": zot.read,
}


def read_body(
    source: Source, body: bytes, headers: Mapping[str, str], host: str = ""
) -> ParsedDelivery:
    """What the body tells; never raises.

    headers: by their names in lower case
    host:    of the registry that the sender speaks for, `host[:port]`
    """
    try:
        delivery = RawDelivery(parse_json(body), headers, host)
        if source == "acr" and (reply := acr.handshake(delivery)) is not None:
            return ParsedDelivery(reply=reply)
        outcomes = tuple(ADAPTERS[source](delivery))
    except DocumentError:
        return ParsedDelivery(useless=("malformed",))
    pushes = tuple(
        _named(each, headers) for each in outcomes if isinstance(each, PushSeen)
    )
    useless: tuple[Reason, ...] = tuple(
        each for each in outcomes if not isinstance(each, PushSeen)
    )
    # Nothing at all is no push either.
    return ParsedDelivery(pushes, useless if pushes or useless else ("not_a_push",))


def _named(push: PushSeen, headers: Mapping[str, str]) -> PushSeen:
    """With the name that standard-webhooks has for a message, where its body has
    none: what is sent again is told once."""
    message = headers.get("webhook-id", "")
    if push.event or not message:
        return push
    return replace(push, event=f"{message} {push.repository} {push.tag}")
