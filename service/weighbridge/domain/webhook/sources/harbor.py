"""Harbor: its default format, CloudEvents in structured mode, and CDEvents in those.

goharbor/harbor, src/pkg/notifier/formats. Where an artifact has no tag, its digest
stands in the tag's place. CDEvents tell of pushes only.
"""

from collections.abc import Iterable
from typing import Final

from weighbridge.domain.webhook.webhook_source import (
    Outcome,
    RawDelivery,
    WebhookSource,
    each_of,
    form,
    members_of,
    moment_of,
    moment_of_seconds,
    pushed,
    text_of,
)

_PUSHED: Final = frozenset({"PUSH_ARTIFACT", "harbor.artifact.pushed"})
_DELETED: Final = frozenset({"DELETE_ARTIFACT", "harbor.artifact.deleted"})
# Its version follows.
_CD_PUSHED: Final = "dev.cdevents.artifact.published."


def read(delivery: RawDelivery) -> Outcome | Iterable[Outcome]:
    event = members_of(delivery.document)
    kind = text_of(event.get("type"))
    if kind not in _PUSHED | _DELETED and not kind.startswith(_CD_PUSHED):
        return "not_a_push"
    is_cloud_event = "specversion" in event
    data = members_of(event.get("data" if is_cloud_event else "event_data"))
    data = members_of(data.get("customData", data))
    repository = members_of(data.get("repository")).get("repo_full_name")
    at = event.get("time") if is_cloud_event else event.get("occur_at")
    # The default format has no id. Without a time nothing tells two pushes apart.
    default = "" if at is None else f"{kind} {at}"
    name = text_of(event.get("id")) if is_cloud_event else default

    def read_resource(value: object) -> Outcome:
        resource = members_of(value)
        tag, digest = resource.get("tag"), resource.get("digest")
        return pushed(
            repository,
            tag,
            digest=digest,
            is_delete=kind in _DELETED,
            pushed_at=moment_of(at) if is_cloud_event else moment_of_seconds(at),
            event=f"{name} {repository} {tag} {digest}" if name else "",
        )

    return each_of(data.get("resources"), read_resource)


_RECIPE: Final = form(
    "Projects > the project > Webhooks > New Webhook",
    {
        "Notify Type": "http",
        "Payload Format": "Default (CloudEvents works too)",
        "Event Type": "Artifact pushed, Artifact deleted",
        "Endpoint URL": "{url}",
        "Auth Header": "Bearer {secret}",
    },
)


HARBOR: Final = WebhookSource(read=read, recipe=_RECIPE)
