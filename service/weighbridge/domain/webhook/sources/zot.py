"""zot: CloudEvents in binary mode, their attributes in headers.

project-zot/zot, pkg/extensions/events. A type begins with `zotregistry`, or with what
the registry's configuration says instead.
"""

from typing import Final

from weighbridge.domain.webhook.webhook_source import (
    Outcome,
    RawDelivery,
    WebhookSource,
    members_of,
    moment_of,
    pushed,
)

_PUSHED: Final = ".image.updated"
_DELETED: Final = ".image.deleted"


def read(delivery: RawDelivery) -> Outcome:
    kind = delivery.header("ce-type")
    event = members_of(delivery.document)
    if not kind.endswith((_PUSHED, _DELETED)):
        return "not_a_push"
    return pushed(
        event.get("name"),
        event.get("reference"),
        digest=event.get("digest"),
        is_delete=kind.endswith(_DELETED),
        pushed_at=moment_of(delivery.header("ce-time")),
        event=delivery.header("ce-id"),
    )


_RECIPE: Final = """\
"extensions": {{
  "events": {{
    "enable": true,
    "sinks": [
      {{
        "type": "http",
        "address": "{url}",
        "timeout": "5s",
        "credentials": {{"username": "weighbridge", "password": "{secret}"}}
      }}
    ]
  }}
}}
"""


ZOT: Final = WebhookSource(
    read=read, recipe=_RECIPE, headers=("ce-type", "ce-id", "ce-time")
)
