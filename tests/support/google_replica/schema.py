"""What the bodies of the Artifact Registry API hold, as the schemas of its discovery
document (artifactregistry.googleapis.com/$discovery/rest?version=v1) have it, of what
is asked for here. Lists without entries are left out."""

from collections.abc import Mapping
from typing import Final

from support.answer_shapes import Member


def _texts(schema: str, *names: str) -> dict[str, Member]:
    return {name: Member((str,), schema, is_required=False) for name in names}


def _listing(schema: str, name: str, of: Mapping[str, Member]) -> dict[str, Member]:
    members = _texts(schema, "nextPageToken")
    return members | {name: Member((list,), schema, is_required=False, of=of)}


_REPOSITORY: Final = _texts(
    "Repository",
    *("name", "format", "mode", "description", "createTime", "updateTime"),
    *("kmsKeyName", "registryUri"),
    # An int64 is written as a text.
    "sizeBytes",
)
_PACKAGE: Final = _texts("Package", "name", "displayName", "createTime", "updateTime")
_TAG: Final = _texts("Tag", "name", "version")
BY_NAME: Final[Mapping[str, Mapping[str, Member]]] = {
    "repositories": _listing("ListRepositoriesResponse", "repositories", _REPOSITORY),
    "packages": _listing("ListPackagesResponse", "packages", _PACKAGE),
    "tags": _listing("ListTagsResponse", "tags", _TAG),
}
