"""Pages of what GitLab lists, parsed.

The registry's own tags are those of gitlab-org/container-registry, docs/spec/gitlab
("List Repository Tags"): it has them only with a metadata database. GitLab's REST pages
are those of its doc/api/container_registry.md; of GraphQL the fields of
`ContainerRepositoryDetails` and `ContainerRepositoryTag` are asked for that every
version with them has.

Sizes are not read: what `size_bytes` and `totalSize` count of an index, and whether a
manifest itself is in them, GitLab does not write down.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from weighbridge.domain.image.reference import is_repository_name, is_tag
from weighbridge.domain.registry.listing import TagSeen
from weighbridge.domain.text.masking import mask
from weighbridge.domain.text.printable import printable
from weighbridge.domain.text.strict_json import parse_json
from weighbridge.errors import DocumentError, NotFound
from weighbridge.registry.exchange.paging import (
    ListingPage,
    page_members,
    unusable_page,
)
from weighbridge.registry.exchange.vendor_api import read_digest, read_time

_OWN: Final = "the listing of GitLab's registry"
_LISTING: Final = "GitLab's listing"
_LARGEST_ID: Final = 2**63 - 1
_CURSOR_CHARACTERS: Final = 1024
_SHOWN_CHARACTERS: Final = 200
_READ_CHARACTERS: Final = 2048
GRAPH_PAGE_LENGTH: Final = 20
"""The most tags that GraphQL shows at once (`max_page_size` of
`ContainerRepositoryDetails.tags`). Where more are asked for, the cursor counts those
that were not shown, too."""


class RepositoryPlace(Struct, frozen=True):
    """By which numbers GitLab's API knows a repository."""

    project_id: int
    repository_id: int


class QueryRefused(DocumentError):
    """GitLab does not know such a query: it was refused as a whole, or there is no
    GraphQL."""

    code = "invalid_listing"


def parse_own_tags(raw: bytes) -> ListingPage:
    """A page of `/gitlab/v1/repositories/PATH/tags/list/`. Raises
    DocumentError(invalid_listing, ...)."""
    entries = _array(raw, _OWN)
    return _tag_page(map(_own_tag, entries))


def parse_rest_tags(raw: bytes) -> ListingPage:
    """A page of `/projects/ID/registry/repositories/ID/tags`, which has names only.
    Raises DocumentError(invalid_listing, ...)."""
    entries = _array(raw, _LISTING)
    return _tag_page(map(_named_tag, entries))


def parse_repositories(
    raw: bytes, within: str
) -> tuple[ListingPage, Mapping[str, RepositoryPlace]]:
    """A page of the repositories of a group or project, and where they are. Entries
    that are of another are counted as invalid.

    within: the path of the group or project

    Raises DocumentError(invalid_listing, ...).
    """
    entries = _array(raw, _LISTING)
    found: dict[str, RepositoryPlace | None] = {}
    invalid = 0
    for entry in entries:
        read = _repository(entry, within.lower())
        if read is None:
            invalid += 1
        else:
            found.setdefault(*read)
    places = {name: place for name, place in found.items() if place is not None}
    return ListingPage(tuple(found), invalid), places


def parse_graph_tags(raw: bytes) -> ListingPage:
    """The answer to `GRAPH_TAGS`; `next` is the cursor of the page after it.

    Raises DocumentError(invalid_listing, ...), QueryRefused, and NotFound where the
    repository is not there or not shown to us.
    """
    answer = page_members(raw, _LISTING)
    data, errors = answer.get("data"), answer.get("errors")
    if errors is not None and "data" not in answer:
        raise QueryRefused(f"GitLab refused the query: {_first_message(errors)}")
    if errors:
        raise unusable_page(_LISTING, _first_message(errors))
    if not isinstance(data, dict) or "containerRepository" not in data:
        raise unusable_page(_LISTING, "it has no 'containerRepository'")
    repository = data["containerRepository"]
    if repository is None:
        raise NotFound("GitLab's API does not show this repository", hint=API_HINT)
    tags = repository.get("tags") if isinstance(repository, dict) else None
    if not isinstance(repository, dict) or not isinstance(tags, dict):
        raise unusable_page(_LISTING, "it has no tags")
    nodes = tags.get("nodes")
    if not isinstance(nodes, list):
        raise unusable_page(_LISTING, "it has no list of tags")
    following = _cursor(tags.get("pageInfo"))
    if following is not None and len(nodes) < GRAPH_PAGE_LENGTH:
        # Its cursor may count tags that it does not show.
        raise unusable_page(
            _LISTING, f"it has {len(nodes)} of {GRAPH_PAGE_LENGTH} tags, and goes on"
        )
    page = _tag_page(map(_graph_tag, nodes))
    total = repository.get("tagsCount")
    is_count = type(total) is int and total >= 0
    return ListingPage(
        page.names, page.invalid, page.tags, total if is_count else None, following
    )


