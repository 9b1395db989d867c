"""Quay: the tags that a push has moved, without an id, a digest or a time.

quay/quay, notifications/notificationevent.py. Two pushes of one tag look the same, so
each of them counts: a second look costs less than a push that nobody sees.
"""

from collections.abc import Iterable
from typing import Final

from weighbridge.domain.webhook.webhook_source import (
    Outcome,
    RawDelivery,
    SecretWays,
    WebhookSource,
    each_of,
    form,
    malformed,
    members_of,
    pushed,
)


def read(delivery: RawDelivery) -> Outcome | Iterable[Outcome]:
    event = members_of(delivery.document)
    if "updated_tags" not in event:
        # A scan, a build, or what its owner's template makes of it.
        return "not_a_push"
    repository = event.get("repository")
    if not isinstance(repository, str):
        raise malformed("it names no repository")
    return each_of(
        event.get("updated_tags"), lambda tag: pushed(repository, tag, event="")
    )


_RECIPE: Final = form(
    "the repository > Settings > Create Notification",
    {
        "When this event occurs": "Push to Repository",
        "Then issue a notification": "Webhook POST",
        "Webhook URL": "{url}",
        "POST JSON body template": "leave it empty",
    },
)


QUAY: Final = WebhookSource(
    read=read,
    recipe=_RECIPE,
    is_secret_in_address=True,
    secret_ways=SecretWays(in_address=True),
)
