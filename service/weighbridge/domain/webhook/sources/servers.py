"""Registries that people run themselves, as senders of webhooks."""

import re
from collections.abc import Iterable
from typing import Final

from weighbridge.domain.image.media_types import OCTET_STREAM, is_file_system
from weighbridge.domain.text.strict_json import Members
from weighbridge.domain.webhook.webhook_source import (
    Outcome,
    RawDelivery,
    SecretWays,
    WebhookSource,
    each_of,
    form,
    members_of,
    moment_of,
    moment_of_seconds,
    pushed,
    text_of,
)


def _read_distribution(delivery: RawDelivery) -> Iterable[Outcome]:
    """CNCF distribution, and GitLab's registry: `{"events": [...]}`.

    distribution, docs/content/about/notifications.md. An event of a blob has no tag,
    and neither has a push by digest.
    """
    return each_of(members_of(delivery.document).get("events"), read_event)


def read_event(value: object) -> Outcome:
    """One event; Azure's registries send the same without the envelope."""
    event = members_of(value)
    action = text_of(event.get("action"))
    if action not in ("push", "delete"):
        return "not_a_push"
    target = members_of(event.get("target"))
    media_type = text_of(target.get("mediaType"))
    if media_type == OCTET_STREAM or is_file_system(media_type):
        return "not_a_push"
    return pushed(
        target.get("repository"),
        target.get("tag"),
        digest=target.get("digest"),
        is_delete=action == "delete",
        pushed_at=moment_of(event.get("timestamp")),
        event=text_of(event.get("id")),
    )


_DISTRIBUTION_RECIPE: Final = """\
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


DISTRIBUTION: Final = WebhookSource(
    read=_read_distribution, recipe=_DISTRIBUTION_RECIPE
)


_GITLAB_RECIPE: Final = """\
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


# GitLab's registry is a distribution, and sends what that sends.
GITLAB: Final = WebhookSource(read=_read_distribution, recipe=_GITLAB_RECIPE)


_HARBOR_PUSHED: Final = frozenset({"PUSH_ARTIFACT", "harbor.artifact.pushed"})
_HARBOR_DELETED: Final = frozenset({"DELETE_ARTIFACT", "harbor.artifact.deleted"})
# Its version follows.
_HARBOR_CD_PUSHED: Final = "dev.cdevents.artifact.published."


def _read_harbor(delivery: RawDelivery) -> Outcome | Iterable[Outcome]:
    """Harbor: its default format, CloudEvents in structured mode, and CDEvents in
    those.

    goharbor/harbor, src/pkg/notifier/formats. Where an artifact has no tag, its digest
    stands in the tag's place. CDEvents tell of pushes only.
    """
    event = members_of(delivery.document)
    kind = text_of(event.get("type"))
    is_told = kind in _HARBOR_PUSHED | _HARBOR_DELETED
    if not is_told and not kind.startswith(_HARBOR_CD_PUSHED):
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
            is_delete=kind in _HARBOR_DELETED,
            pushed_at=moment_of(at) if is_cloud_event else moment_of_seconds(at),
            event=f"{name} {repository} {tag} {digest}" if name else "",
        )

    return each_of(data.get("resources"), read_resource)


_HARBOR_RECIPE: Final = form(
    "Projects > the project > Webhooks > New Webhook",
    {
        "Notify Type": "http",
        "Payload Format": "Default (CloudEvents works too)",
        "Event Type": "Artifact pushed, Artifact deleted",
        "Endpoint URL": "{url}",
        "Auth Header": "Bearer {secret}",
    },
)


HARBOR: Final = WebhookSource(read=_read_harbor, recipe=_HARBOR_RECIPE)


_ZOT_PUSHED: Final = ".image.updated"
_ZOT_DELETED: Final = ".image.deleted"


def _read_zot(delivery: RawDelivery) -> Outcome:
    """zot: CloudEvents in binary mode, their attributes in headers.

    project-zot/zot, pkg/extensions/events. A type begins with `zotregistry`, or with
    what the registry's configuration says instead.
    """
    kind = delivery.header("ce-type")
    event = members_of(delivery.document)
    if not kind.endswith((_ZOT_PUSHED, _ZOT_DELETED)):
        return "not_a_push"
    return pushed(
        event.get("name"),
        event.get("reference"),
        digest=event.get("digest"),
        is_delete=kind.endswith(_ZOT_DELETED),
        pushed_at=moment_of(delivery.header("ce-time")),
        event=delivery.header("ce-id"),
    )


