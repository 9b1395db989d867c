"""Harbor: its default format, and CloudEvents in structured mode.

goharbor/harbor, src/pkg/notifier/formats. Where an artifact has no tag, its digest
stands in the tag's place.
"""

from collections.abc import Iterable
from typing import Final

from weighbridge.domain.strict_json import Members
from weighbridge.domain.webhooks.fields import (
    each_of,
    members_of,
    moment_of,
    moment_of_seconds,
    pushed,
    text_of,
)
from weighbridge.domain.webhooks.told import Delivery, Outcome

_PUSHED: Final = frozenset({"PUSH_ARTIFACT", "harbor.artifact.pushed"})
_DELETED: Final = frozenset({"DELETE_ARTIFACT", "harbor.artifact.deleted"})


def read(delivery: Delivery) -> Iterable[Outcome]:
    event = members_of(delivery.document)
    kind = text_of(event.get("type"))
    if kind not in _PUSHED | _DELETED:
        return ["not_a_push"]
    is_cloud_event = "specversion" in event
    data = members_of(event.get("data" if is_cloud_event else "event_data"))
    repository = members_of(data.get("repository")).get("repo_full_name")
    at = event.get("time") if is_cloud_event else event.get("occur_at")

    def read_resource(resource: Members) -> Outcome:
        tag, digest = resource.get("tag"), resource.get("digest")
        # The default format has no id.
        name = text_of(event.get("id")) if is_cloud_event else f"{kind} {at}"
        return pushed(
            repository,
            tag,
            digest=digest,
            is_delete=kind in _DELETED,
            pushed_at=moment_of(at) if is_cloud_event else moment_of_seconds(at),
            event=f"{name} {repository} {tag} {digest}",
        )

    return each_of(data.get("resources"), read_resource)
