"""Entries of Harbor's listings as `Project`, `Repository`, `Artifact` and `Tag` of its
swagger.yaml have them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from support.harbor_replica.state import Artifact, Harbor, json_of

NEVER = "0001-01-01T00:00:00.000Z"


def project_entry(harbor: Harbor, project: str) -> Mapping[str, object]:
    number = harbor.projects().index(project) + 1
    names = harbor.content.repositories()
    entry: dict[str, object] = {
        "project_id": number,
        "owner_id": 1,
        "owner_name": "admin",
        "name": project,
        "creation_time": NEVER,
        "update_time": NEVER,
        "current_user_role_ids": None,
        "cve_allowlist": {"id": number, "items": [], "project_id": number},
        "metadata": {"public": str(project in harbor.public).lower()},
        "repo_count": sum(name.startswith(f"{project}/") for name in names),
    }
    if project in harbor.caches:
        entry["registry_id"] = 3
    return entry


def quota_entry(project: str, sizes: tuple[int, int]) -> Mapping[str, object]:
    """`Quota` of swagger.yaml. sizes: used, and the limit, -1 for none"""
    used, limit = sizes
    return {
        "id": 1,
        "ref": {"id": 1, "name": project, "owner_name": "admin"},
        "creation_time": NEVER,
        "update_time": NEVER,
        "hard": {"storage": limit},
        "used": {"storage": used},
    }


def repository_entry(harbor: Harbor, repository: str) -> Mapping[str, object]:
    return {
        "id": 1,
        "project_id": harbor.projects().index(repository.partition("/")[0]) + 1,
        "name": repository,
        "artifact_count": len(harbor.artifacts(repository)),
        "pull_count": harbor.pulls[repository],
        "creation_time": NEVER,
        "update_time": NEVER,
    }


def artifact_entry(
    harbor: Harbor, repository: str, artifact: Artifact, tags: list[str]
) -> Mapping[str, object]:
    served = artifact.served
    manifest: dict[str, Any] = json_of(served)
    children = manifest.get("manifests")
    config = manifest.get("config", {"size": 0})
    parts = children or [config, *manifest.get("layers", ())]
    media_type = config.get("mediaType") or served.media_type
    return {
        "id": artifact.id,
        "type": "IMAGE",
        "media_type": media_type,
        "manifest_media_type": served.media_type,
        "artifact_type": media_type,
        "project_id": 1,
        "repository_id": 1,
        "repository_name": repository,
        "digest": served.digest,
        "size": len(served.content) + sum(part["size"] for part in parts),
        "icon": "",
        "push_time": time_text(harbor.pushed_at(repository, "")),
        "pull_time": _pull_time(harbor, repository, tags),
        "extra_attrs": {"architecture": "amd64", "os": "linux", "config": {}},
        "annotations": None,
        "references": [_reference(artifact, child) for child in children or ()] or None,
        "tags": [_tag(harbor, artifact, repository, tag) for tag in tags] or None,
        "addition_links": {},
        "labels": None,
        "accessories": None,
    }


def _reference(artifact: Artifact, child: Mapping[str, Any]) -> Mapping[str, object]:
    return {
        "parent_id": artifact.id,
        "child_id": 0,
        "child_digest": child["digest"],
        "platform": child.get("platform"),
        "annotations": child.get("annotations"),
        "urls": None,
    }


def _tag(
    harbor: Harbor, artifact: Artifact, repository: str, name: str
) -> Mapping[str, object]:
    return {
        "id": 1,
        "repository_id": 1,
        "artifact_id": artifact.id,
        "name": name,
        "push_time": time_text(harbor.pushed_at(repository, name)),
        "pull_time": _pull_time(harbor, repository, [name]),
        "immutable": False,
    }


def _pull_time(harbor: Harbor, repository: str, tags: list[str]) -> str:
    told = [harbor.pulled_at.get((repository, tag)) for tag in tags]
    times = [at for at in told if at is not None]
    return time_text(max(times)) if times else NEVER


def time_text(at: datetime) -> str:
    """As strfmt.DateTime writes it."""
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"
