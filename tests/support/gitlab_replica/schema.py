"""What the bodies of GitLab hold, each member with the page that says so."""

from collections.abc import Mapping
from typing import Final

from support.answer_shapes import NULL, Member

_REST: Final = "docs.gitlab.com/api/container_registry"
_GRAPH: Final = "docs.gitlab.com/api/graphql/reference"
_OWN: Final = "gitlab-org/container-registry docs/spec/gitlab/api.md, list tags"
_JWT: Final = "docs.docker.com registry specification, token response"

REPOSITORY: Final[Mapping[str, Member]] = {
    "id": Member((int,), _REST),
    "name": Member((str,), _REST),
    "path": Member((str,), _REST),
    "project_id": Member((int,), _REST),
    "location": Member((str,), _REST),
    "created_at": Member((str,), _REST),
    "cleanup_policy_started_at": Member((str, NULL), _REST),
    "status": Member((str, NULL), _REST),
}
TAG: Final[Mapping[str, Member]] = {
    "name": Member((str,), _REST),
    "path": Member((str,), _REST),
    "location": Member((str,), _REST),
}
OWN_TAG: Final[Mapping[str, Member]] = {
    "name": Member((str,), _OWN),
    "digest": Member((str,), _OWN),
    "config_digest": Member((str,), _OWN, is_required=False),
    "media_type": Member((str,), _OWN),
    "size_bytes": Member((int,), _OWN),
    "created_at": Member((str,), _OWN),
    "updated_at": Member((str,), _OWN, is_required=False),
    "published_at": Member((str,), _OWN, is_required=False),
}
_NODE: Final[Mapping[str, Member]] = {
    "name": Member((str,), f"{_GRAPH} ContainerRepositoryTag"),
    "digest": Member((str, NULL), f"{_GRAPH} ContainerRepositoryTag"),
}
_PAGE_INFO: Final[Mapping[str, Member]] = {
    "hasNextPage": Member((bool,), f"{_GRAPH} PageInfo"),
    "endCursor": Member((str, NULL), f"{_GRAPH} PageInfo"),
}
_TAGS: Final[Mapping[str, Member]] = {
    "nodes": Member((list,), f"{_GRAPH} ContainerRepositoryTagConnection", of=_NODE),
    "pageInfo": Member(
        (dict,), f"{_GRAPH} ContainerRepositoryTagConnection", of=_PAGE_INFO
    ),
}
_DETAILS: Final[Mapping[str, Member]] = {
    "tagsCount": Member((int,), f"{_GRAPH} ContainerRepositoryDetails"),
    "tags": Member((dict,), f"{_GRAPH} ContainerRepositoryDetails", of=_TAGS),
}
DATA: Final[Mapping[str, Member]] = {
    "containerRepository": Member((dict, NULL), f"{_GRAPH} Query", of=_DETAILS),
}
TOKEN: Final[Mapping[str, Member]] = {"token": Member((str,), _JWT)}
