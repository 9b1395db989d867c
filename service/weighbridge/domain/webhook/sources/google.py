"""Google Artifact Registry: the topic `gcr`, pushed by Pub/Sub.

cloud.google.com, artifact-registry/docs/configure-notifications. The topic is the
project's: it tells of every registry that the project has, so the host counts.
"""

import base64
import binascii
from typing import Final

from weighbridge.domain.text.strict_json import parse_json
from weighbridge.domain.webhook.webhook_source import (
    Outcome,
    RawDelivery,
    SecretWays,
    WebhookSource,
    malformed,
    members_of,
    moment_of,
    pushed,
    text_of,
)


def read(delivery: RawDelivery) -> Outcome:
    message = members_of(members_of(delivery.document).get("message"))
    event = members_of(parse_json(_decoded(text_of(message.get("data")))))
    action = event.get("action")
    if action not in ("INSERT", "DELETE"):
        return "not_a_push"
    path, _, digest = text_of(event.get("digest")).partition("@")
    # A port would stand before the first slash.
    place, colon, tag = text_of(event.get("tag")).rpartition(":")
    named = place if colon and "/" in place else path
    host, _, repository = named.partition("/")
    if delivery.host and host != delivery.host:
        return "unknown_registry"
    return pushed(
        repository,
        tag if named == place else "",
        digest=digest,
        is_delete=action == "DELETE",
        pushed_at=moment_of(message.get("publishTime")),
        event=text_of(message.get("messageId")),
    )


def _decoded(data: str) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise malformed("its data is not base64") from exc


_RECIPE: Final = """\
# In each project; the topic has to have this name.
gcloud pubsub topics create gcr
gcloud pubsub subscriptions create weighbridge --topic=gcr \\
  --push-endpoint='{url}'
"""


GOOGLE: Final = WebhookSource(
    read=read,
    recipe=_RECIPE,
    is_secret_in_address=True,
    secret_ways=SecretWays(in_address=True),
)
