"""zot: CloudEvents in binary mode, their attributes in headers.

project-zot/zot, pkg/extensions/events.
"""

from collections.abc import Iterable
from typing import Final

from weighbridge.domain.webhooks.fields import members_of, moment_of, pushed
from weighbridge.domain.webhooks.told import Delivery, Outcome

_DELETED: Final = "zotregistry.image.deleted"
_EVENTS: Final = frozenset({"zotregistry.image.updated", _DELETED})


def read(delivery: Delivery) -> Iterable[Outcome]:
    kind = delivery.header("ce-type")
    event = members_of(delivery.document)
    if kind not in _EVENTS:
        return ["not_a_push"]
    return [
        pushed(
            event.get("name"),
            event.get("reference"),
            digest=event.get("digest"),
            is_delete=kind == _DELETED,
            pushed_at=moment_of(delivery.header("ce-time")),
            event=delivery.header("ce-id"),
        )
    ]
