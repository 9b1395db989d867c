"""All sources of webhooks: a new one is a file beside this, and a line here."""

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from weighbridge.domain.text.strict_json import parse_json
from weighbridge.domain.webhook.sources.acr import ACR
from weighbridge.domain.webhook.sources.artifactory import ARTIFACTORY
from weighbridge.domain.webhook.sources.distribution import DISTRIBUTION
from weighbridge.domain.webhook.sources.dockerhub import DOCKERHUB
from weighbridge.domain.webhook.sources.ecr import ECR
from weighbridge.domain.webhook.sources.ghcr import GHCR
from weighbridge.domain.webhook.sources.gitlab import GITLAB
from weighbridge.domain.webhook.sources.google import GOOGLE
from weighbridge.domain.webhook.sources.harbor import HARBOR
from weighbridge.domain.webhook.sources.nexus import NEXUS
from weighbridge.domain.webhook.sources.quay import QUAY
from weighbridge.domain.webhook.sources.zot import ZOT
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
    source: str,
    body: bytes,
    headers: Mapping[str, str],
    host: str = "",
    prefix: str = "",
) -> ParsedDelivery:
    """What the body tells; never raises.

    headers: by their names in lower case
    host:    of the registry that the sender speaks for, `host[:port]`
    prefix:  of its paths, "" for none
    """
    try:
        delivery = RawDelivery(parse_json(body), headers, host, prefix)
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
