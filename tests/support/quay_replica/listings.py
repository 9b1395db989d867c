"""Entries of the API's listings as Quay writes them (endpoints/api/tag.py `_tag_dict`,
endpoints/api/repository_models_interface.py), from what its registry holds."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from typing import Final

from support.quay_replica.state import Quay

_LISTS: Final = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)


def repository_entry(
    quay: Quay, repository: str, *, with_popularity: bool = False
) -> dict[str, object]:
    """`popularity` is a float, as a sum of a database is (`action_count`)."""
    namespace, _, name = repository.partition("/")
    actions = quay.actions.get(repository, [])
    popularity = {"popularity": float(sum(actions[:7]))} if with_popularity else {}
    return popularity | {
        "namespace": namespace,
        "name": name,
        "description": None,
        "is_public": namespace not in quay.private,
        "kind": "image",
        "state": "NORMAL",
        "is_starred": False,
    }


def repository_page(quay: Quay, repository: str) -> dict[str, object]:
    """`Repository.get` with `includeStats`: days of which nothing is known are 0, and
    come last."""
    known = quay.actions.get(repository, [])
    today = datetime.now(UTC).date()
    days = [today - timedelta(days=day) for day in range(1, 92)]
    stats = [
        {"date": day.isoformat(), "count": known[ago] if ago < len(known) else 0}
        for ago, day in enumerate(days)
    ]
    entry = repository_entry(quay, repository)
    named = sorted(stats, key=lambda day: not day["count"])
    return entry | {"can_write": False, "can_admin": False, "stats": named}


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