_ZOT_RECIPE: Final = """\
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


ZOT: Final = WebhookSource(
    read=_read_zot, recipe=_ZOT_RECIPE, headers=("ce-type", "ce-id", "ce-time")
)


_ARTIFACTORY_PUSHED: Final = frozenset({"pushed", "promoted"})


def _read_artifactory(delivery: RawDelivery) -> Outcome:
    """JFrog Artifactory: the domain `docker`, without an id or a time.

    docs.jfrog.com, event types; older versions send the data without the envelope. As
    with Quay, each push counts: a tag that goes back to what it was is told in the same
    words.
    """
    event = members_of(delivery.document)
    data = members_of(event["data"]) if "data" in event else event
    kind = text_of(event.get("event_type", data.get("event_type")))
    domain = event.get("domain", "docker")
    if domain != "docker" or kind not in _ARTIFACTORY_PUSHED | {"deleted"}:
        return "not_a_push"
    return pushed(
        _artifactory_repository(data, delivery.host),
        data.get("tag"),
        digest=f"sha256:{text_of(data.get('sha256'))}",
        is_delete=kind == "deleted",
        event="",
    )


def _artifactory_repository(data: Members, host: str) -> str:
    """Docker clients name Artifactory's repository in the host or in the path, see
    jfrog.com/help, "Reverse Proxy Settings"."""
    key, image = text_of(data.get("repo_key")), text_of(data.get("image_name"))
    first = host.partition(".")[0]
    is_in_host = first == key or first.endswith(f"-{key}")
    return image if is_in_host or not key else f"{key}/{image}"


_ARTIFACTORY_RECIPE: Final = form(
    "Administration > Webhooks > New Webhook",
    {
        "URL": "{url}",
        "Events": "Docker: tag was pushed, deleted, promoted",
        "Secret token": "{secret}",
    },
)


# Newer versions sign with the secret that older ones send as it is.
ARTIFACTORY: Final = WebhookSource(
    read=_read_artifactory,
    recipe=_ARTIFACTORY_RECIPE,
    secret_ways=SecretWays(header="x-jfrog-event-auth", hash="sha256", is_plain=True),
)


_NEXUS_ACTIONS: Final = frozenset({"CREATED", "UPDATED", "DELETED"})
_NEXUS_MANIFEST: Final = re.compile(r"/?v2/(.+)/manifests/([^/]+)")


def _read_nexus(delivery: RawDelivery) -> Outcome:
    """Sonatype Nexus: the capability "Webhook: Repository", components and assets.

    sonatype/nexus-public, RepositoryComponentWebhook.java and
    RepositoryAssetWebhook.java. Its repository has a registry of its own, so that the
    name is the image's. A tag that is pushed again is told as an asset only.
    """
    event = members_of(delivery.document)
    action = text_of(event.get("action"))
    item = event.get("component", event.get("asset"))
    if action not in _NEXUS_ACTIONS or item is None:
        return "not_a_push"
    named = members_of(item)
    if named.get("format") != "docker":
        return "not_a_push"
    repository, tag = text_of(named.get("name")), text_of(named.get("version"))
    if "component" not in event:
        manifest = _NEXUS_MANIFEST.fullmatch(repository)
        if manifest is None:
            return "not_a_push"  # a layer
        repository, tag = manifest.groups()
    return pushed(
        repository,
        tag,
        is_delete=action == "DELETED",
        pushed_at=moment_of(event.get("timestamp")),
        event=delivery.header("x-nexus-webhook-delivery"),
    )


_NEXUS_RECIPE: Final = form(
    "System > Capabilities > Create > Webhook: Repository",
    {
        "Repository": "the docker repository",
        "Event Types": "component, asset",
        "URL": "{url}",
        "Secret Key": "{secret}",
    },
)


# It has no other hash; HMAC does not need it to be without collisions.
NEXUS: Final = WebhookSource(
    read=_read_nexus,
    recipe=_NEXUS_RECIPE,
    headers=("x-nexus-webhook-delivery",),
    secret_ways=SecretWays(header="x-nexus-webhook-signature", hash="sha1"),
)
