"""Registries that are services of a vendor, as senders of webhooks."""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from typing import Final

from weighbridge.domain.text.strict_json import Members, parse_json
from weighbridge.domain.webhook.sources.servers import read_event
from weighbridge.domain.webhook.webhook_source import (
    Outcome,
    RawDelivery,
    SecretWays,
    WebhookSource,
    each_of,
    form,
    malformed,
    members_of,
    moment_of,
    moment_of_seconds,
    pushed,
    text_of,
)

_ACR_VALIDATION: Final = "Microsoft.EventGrid.SubscriptionValidationEvent"
_ACR_EVENTS: Final = frozenset(
    {
        "Microsoft.ContainerRegistry.ImagePushed",
        "Microsoft.ContainerRegistry.ImageDeleted",
    }
)
_ACR_CODE_CHARACTERS: Final = 512


def _grid_handshake(delivery: RawDelivery) -> Mapping[str, str] | None:
    """The answer that Event Grid wants, where this is its question. (It also sends an
    address to open in place of answering, which is never asked.)"""
    events = delivery.document
    if not isinstance(events, list) or len(events) != 1:
        return None
    event = members_of(events[0])
    if event.get("eventType") != _ACR_VALIDATION:
        return None
    code = text_of(members_of(event.get("data")).get("validationCode"))
    return {"validationResponse": code[:_ACR_CODE_CHARACTERS]}


def _read_acr(delivery: RawDelivery) -> Outcome | Iterable[Outcome]:
    """Azure Container Registry: its own webhooks, and those of Event Grid.

    azure-docs, container-registry-webhook-reference.md and
    event-schema-container-registry.md. Event Grid sends a list, and asks for an answer
    to its first event before it sends others.
    """
    if isinstance(delivery.document, list):
        return each_of(delivery.document, _read_grid_event)
    return read_event(delivery.document)


def _read_grid_event(value: object) -> Outcome:
    event = members_of(value)
    if text_of(event.get("eventType")) not in _ACR_EVENTS:
        return "not_a_push"
    data = members_of(event.get("data"))
    return read_event(data | {"id": event.get("id")})


_ACR_RECIPE: Final = """\
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
    read=_read_acr,
    recipe=_ACR_RECIPE,
    secret_ways=SecretWays(in_address=True),
    handshake=_grid_handshake,
)


def _read_dockerhub(delivery: RawDelivery) -> Outcome:
    """Docker Hub: a tag and the second of its push, no id and no digest.

    docker/docs, docker-hub/repos/manage/webhooks.md. Its `callback_url` is never asked.
    """
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


_DOCKERHUB_RECIPE: Final = form(
    "Repositories > the repository > Webhooks",
    {"Webhook name": "weighbridge", "Webhook URL": "{url}"},
)


DOCKERHUB: Final = WebhookSource(
    read=_read_dockerhub,
    recipe=_DOCKERHUB_RECIPE,
    is_secret_in_address=True,
    secret_ways=SecretWays(in_address=True),
)


_ECR_HOST: Final = re.compile(r"([0-9]{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com.*")


def _read_ecr(delivery: RawDelivery) -> Outcome:
    """Amazon ECR: `ECR Image Action` of EventBridge.

    docs.aws.amazon.com, AmazonECR, ecr-eventbridge.
    """
    event = members_of(delivery.document)
    if event.get("source") != "aws.ecr":
        return "not_a_push"
    if event.get("detail-type") != "ECR Image Action":
        return "not_a_push"
    detail = members_of(event.get("detail"))
    action = detail.get("action-type")
    if detail.get("result") != "SUCCESS" or action not in ("PUSH", "DELETE"):
        return "not_a_push"
    # A bus may gather the events of many accounts and regions.
    ours = _ECR_HOST.fullmatch(delivery.host)
    if ours and ours.groups() != (event.get("account"), event.get("region")):
        return "unknown_registry"
    return pushed(
        detail.get("repository-name"),
        detail.get("image-tag"),
        digest=detail.get("image-digest"),
        is_delete=action == "DELETE",
        pushed_at=moment_of(event.get("time")),
        event=text_of(event.get("id")),
    )


_ECR_RECIPE: Final = """\
# In each account and region; ROLE_ARN is a role that EventBridge may take, with
# events:InvokeApiDestination on the API destination.
aws events create-connection --name weighbridge --authorization-type API_KEY \\
  --auth-parameters \\
  'ApiKeyAuthParameters={{ApiKeyName=Authorization,ApiKeyValue=Bearer {secret}}}'
aws events create-api-destination --name weighbridge --http-method POST \\
  --connection-arn CONNECTION_ARN \\
  --invocation-endpoint '{url}'
aws events put-rule --name weighbridge \\
  --event-pattern '{{"source":["aws.ecr"],"detail-type":["ECR Image Action"]}}'
