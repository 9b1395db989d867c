"""JFrog Artifactory: the domain `docker`, without an id or a time.

docs.jfrog.com, event types; older versions send the data without the envelope. As
with Quay, each push counts: a tag that goes back to what it was is told in the same
words.
"""

from typing import Final

from weighbridge.domain.text.strict_json import Members
from weighbridge.domain.webhook.webhook_source import (
    Outcome,
    RawDelivery,
    SecretWays,
    WebhookSource,
    form,
    members_of,
    pushed,
    text_of,
)

_PUSHED: Final = frozenset({"pushed", "promoted"})


def read(delivery: RawDelivery) -> Outcome:
    event = members_of(delivery.document)
    data = members_of(event["data"]) if "data" in event else event
    kind = text_of(event.get("event_type", data.get("event_type")))
    domain = event.get("domain", "docker")
    if domain != "docker" or kind not in _PUSHED | {"deleted"}:
        return "not_a_push"
    repository = _repository(data, delivery)
    if repository is None:
        return "unknown_registry"
    return pushed(
        repository,
        data.get("tag"),
        digest=f"sha256:{text_of(data.get('sha256'))}",
        is_delete=kind == "deleted",
        event="",
    )


def _repository(data: Members, delivery: RawDelivery) -> str | None:
    """Docker clients name Artifactory's repository in the host or in the path, see
    jfrog.com/help, "Reverse Proxy Settings". The path of the API is that of one
    (`/artifactory/api/docker/KEY`); None: of another one than this registry is."""
    key, image = text_of(data.get("repo_key")), text_of(data.get("image_name"))
    if delivery.prefix and key:
        return image if delivery.prefix.rpartition("/")[2] == key else None
    first = delivery.host.partition(".")[0]
    is_in_host = first == key or first.endswith(f"-{key}")
    return image if is_in_host or not key else f"{key}/{image}"


_RECIPE: Final = form(
    "Administration > Webhooks > New Webhook",
    {
        "URL": "{url}",
        "Events": "Docker: tag was pushed, deleted, promoted",
        "Secret token": "{secret}",
    },
)


# Newer versions sign with the secret that older ones send as it is.
ARTIFACTORY: Final = WebhookSource(
    read=read,
    recipe=_RECIPE,
    secret_ways=SecretWays(header="x-jfrog-event-auth", hash="sha256", is_plain=True),
)
