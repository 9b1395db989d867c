"""Pages of the Hub's API as it writes them, from what its registry holds."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from support.hub_replica.state import Hub
from weighbridge.demo.content.stored_documents import Served


def repository_entry(hub: Hub, repository: str) -> Mapping[str, object]:
    namespace, _, name = repository.partition("/")
    return {
        "name": name,
        "namespace": namespace,
        "repository_type": "image",
        "status": 1,
        "status_description": "active",
        "description": "",
        "is_private": False,
        "pull_count": hub.pulls[repository],
        "content_types": ["image"],
        "storage_size": 1,
    }


def tag_entry(hub: Hub, repository: str, tag: str) -> Mapping[str, object]:
    served = hub.content.manifest(repository, tag)
    if served is None:
        raise ValueError(f"{repository}:{tag} names nothing")
    pushed = _time(hub.pushed_at(repository, tag))
    pulled_at = hub.pulled_at.get((repository, tag))
    entry: dict[str, object] = {
        "creator": 1,
        "id": 1,
        "images": [],
        "last_updated": pushed,
        "last_updater": 1,
        "name": tag,
        "repository": 7,
        "full_size": 0,
        "v2": True,
        "tag_status": "active",
        "tag_last_pulled": None if pulled_at is None else _time(pulled_at),
        "tag_last_pushed": pushed,
    }
    if (repository, tag) in hub.undescribed:
        return entry | {"digest": None}
    document = json.loads(served.content)
    if "manifests" not in document:
        images = [_image(hub, repository, served, None, pushed)]
        media_type = "application/vnd.docker.container.image.v1+json"
        return entry | {"images": images, "media_type": media_type}
    images = [
        _image(hub, repository, _child(hub, repository, child), child, pushed)
        for child in document["manifests"]
    ]
    return entry | {
        "images": images,
        "full_size": images[0]["size"] if images else 0,
        "media_type": served.media_type,
        "content_type": "image",
        "digest": served.digest,
    }


def page(
    entries: Sequence[Mapping[str, object]],
    total: int,
    following: str | None,
    previous: str | None,
) -> bytes:
    body = {
        "count": total,
        "next": following,
        "previous": previous,
        "results": entries,
    }
    return json.dumps(body).encode()


def _child(hub: Hub, repository: str, entry: Mapping[str, Any]) -> Served:
    served = hub.content.manifest(repository, entry["digest"])
    if served is None:
        raise ValueError(f"no child {entry['digest']} in {repository}")
    return served


def _image(
    hub: Hub,
    repository: str,
    served: Served,
    entry: Mapping[str, Any] | None,
    pushed: str,
) -> dict[str, object]:
    document = json.loads(served.content)
    platform = _platform(hub, repository, document) if entry is None else entry
    said = platform.get("platform", platform)
    size = sum(layer["size"] for layer in document["layers"])
    return {
        "architecture": said["architecture"],
        "features": "",
        "variant": said.get("variant"),
        "digest": served.digest,
        "os": said["os"],
        "os_features": "",
        "os_version": said.get("os.version"),
        "size": hub.false_sizes.get(served.digest, size),
        "status": "active",
        "last_pulled": None,
        "last_pushed": pushed,
    }


def _platform(
    hub: Hub, repository: str, document: Mapping[str, Any]
) -> Mapping[str, Any]:
    blob = hub.content.blob(repository, document["config"]["digest"])
    if blob is None:
        raise ValueError("an image without its config")
    raw = blob.read(0, blob.content_bytes - 1)
    config: Mapping[str, Any] = json.loads(raw)
    return config


def _time(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