GRAPH_TAGS: Final = (
    "query($id: ContainerRepositoryID!, $after: String) {"
    " containerRepository(id: $id) { tagsCount"
    f" tags(first: {GRAPH_PAGE_LENGTH}, after: $after) {{"
    " nodes { name digest } pageInfo { hasNextPage endCursor } } } }"
)
API_HINT: Final = (
    "the API needs a token with the scope read_api and the role Reporter there: give it"
    " in `api_token_file`, or as the password of `auth`"
)


def _tag_page(entries: Iterable[TagSeen | None]) -> ListingPage:
    tags: dict[str, TagSeen] = {}
    invalid = 0
    for tag in entries:
        if tag is None:
            invalid += 1
        else:
            tags.setdefault(tag.name, tag)
    return ListingPage(tuple(tags), invalid, tuple(tags.values()))


def _own_tag(entry: object) -> TagSeen | None:
    if not isinstance(entry, dict) or not is_tag(entry.get("name")):
        return None
    times = ("published_at", "updated_at", "created_at")
    pushed = (read_time(entry[key]) for key in times if entry.get(key) is not None)
    return TagSeen(
        str(entry["name"]), read_digest(entry.get("digest")), next(pushed, None)
    )


def _named_tag(entry: object) -> TagSeen | None:
    is_named = isinstance(entry, dict) and is_tag(entry.get("name"))
    return TagSeen(entry["name"]) if isinstance(entry, dict) and is_named else None


def _graph_tag(entry: object) -> TagSeen | None:
    """What has no manifest has no digest there: the registry is asked for it."""
    if not isinstance(entry, dict) or not is_tag(entry.get("name")):
        return None
    return TagSeen(str(entry["name"]), read_digest(entry.get("digest")))


def _repository(
    entry: object, within: str
) -> tuple[str, RepositoryPlace | None] | None:
    name = entry.get("path") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(name, str):
        return None
    is_inside = name == within or name.startswith(f"{within}/")
    if not is_inside or not is_repository_name(name):
        return None
    project, number = _number(entry.get("project_id")), _number(entry.get("id"))
    if project is None or number is None:
        return name, None
    return name, RepositoryPlace(project, number)


def _number(value: object) -> int | None:
    return value if type(value) is int and 0 < value <= _LARGEST_ID else None


def _cursor(info: object) -> str | None:
    """Raises DocumentError where it cannot be told whether this is the last page."""
    following = info.get("hasNextPage") if isinstance(info, dict) else None
    if following is False:
        return None
    cursor = info.get("endCursor") if isinstance(info, dict) else None
    is_text = isinstance(cursor, str) and 0 < len(cursor) <= _CURSOR_CHARACTERS
    if following is not True or not isinstance(cursor, str) or not is_text:
        raise unusable_page(_LISTING, "it does not say whether there is a next page")
    return cursor


def _array(raw: bytes, listing: str) -> list[object]:
    # `null` says nothing; taken as an empty list it would delete everything.
    value = parse_json(raw)
    if not isinstance(value, list):
        raise unusable_page(listing, "it is not a JSON array")
    return value


def _first_message(errors: object) -> str:
    first = errors[0] if isinstance(errors, list) and errors else None
    text = first.get("message") if isinstance(first, dict) else None
    if not isinstance(text, str):
        return "it is an error without words"
    words = " ".join(text[:_READ_CHARACTERS].split())
    return printable(mask(words), _SHOWN_CHARACTERS)
