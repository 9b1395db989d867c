"""GitHub Packages: the events `registry_package` and, older, `package`.

docs.github.com, webhook-events-and-payloads. Each manifest of an index is told too,
without a tag; the delivery's id stands in a header.
"""

from typing import Final

from weighbridge.domain.text.strict_json import Members
from weighbridge.domain.webhook.webhook_source import (
    Outcome,
    RawDelivery,
    WebhookSource,
    form,
    members_of,
    moment_of,
    pushed,
    text_of,
)

_HOST: Final = "ghcr.io/"
_EVENTS: Final = frozenset({"registry_package", "package"})
_ACTIONS: Final = frozenset({"published", "updated"})


def read(delivery: RawDelivery) -> Outcome:
    kind = delivery.header("x-github-event")
    event = members_of(delivery.document)
    if kind not in _EVENTS or text_of(event.get("action")) not in _ACTIONS:
        return "not_a_push"  # `ping` among them
    package = members_of(event.get(kind))
    version = members_of(package.get("package_version"))
    container = version.get("container_metadata")
    if not isinstance(container, dict) or not container:
        return "not_a_push"  # a package of another kind
    tag = members_of(container.get("tag"))
    return pushed(
        _repository(package, version),
        tag.get("name"),
        digest=tag.get("digest"),
        pushed_at=moment_of(version.get("updated_at")),
        event=delivery.header("x-github-delivery"),
    )


def _repository(package: Members, version: Members) -> str:
    """As the registry knows it: in lower case, whatever its owner is called."""
    for holder in (version, package):
        address = text_of(holder.get("package_url")).lower()
        if address.startswith(_HOST):
            return address.removeprefix(_HOST).partition("@")[0].partition(":")[0]
    owner = text_of(members_of(package.get("owner")).get("login"))
    return f"{owner}/{text_of(package.get('name'))}".lower()


_RECIPE: Final = form(
    "the organisation or repository > Settings > Webhooks > Add webhook",
    {
        "Payload URL": "{url}",
        "Content type": "application/json",
        "Secret": "{secret}",
        "Which events": "let me select: Registry packages",
    },
)


GHCR: Final = WebhookSource(
    read=read, recipe=_RECIPE, headers=("x-github-event", "x-github-delivery")
)
