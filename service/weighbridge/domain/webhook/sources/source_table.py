"""All sources of webhooks: a new one is an entry beside this, and a line here."""

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from weighbridge.domain.text.strict_json import parse_json
from weighbridge.domain.webhook.sources.servers import (
    ARTIFACTORY,
    DISTRIBUTION,
    GITLAB,
    HARBOR,
    NEXUS,
    ZOT,
)
from weighbridge.domain.webhook.sources.services import (
    ACR,
    DOCKERHUB,
    ECR,
    GHCR,
    GOOGLE,
    QUAY,
)
from weighbridge.domain.webhook.webhook_source import (
    ParsedDelivery,
    PushSeen,
    RawDelivery,
    Reason,
    WebhookSource,
)
from weighbridge.errors import DocumentError

SOURCES: Final[Mapping[str, WebhookSource]] = {
    "distribution": DISTRIBUTION,
    "harbor": HARBOR,
    "dockerhub": DOCKERHUB,
    "quay": QUAY,
    "ghcr": GHCR,
    "gitlab": GITLAB,
    "ecr": ECR,
    "acr": ACR,
    "google": GOOGLE,
    "artifactory": ARTIFACTORY,
    "nexus": NEXUS,
    "zot": ZOT,
}
"""Each by the last part of `/webhooks/{source}`, as they are named to people."""
SOURCE_NAMES: Final = tuple(sorted(SOURCES))


def read_body(
    source: str, body: bytes, headers: Mapping[str, str], host: str = ""
) -> ParsedDelivery:
    """What the body tells; never raises.

    headers: by their names in lower case
    host:    of the registry that the sender speaks for, `host[:port]`
    """
    try:
        delivery = RawDelivery(parse_json(body), headers, host)
        sender = SOURCES[source]
        if sender.handshake and (reply := sender.handshake(delivery)) is not None:
            return ParsedDelivery(reply=reply)
        told = sender.read(delivery)
        outcomes = (told,) if isinstance(told, PushSeen | str) else tuple(told)
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
