"""What the bodies of Quay's API hold, each member with the place in quay/quay that
writes it. There is no published document of them: its own description names no members
of answers."""

from collections.abc import Mapping
from typing import Final

from support.answer_shapes import NULL, Member

_TAG_PY: Final = "endpoints/api/tag.py _tag_dict"
_TAG_LIST: Final = "endpoints/api/tag.py ListRepositoryTags.get"
_BASE: Final = "endpoints/api/repository_models_interface.py RepositoryBaseElement"
_REPOSITORIES: Final = "endpoints/api/repository.py RepositoryList.get"
_PAGED: Final = "endpoints/api/__init__.py page_support"
_PROBLEM: Final = "endpoints/exception.py ApiException.to_dict"

TAG: Final[Mapping[str, Member]] = {
    "name": Member((str,), _TAG_PY),
    "reversion": Member((bool,), _TAG_PY),
    "start_ts": Member((int,), _TAG_PY, is_required=False),
    "end_ts": Member((int,), _TAG_PY, is_required=False),
    "manifest_digest": Member((str,), _TAG_PY),
    "is_manifest_list": Member((bool,), _TAG_PY),
    "size": Member((int, NULL), _TAG_PY),
    "last_modified": Member((str,), _TAG_PY, is_required=False),
    "expiration": Member((str,), _TAG_PY, is_required=False),
    # Of an index, in versions that keep some children only.
    "is_sparse": Member((bool,), _TAG_PY, is_required=False),
    "child_manifest_count": Member((int,), _TAG_PY, is_required=False),
    "present_child_count": Member((int,), _TAG_PY, is_required=False),
    "child_manifests_presence": Member((dict,), _TAG_PY, is_required=False),
}
TAGS: Final[Mapping[str, Member]] = {
    "tags": Member((list,), _TAG_LIST, of=TAG),
    "page": Member((int,), _TAG_LIST),
    "has_additional": Member((bool,), _TAG_LIST),
}
REPOSITORY: Final[Mapping[str, Member]] = {
    "namespace": Member((str,), _BASE),
    "name": Member((str,), _BASE),
    "description": Member((str, NULL), _BASE),
    "is_public": Member((bool,), _BASE),
    "kind": Member((str,), _BASE),
    "state": Member((str, NULL), _BASE),
    "last_modified": Member((int, NULL), _BASE, is_required=False),
    "popularity": Member((int, float), _BASE, is_required=False),
    "is_starred": Member((bool,), _BASE, is_required=False),
    "quota_report": Member((dict, NULL), _BASE, is_required=False),
}
_REPOSITORY: Final = "endpoints/api/repository.py Repository.get"
_COUNT: Final = "endpoints/api/repository_models_interface.py Count"
DAY: Final[Mapping[str, Member]] = {
    "date": Member((str,), _COUNT),
    "count": Member((int,), _COUNT),
}
REPOSITORY_PAGE: Final[Mapping[str, Member]] = {
    **REPOSITORY,
    "can_write": Member((bool,), _REPOSITORY),
    "can_admin": Member((bool,), _REPOSITORY),
    "stats": Member((list,), _REPOSITORY, is_required=False, of=DAY),
}
REPOSITORIES: Final[Mapping[str, Member]] = {
    "repositories": Member((list,), _REPOSITORIES, of=REPOSITORY),
    "next_page": Member((str,), _PAGED, is_required=False),
}
PROBLEM: Final[Mapping[str, Member]] = {
    "detail": Member((str,), _PROBLEM),
    "error_message": Member((str,), _PROBLEM),
    "error_type": Member((str,), _PROBLEM),
    "title": Member((str,), _PROBLEM),
    "type": Member((str,), _PROBLEM),
    "status": Member((int,), _PROBLEM),
}
