"""Pages of Docker Hub's own API, from the raw bytes that it served.

The shapes are those of docker/docs, content/reference/api/hub/latest.yaml, but for
`media_type` and `digest` of a tag, which are served and not written down there: a tag
without them is asked for at the registry.
"""

import re
from datetime import UTC, datetime
from typing import Final, TypeAlias

from weighbridge.domain.image.digest import Digest, is_digest
from weighbridge.domain.image.media_types import INDEXES
from weighbridge.domain.image.platform import (
    UNKNOWN,
    Platform,
    normalised,
)
from weighbridge.domain.image.reference import is_repository_name, is_tag
from weighbridge.domain.limits import DESCRIPTOR_BYTES, PLATFORM_CHARACTERS
from weighbridge.domain.registry.listing import TagSeen
from weighbridge.domain.text.strict_json import parse_json
from weighbridge.errors import DocumentError
from weighbridge.registry.exchange.paging import ListingPage

_ONE_IMAGE: Final = frozenset(
    {
        "application/vnd.docker.container.image.v1+json",
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
    }
)
"""Of a tag that names an image itself, and no index of images. Docker Hub writes the
type of the image's config there."""
# RFC 3339 as Go writes it, years that mean "never" left out.
_TIME: Final = re.compile(
    r"(?:19[7-9]|[2-9]\d\d)\d-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?"
    r"(?:Z|[+-]\d{2}:\d{2})",
    re.ASCII,
)


Image: TypeAlias = tuple[Digest | None, int | None]
"""One platform of a tag: the digest of its manifest, None on very old images; and its
compressed bytes, None where nothing is said. Docker Hub writes 0 for that."""


def parse_hub_repositories(raw: bytes, namespace: str) -> ListingPage:
    """A page of `/v2/namespaces/NAMESPACE/repositories`. Entries of another namespace
    are counted as invalid. Raises DocumentError(invalid_listing, ...)."""
    page = _object(raw)
    entries = _entries(page)
    names = [_repository(entry, namespace) for entry in entries]
    good = tuple(dict.fromkeys(name for name in names if name is not None))
    return ListingPage(good, names.count(None), total=_total(page), next=_next(page))


def parse_hub_tags(raw: bytes) -> ListingPage:
    """A page of `/v2/namespaces/NAMESPACE/repositories/NAME/tags`. Raises
    DocumentError(invalid_listing, ...)."""
    page = _object(raw)
    entries = [_tag(entry) for entry in _entries(page)]
    tags: dict[str, TagSeen] = {}
    for tag in entries:
        if tag is not None:
            tags.setdefault(tag.name, tag)
    return ListingPage(
        tuple(tags),
        entries.count(None),
        tuple(tags.values()),
        _total(page),
        _next(page),
    )


def _repository(entry: object, namespace: str) -> str | None:
    if not isinstance(entry, dict) or entry.get("namespace", namespace) != namespace:
        return None
    name = f"{namespace}/{entry.get('name')}"
    is_text = isinstance(entry.get("name"), str)
    return name if is_text and is_repository_name(name) else None


def _tag(entry: object) -> TagSeen | None:
    if not isinstance(entry, dict) or not is_tag(name := entry.get("name")):
        return None
    images = _images(entry.get("images"))
    pushed_at = _moment(entry.get("tag_last_pushed"))
    if pushed_at is None:
        pushed_at = _moment(entry.get("last_updated"))
    # What its images weigh by the API's word, as far as it says it.
    sizes = tuple((d, size) for d, size in images if d is not None and size is not None)
    return TagSeen(str(name), _digest_of_tag(entry, images), pushed_at, sizes)


def _digest_of_tag(
    entry: dict[str, object], images: tuple[Image, ...]
) -> Digest | None:
    """Its own digest, or that of its only image if it names no index.

    One that is a part of the tag's index is not its own: the other parts would be lost.
    """
    listed = entry.get("images")
    parts = listed if isinstance(listed, list) else []
    named = entry.get("media_type")
    media_type = named if isinstance(named, str) else ""
    if entry.get("digest") is None:
        is_one = len(parts) == 1 and len(images) == 1 and media_type in _ONE_IMAGE
        return images[0][0] if is_one else None
    digest = _digest(entry["digest"])
    if len(parts) > 1 or media_type in INDEXES:
        digests = [part.get("digest") for part in parts if isinstance(part, dict)]
        return None if digest in digests else digest
    return digest


def _images(value: object) -> tuple[Image, ...]:
    """Those that can be read, the first of several of one platform; what cannot be is
    learned from the manifests. Attestations are left out, and images that nobody pulls
    (`inactive`) are not: they are still there."""
    found: dict[Platform, Image] = {}
    for entry in value if isinstance(value, list) else ():
        platform = _platform(entry)
        if platform is not None and platform != UNKNOWN:
            image = _digest(entry.get("digest")), _size(entry.get("size"))
            found.setdefault(platform, image)
    return tuple(found.values())


def _platform(entry: object) -> Platform | None:
    if not isinstance(entry, dict):
        return None
    keys = ("os", "architecture", "variant", "os_version")
    parts = [_text(entry.get(key)) for key in keys]
    return normalised(*parts) if parts[0] and parts[1] else None


def _size(value: object) -> int | None:
    return value if type(value) is int and 0 < value <= DESCRIPTOR_BYTES else None


def _text(value: object) -> str:
    is_short = isinstance(value, str) and len(value) <= PLATFORM_CHARACTERS
    return value if isinstance(value, str) and is_short else ""


def _digest(value: object) -> Digest | None:
    return Digest(value) if isinstance(value, str) and is_digest(value) else None


def _moment(value: object) -> datetime | None:
    if not isinstance(value, str) or _TIME.fullmatch(value) is None:
        return None
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _object(raw: bytes) -> dict[str, object]:
    value = parse_json(raw)
    if not isinstance(value, dict):
        raise _invalid("it is not a JSON object")
    return value


def _entries(page: dict[str, object]) -> list[object]:
    # An absent list says nothing; taken as an empty one it would delete everything.
    entries = page.get("results")
    if not isinstance(entries, list):
        raise _invalid("it has no list of results")
    return entries


def _total(page: dict[str, object]) -> int | None:
    count = page.get("count")
    return count if type(count) is int and count >= 0 else None


def _next(page: dict[str, object]) -> str | None:
    """Raises DocumentError where it cannot be told whether this is the last page."""
    following = page.get("next", "")
    if following is not None and (not isinstance(following, str) or not following):
        raise _invalid("it does not say whether there is a next page")
    return following


def _invalid(reason: str) -> DocumentError:
    return DocumentError(
        f"a page of Docker Hub's listing is unusable: {reason}",
        code="invalid_listing",
    )
