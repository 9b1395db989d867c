"""What the bodies of Harbor's API hold, as the definitions of goharbor/harbor,
api/v2.0/swagger.yaml have it. It requires no member; lists that are empty may be null,
as the server writes them (src/server/v2.0/models)."""

from collections.abc import Mapping
from typing import Final, TypeAlias

from support.answer_shapes import NULL, Member

_Kind: TypeAlias = type | tuple[type, ...]
_LIST: Final = (list, NULL)
_OBJECT: Final = (dict, NULL)


def _members(definition: str, **kinds: _Kind) -> dict[str, Member]:
    source = f"swagger.yaml {definition}"
    return {
        name: Member(
            kind if isinstance(kind, tuple) else (kind,), source, is_required=False
        )
        for name, kind in kinds.items()
    }


def _of(kind: tuple[type, ...], of: Mapping[str, Member], where: str) -> Member:
    return Member(kind, f"swagger.yaml {where}", is_required=False, of=of)


_METADATA: Final = _members("ProjectMetadata", public=str)
_ALLOWLIST: Final = _members(
    "CVEAllowlist", id=int, project_id=int, expires_at=(int, NULL), items=_LIST
)
PROJECT: Final[Mapping[str, Member]] = {
    **_members(
        "Project",
        project_id=int,
        owner_id=int,
        owner_name=str,
        name=str,
        registry_id=int,
        creation_time=str,
        update_time=str,
        deleted=bool,
        togglable=bool,
        current_user_role_id=int,
        current_user_role_ids=_LIST,
        repo_count=int,
    ),
    "metadata": _of((dict,), _METADATA, "Project"),
    "cve_allowlist": _of((dict,), _ALLOWLIST, "Project"),
}
REPOSITORY: Final = _members(
    "Repository",
    id=int,
    project_id=int,
    name=str,
    description=str,
    artifact_count=int,
    pull_count=int,
    creation_time=(str, NULL),
    update_time=str,
)
_TAG: Final = _members(
    "Tag",
    id=int,
    repository_id=int,
    artifact_id=int,
    name=str,
    push_time=str,
    pull_time=str,
    immutable=bool,
)
_REFERENCE: Final = _members(
    "Reference",
    parent_id=int,
    child_id=int,
    child_digest=str,
    platform=_OBJECT,
    annotations=_OBJECT,
    urls=_LIST,
)
ARTIFACT: Final[Mapping[str, Member]] = {
    **_members(
        "Artifact",
        id=int,
        type=str,
        media_type=str,
        manifest_media_type=str,
        artifact_type=str,
        project_id=int,
        repository_id=int,
        repository_name=str,
        digest=str,
        size=int,
        icon=str,
        push_time=str,
        pull_time=str,
        extra_attrs=_OBJECT,
        annotations=_OBJECT,
        addition_links=_OBJECT,
        labels=_LIST,
        scan_overview=_OBJECT,
        sbom_overview=_OBJECT,
        accessories=_LIST,
    ),
    "references": _of(_LIST, _REFERENCE, "Artifact"),
    "tags": _of(_LIST, _TAG, "Artifact"),
}
_REFERRED: Final = _members("QuotaRefObject", id=int, name=str, owner_name=str)
_RESOURCES: Final = _members("ResourceList", storage=int)
QUOTA: Final[Mapping[str, Member]] = {
    **_members("Quota", id=int, creation_time=str, update_time=str),
    "ref": _of((dict,), _REFERRED, "Quota"),
    "hard": _of((dict,), _RESOURCES, "Quota"),
    "used": _of((dict,), _RESOURCES, "Quota"),
}
