"""What the API answers, as JSON Schema, so that the replica says nothing that GitHub
does not say. Of each schema the source:

packages    "List packages for an organization", docs.github.com/rest/packages/packages:
            id, name, package_type, owner, version_count, visibility, dates, html_url
versions    "List package versions for a package owned by an organization", same page:
            id, name, url, package_html_url, dates, html_url, metadata.container.tags
error       `basic-error` of GitHub's OpenAPI description: message, documentation_url,
            status
token       public captures of ghcr.io: a token, and no word of how long it holds
"""

from typing import Any, Final

from support.json_schema import misfits

_TEXT: Final = {"type": "string"}
_NUMBER: Final = {"type": "integer"}


def _object(**properties: object) -> dict[str, object]:
    """All that it names must be there."""
    return {"type": "object", "properties": properties, "required": [*properties]}


def _list(items: object) -> dict[str, object]:
    return {"type": "array", "items": items}


_CONTAINER: Final = {"const": "container"}
SCHEMAS: Final[dict[str, dict[str, Any]]] = {
    "packages": _list(
        _object(
            id=_NUMBER,
            name=_TEXT,
            package_type=_CONTAINER,
            owner=_object(login=_TEXT, id=_NUMBER, type=_TEXT),
            version_count=_NUMBER,
            visibility={"enum": ["private", "public", "internal"]},
            created_at=_TEXT,
            updated_at=_TEXT,
            html_url=_TEXT,
        )
    ),
    "versions": _list(
        _object(
            id=_NUMBER,
            name=_TEXT,
            url=_TEXT,
            package_html_url=_TEXT,
            created_at=_TEXT,
            updated_at=_TEXT,
            html_url=_TEXT,
            metadata=_object(
                package_type=_CONTAINER, container=_object(tags=_list(_TEXT))
            ),
        )
    ),
    "error": _object(message=_TEXT, documentation_url=_TEXT, status=_TEXT),
    "token": _object(token=_TEXT),
}


def faults(name: str, value: object) -> list[str]:
    """Where an answer is not as its schema says."""
    return misfits(value, SCHEMAS[name], {})
