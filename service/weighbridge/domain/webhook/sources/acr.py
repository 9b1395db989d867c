"""Azure Container Registry: its own webhooks, and those of Event Grid.

azure-docs, container-registry-webhook-reference.md and
event-schema-container-registry.md. Event Grid sends a list, and asks for an answer to
its first event before it sends others.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from weighbridge.domain.webhook.sources import distribution
from weighbridge.domain.webhook.webhook_source import (
    Outcome,
    RawDelivery,
    SecretWays,
    WebhookSource,
    each_of,
    members_of,
    text_of,
)

_VALIDATION: Final = "Microsoft.EventGrid.SubscriptionValidationEvent"
_EVENTS: Final = frozenset(
    {
        "Microsoft.ContainerRegistry.ImagePushed",
        "Microsoft.ContainerRegistry.ImageDeleted",
    }
)
_CODE_CHARACTERS: Final = 512


def handshake(delivery: RawDelivery) -> Mapping[str, str] | None:
    """The answer that Event Grid wants, where this is its question. (It also sends an
    address to open in place of answering, which is never asked.)"""
    events = delivery.document
    if not isinstance(events, list) or len(events) != 1:
        return None
    event = members_of(events[0])
    if event.get("eventType") != _VALIDATION:
        return None
    code = text_of(members_of(event.get("data")).get("validationCode"))
    return {"validationResponse": code[:_CODE_CHARACTERS]}


def read(delivery: RawDelivery) -> Outcome | Iterable[Outcome]:
    if isinstance(delivery.document, list):
        return each_of(delivery.document, _read_grid_event)
    return distribution.read_event(delivery.document)


def _read_grid_event(value: object) -> Outcome:
    event = members_of(value)
    if text_of(event.get("eventType")) not in _EVENTS:
        return "not_a_push"
    data = members_of(event.get("data"))
    return distribution.read_event(data | {"id": event.get("id")})


_RECIPE: Final = """\
az acr webhook create --name weighbridge --registry REGISTRY --actions push delete \\
  --uri '{url}' --headers 'Authorization=Bearer {secret}'

# Or by Event Grid, which sends a key in the address and no header:
az eventgrid event-subscription create --name weighbridge \\
  --source-resource-id REGISTRY_ID --event-delivery-schema eventgridschema \\
  --included-event-types Microsoft.ContainerRegistry.ImagePushed \\
  Microsoft.ContainerRegistry.ImageDeleted \\
  --endpoint '{url}?key={secret}'
"""


# Its own webhooks have headers, those of Event Grid have not.
ACR: Final = WebhookSource(
    read=read,
    recipe=_RECIPE,
    secret_ways=SecretWays(in_address=True),
    handshake=handshake,
)
