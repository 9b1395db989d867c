"""CNCF distribution, and GitLab's registry: `{"events": [...]}`.

distribution, docs/content/about/notifications.md. An event of a blob has no tag, and
neither has a push by digest.
"""

from collections.abc import Iterable
from typing import Final

from weighbridge.domain.image.media_types import OCTET_STREAM, is_file_system
from weighbridge.domain.webhook.webhook_source import (
    Outcome,
    RawDelivery,
    WebhookSource,
    each_of,
    members_of,
    moment_of,
    pushed,
    text_of,
)


def read(delivery: RawDelivery) -> Iterable[Outcome]:
    return each_of(members_of(delivery.document).get("events"), read_event)


def read_event(value: object) -> Outcome:
    """One event; Azure's registries send the same without the envelope."""
    event = members_of(value)
    action = text_of(event.get("action"))
    if action not in ("push", "delete"):
        return "not_a_push"
    target = members_of(event.get("target"))
    media_type = text_of(target.get("mediaType"))
    if media_type == OCTET_STREAM or is_file_system(media_type):
        return "not_a_push"
    return pushed(
        target.get("repository"),
        target.get("tag"),
        digest=target.get("digest"),
        is_delete=action == "delete",
        pushed_at=moment_of(event.get("timestamp")),
        event=text_of(event.get("id")),
    )


_RECIPE: Final = """\
# config.yml of the registry, which has to be started again
notifications:
  endpoints:
    - name: weighbridge
      url: {url}
      headers:
        Authorization: ["Bearer {secret}"]
      timeout: 5s
      threshold: 5
      backoff: 1s
      ignore:
        mediatypes: [application/octet-stream]
        actions: [pull, mount]
"""


DISTRIBUTION: Final = WebhookSource(read=read, recipe=_RECIPE)
