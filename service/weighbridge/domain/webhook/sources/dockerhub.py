"""Docker Hub: a tag and the second of its push, no id and no digest.

docker/docs, docker-hub/repos/manage/webhooks.md. Its `callback_url` is never asked.
"""

from typing import Final

from weighbridge.domain.webhook.webhook_source import (
    Outcome,
    RawDelivery,
    SecretWays,
    WebhookSource,
    form,
    members_of,
    moment_of_seconds,
    pushed,
    text_of,
)


def read(delivery: RawDelivery) -> Outcome:
    event = members_of(delivery.document)
    push = members_of(event.get("push_data"))
    repository = text_of(members_of(event.get("repository")).get("repo_name"))
    if "/" not in repository:
        repository = f"library/{repository}"
    tag, at = push.get("tag"), push.get("pushed_at")
    pushed_at = moment_of_seconds(at)
    # Without a time nothing tells two pushes of the same tag apart.
    name = "" if pushed_at is None else f"{repository} {tag} {at}"
    return pushed(repository, tag, pushed_at=pushed_at, event=name)


_RECIPE: Final = form(
    "Repositories > the repository > Webhooks",
    {"Webhook name": "weighbridge", "Webhook URL": "{url}"},
)


DOCKERHUB: Final = WebhookSource(
    read=read,
    recipe=_RECIPE,
    is_secret_in_address=True,
    secret_ways=SecretWays(in_address=True),
)
