"""Sonatype Nexus: the capability "Webhook: Repository", components and assets.

sonatype/nexus-public, RepositoryComponentWebhook.java and RepositoryAssetWebhook.java.
Its repository has a registry of its own, so that the name is the image's. A tag that
is pushed again is told as an asset only.
"""

import re
from typing import Final

from weighbridge.domain.webhook.webhook_source import (
    Outcome,
    RawDelivery,
    SecretWays,
    WebhookSource,
    form,
    members_of,
    moment_of,
    pushed,
    text_of,
)

_ACTIONS: Final = frozenset({"CREATED", "UPDATED", "DELETED"})
_MANIFEST: Final = re.compile(r"/?v2/(.+)/manifests/([^/]+)")


def read(delivery: RawDelivery) -> Outcome:
    event = members_of(delivery.document)
    action = text_of(event.get("action"))
    item = event.get("component", event.get("asset"))
    if action not in _ACTIONS or item is None:
        return "not_a_push"
    named = members_of(item)
    if named.get("format") != "docker":
        return "not_a_push"
    repository, tag = text_of(named.get("name")), text_of(named.get("version"))
    if "component" not in event:
        manifest = _MANIFEST.fullmatch(repository)
        if manifest is None:
            return "not_a_push"  # a layer
        repository, tag = manifest.groups()
    return pushed(
        repository,
        tag,
        is_delete=action == "DELETED",
        pushed_at=moment_of(event.get("timestamp")),
        event=delivery.header("x-nexus-webhook-delivery"),
    )


_RECIPE: Final = form(
    "System > Capabilities > Create > Webhook: Repository",
    {
        "Repository": "the docker repository",
        "Event Types": "component, asset",
        "URL": "{url}",
        "Secret Key": "{secret}",
    },
)


# It has no other hash; HMAC does not need it to be without collisions.
NEXUS: Final = WebhookSource(
    read=read,
    recipe=_RECIPE,
    headers=("x-nexus-webhook-delivery",),
    secret_ways=SecretWays(header="x-nexus-webhook-signature", hash="sha1"),
)
