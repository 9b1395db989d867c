"""Bodies of webhooks, as each sender documents them, and what we make of one."""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.webhook.sources.source_table import read_body
from weighbridge.domain.webhook.webhook_source import ParsedDelivery

DIGEST: Final = Digest("sha256:" + "a" * 64)
AT: Final = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TIME: Final = "2026-01-02T03:04:05Z"
MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
GITHUB: Final = {"x-github-event": "registry_package", "x-github-delivery": "d-1"}
NEXUS: Final = {"x-nexus-webhook-delivery": "d-1"}
ZOT: Final = {
    "ce-type": "zotregistry.image.updated",
    "ce-id": "c-1",
    "ce-time": TIME,
}


def told(
    source: str,
    body: object,
    headers: Mapping[str, str] | None = None,
    host: str = "",
    prefix: str = "",
) -> ParsedDelivery:
    return read_body(source, json.dumps(body).encode(), headers or {}, host, prefix)


def event_of(action: str = "push", **target: object) -> dict[str, object]:
    """One event of a distribution."""
    named = {"mediaType": MANIFEST, "repository": "shop/api", **target}
    return {"id": "e-1", "timestamp": TIME, "action": action, "target": named}


def resource_of(kind: str, tag: str) -> dict[str, object]:
    """A body of Harbor in its default format."""
    return {
        "type": kind,
        "occur_at": 1767323045,
        "event_data": {
            "resources": [{"digest": DIGEST, "tag": tag}],
            "repository": {"repo_full_name": "shop/api"},
        },
    }


def pubsub(host: str = "eu-docker.pkg.dev", **event: object) -> dict[str, object]:
    inner = {
        "action": "INSERT",
        "digest": f"{host}/p/r/api@{DIGEST}",
        "tag": f"{host}/p/r/api:1.4",
        **event,
    }
    data = {name: value for name, value in inner.items() if value}
    encoded = base64.b64encode(json.dumps(data).encode()).decode()
    return {"message": {"data": encoded, "messageId": "m-1", "publishTime": TIME}}


def package_of(tag: str, **package: object) -> dict[str, object]:
    """A body of GitHub."""
    return {
        "action": "published",
        "registry_package": {
            "name": "Api",
            "owner": {"login": "Shop"},
            "package_version": {
                "updated_at": TIME,
                "container_metadata": {"tag": {"name": tag, "digest": DIGEST}},
            },
            **package,
        },
    }


def eventbridge(**detail: object) -> dict[str, object]:
    return {
        "id": "b-1",
        "source": "aws.ecr",
        "detail-type": "ECR Image Action",
        "account": "123456789012",
        "region": "eu-west-1",
        "time": TIME,
        "detail": {
            "result": "SUCCESS",
            "action-type": "PUSH",
            "repository-name": "shop/api",
            "image-digest": DIGEST,
            "image-tag": "1.4",
            **detail,
        },
    }


def docker_of(kind: str = "pushed", **data: object) -> dict[str, object]:
    """A body of Artifactory."""
    inner = {
        "repo_key": "docker-local",
        "image_name": "shop/api",
        "tag": "1.4",
        "sha256": "a" * 64,
        **data,
    }
    return {"domain": "docker", "event_type": kind, "data": inner}


def component_of(action: str = "CREATED", **component: object) -> dict[str, object]:
    """A body of Nexus."""
    named = {"format": "docker", "name": "shop/api", "version": "1.4", **component}
    return {"timestamp": TIME, "action": action, "component": named}
