"""What each sender has to be told, in the form in which it takes that."""

from collections.abc import Callable, Mapping
from typing import Final

from msgspec import Struct

from weighbridge.domain.webhook.push import Source

PLACEHOLDER: Final = "SECRET"


class SenderRecipe(Struct, frozen=True):
    """Text to paste; `has_secret`: whether it must not be shown around."""

    text: str
    has_secret: bool


def recipe(
    source: Source, address: str, secret: str, *, shows_secret: bool
) -> SenderRecipe:
    """address: of this service, without a path"""
    carries = source in _IN_PATH
    shown = secret if shows_secret or carries else PLACEHOLDER
    url = f"{address}/webhooks/{source}"
    text = _RECIPES[source](f"{url}/{shown}" if carries else url, shown)
    return SenderRecipe(text.rstrip("\n"), shown != PLACEHOLDER)


def _distribution(url: str, secret: str) -> str:
    return f"""\
# config.yml of the registry, which has to be started again
notifications:
  endpoints:
    - name: weighbridge
      url: {url}
      headers:
        Authorization: ["Bearer {secret}"]
      timeout: 5s
      threshold: 5
      backoff: 1s
      ignore:
        mediatypes: [application/octet-stream]
        actions: [pull, mount]
"""


def _gitlab(url: str, secret: str) -> str:
    return f"""\
# /etc/gitlab/gitlab.rb, then: gitlab-ctl reconfigure
# (before GitLab 17.0: 'threshold' => 5 in place of maxretries)
registry['notifications'] = [
  {{
    'name' => 'weighbridge',
    'url' => '{url}',
    'timeout' => '5s',
    'maxretries' => 10,
    'backoff' => '1s',
    'headers' => {{ 'Authorization' => ['Bearer {secret}'] }}
  }}
]
"""


def _harbor(url: str, secret: str) -> str:
    return _form(
        "Projects > the project > Webhooks > New Webhook",
        {
            "Notify Type": "http",
            "Payload Format": "Default (CloudEvents works too)",
            "Event Type": "Artifact pushed, Artifact deleted",
            "Endpoint URL": url,
            "Auth Header": f"Bearer {secret}",
        },
    )


def _dockerhub(url: str, _: str) -> str:
    return _form(
        "Repositories > the repository > Webhooks",
        {"Webhook name": "weighbridge", "Webhook URL": url},
    )


def _quay(url: str, _: str) -> str:
    return _form(
        "the repository > Settings > Create Notification",
        {
            "When this event occurs": "Push to Repository",
            "Then issue a notification": "Webhook POST",
            "Webhook URL": url,
            "POST JSON body template": "leave it empty",
        },
    )


def _ghcr(url: str, secret: str) -> str:
    return _form(
        "the organisation or repository > Settings > Webhooks > Add webhook",
        {
            "Payload URL": url,
            "Content type": "application/json",
            "Secret": secret,
            "Which events": "let me select: Registry packages",
        },
    )


def _artifactory(url: str, secret: str) -> str:
    return _form(
        "Administration > Webhooks > New Webhook",
        {
            "URL": url,
            "Events": "Docker: tag was pushed, deleted, promoted",
            "Secret token": secret,
        },
    )


def _nexus(url: str, secret: str) -> str:
    return _form(
        "System > Capabilities > Create > Webhook: Repository",
        {
            "Repository": "the docker repository",
            "Event Types": "component, asset",
            "URL": url,
            "Secret Key": secret,
        },
    )


def _ecr(url: str, secret: str) -> str:
    return f"""\
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


def _acr(url: str, secret: str) -> str:
    return f"""\
az acr webhook create --name weighbridge --registry REGISTRY --actions push delete \\
  --uri '{url}' --headers 'Authorization=Bearer {secret}'

# Or by Event Grid, which sends a key in the address and no header:
az eventgrid event-subscription create --name weighbridge \\
  --source-resource-id REGISTRY_ID --event-delivery-schema eventgridschema \\
  --included-event-types Microsoft.ContainerRegistry.ImagePushed \\
  Microsoft.ContainerRegistry.ImageDeleted \\
  --endpoint '{url}?key={secret}'
"""


def _google(url: str, _: str) -> str:
    return f"""\
# In each project; the topic has to have this name.
gcloud pubsub topics create gcr
gcloud pubsub subscriptions create weighbridge --topic=gcr \\
  --push-endpoint='{url}'
"""


def _zot(url: str, secret: str) -> str:
    return f"""\
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


def _form(place: str, fields: Mapping[str, str]) -> str:
    """Fields that a person fills in."""
    width = max(map(len, fields))
    lines = [f"{name:{width}}  {value}" for name, value in fields.items()]
    return "\n".join([f"# {place}", *lines])


_IN_PATH: Final[frozenset[Source]] = frozenset({"dockerhub", "quay", "google"})
"""Senders that take an address and nothing else."""
_RECIPES: Final[Mapping[Source, Callable[[str, str], str]]] = {
    "acr": _acr,
    "artifactory": _artifactory,
    "distribution": _distribution,
    "dockerhub": _dockerhub,
    "ecr": _ecr,
    "ghcr": _ghcr,
    "gitlab": _gitlab,
    "google": _google,
    "harbor": _harbor,
    "nexus": _nexus,
    "quay": _quay,
    "zot": _zot,
}