aws events put-targets --rule weighbridge \\
  --targets 'Id=weighbridge,Arn=API_DESTINATION_ARN,RoleArn=ROLE_ARN'
"""


ECR: Final = WebhookSource(read=_read_ecr, recipe=_ECR_RECIPE)


_GHCR_HOST: Final = "ghcr.io/"
_GHCR_EVENTS: Final = frozenset({"registry_package", "package"})
_GHCR_ACTIONS: Final = frozenset({"published", "updated"})


def _read_ghcr(delivery: RawDelivery) -> Outcome:
    """GitHub Packages: the events `registry_package` and, older, `package`.

    docs.github.com, webhook-events-and-payloads. Each manifest of an index is told too,
    without a tag; the delivery's id stands in a header.
    """
    kind = delivery.header("x-github-event")
    event = members_of(delivery.document)
    if kind not in _GHCR_EVENTS or text_of(event.get("action")) not in _GHCR_ACTIONS:
        return "not_a_push"  # `ping` among them
    package = members_of(event.get(kind))
    version = members_of(package.get("package_version"))
    container = version.get("container_metadata")
    if not isinstance(container, dict) or not container:
        return "not_a_push"  # a package of another kind
    tag = members_of(container.get("tag"))
    return pushed(
        _ghcr_repository(package, version),
        tag.get("name"),
        digest=tag.get("digest"),
        pushed_at=moment_of(version.get("updated_at")),
        event=delivery.header("x-github-delivery"),
    )


def _ghcr_repository(package: Members, version: Members) -> str:
    """As the registry knows it: in lower case, whatever its owner is called."""
    for holder in (version, package):
        address = text_of(holder.get("package_url")).lower()
        if address.startswith(_GHCR_HOST):
            return address.removeprefix(_GHCR_HOST).partition("@")[0].partition(":")[0]
    owner = text_of(members_of(package.get("owner")).get("login"))
    return f"{owner}/{text_of(package.get('name'))}".lower()


_GHCR_RECIPE: Final = form(
    "the organisation or repository > Settings > Webhooks > Add webhook",
    {
        "Payload URL": "{url}",
        "Content type": "application/json",
        "Secret": "{secret}",
        "Which events": "let me select: Registry packages",
    },
)


GHCR: Final = WebhookSource(
    read=_read_ghcr,
    recipe=_GHCR_RECIPE,
    headers=("x-github-event", "x-github-delivery"),
)


def _read_google(delivery: RawDelivery) -> Outcome:
    """Google Artifact Registry: the topic `gcr`, pushed by Pub/Sub.

    cloud.google.com, artifact-registry/docs/configure-notifications. The topic is the
    project's: it tells of every registry that the project has, so the host counts.
    """
    message = members_of(members_of(delivery.document).get("message"))
    event = members_of(parse_json(_decoded(text_of(message.get("data")))))
    action = event.get("action")
    if action not in ("INSERT", "DELETE"):
        return "not_a_push"
    path, _, digest = text_of(event.get("digest")).partition("@")
    # A port would stand before the first slash.
    place, colon, tag = text_of(event.get("tag")).rpartition(":")
    named = place if colon and "/" in place else path
    host, _, repository = named.partition("/")
    if delivery.host and host != delivery.host:
        return "unknown_registry"
    return pushed(
        repository,
        tag if named == place else "",
        digest=digest,
        is_delete=action == "DELETE",
        pushed_at=moment_of(message.get("publishTime")),
        event=text_of(message.get("messageId")),
    )


def _decoded(data: str) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise malformed("its data is not base64") from exc


_GOOGLE_RECIPE: Final = """\
# In each project; the topic has to have this name.
gcloud pubsub topics create gcr
gcloud pubsub subscriptions create weighbridge --topic=gcr \\
  --push-endpoint='{url}'
"""


GOOGLE: Final = WebhookSource(
    read=_read_google,
    recipe=_GOOGLE_RECIPE,
    is_secret_in_address=True,
    secret_ways=SecretWays(in_address=True),
)


def _read_quay(delivery: RawDelivery) -> Outcome | Iterable[Outcome]:
    """Quay: the tags that a push has moved, without an id, a digest or a time.

    quay/quay, notifications/notificationevent.py. Two pushes of one tag look the same,
    so each of them counts: a second look costs less than a push that nobody sees.
    """
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


_QUAY_RECIPE: Final = form(
    "the repository > Settings > Create Notification",
    {
        "When this event occurs": "Push to Repository",
        "Then issue a notification": "Webhook POST",
        "Webhook URL": "{url}",
        "POST JSON body template": "leave it empty",
    },
)


QUAY: Final = WebhookSource(
    read=_read_quay,
    recipe=_QUAY_RECIPE,
    is_secret_in_address=True,
    secret_ways=SecretWays(in_address=True),
)
