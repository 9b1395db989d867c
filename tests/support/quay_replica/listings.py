"""Entries of the API's listings as Quay writes them (endpoints/api/tag.py `_tag_dict`,
endpoints/api/repository_models_interface.py), from what its registry holds."""

import json
from email.utils import formatdate
from typing import Final

from support.quay_replica.state import Quay

_LISTS: Final = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)


def repository_entry(quay: Quay, repository: str) -> dict[str, object]:
    namespace, _, name = repository.partition("/")
    return {
        "namespace": namespace,
        "name": name,
        "description": None,
        "is_public": namespace not in quay.private,
        "kind": "image",
        "state": "NORMAL",
        "is_starred": False,
    }


def tag_entry(quay: Quay, repository: str, tag: str) -> dict[str, object]:
    """Of a list the size is null, and its children are counted."""
    served = quay.content.manifest(repository, tag)
    if served is None:
        raise ValueError(f"{repository}:{tag} names nothing")
    started = int(quay.started_at(repository, tag).timestamp())
    document = json.loads(served.content)
    is_list = served.media_type in _LISTS
    entry: dict[str, object] = {
        "name": tag,
        "reversion": False,
        "start_ts": started,
        "manifest_digest": served.digest,
        "is_manifest_list": is_list,
        "size": None,
        "last_modified": formatdate(started),
    }
    if not is_list:
        entry["size"] = sum(layer["size"] for layer in document["layers"])
        return entry
    children = [child["digest"] for child in document["manifests"]]
    return entry | {
        "is_sparse": False,
        "child_manifest_count": len(children),
        "present_child_count": len(children),
        "child_manifests_presence": dict.fromkeys(children, True),
    }
