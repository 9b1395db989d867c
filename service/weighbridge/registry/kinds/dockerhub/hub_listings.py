"""Pages of Docker Hub's own API, from the raw bytes that it served.

The shapes are those of docker/docs, content/reference/api/hub/latest.yaml, but for
`media_type` and `digest` of a tag, which are served and not written down there: a tag
without them is asked for at the registry.
"""

import re
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from weighbridge.domain.image.digest import Digest, is_digest
from weighbridge.domain.image.media_types import INDEXES
from weighbridge.domain.image.platform import (
    UNKNOWN,
    Platform,
    normalised,
)
from weighbridge.domain.image.reference import is_repository_name, is_tag
from weighbridge.domain.limits import DESCRIPTOR_BYTES, PLATFORM_CHARACTERS
from weighbridge.domain.registry.listing import RepositoryListing, TagPage, TagSeen
from weighbridge.domain.text.strict_json import parse_json
from weighbridge.errors import DocumentError

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


class HubPage(Struct, frozen=True):
    """What a page says of itself.

    names:   well-formed ones, once each
    invalid: entries that are none
    total:   entries of the whole listing, None where it is not said
    next:    the address of the next page, or None on the last
    """

    names: tuple[str, ...]
    invalid: int
    total: int | None
    next: str | None

    @property
    def first(self) -> str:
        """The first name, or "" for none."""
        return self.names[0] if self.names else ""

    @property
    def entries(self) -> int:
        """How many, with those that are not well-formed."""
        return len(self.names) + self.invalid


class HubRepositories(HubPage, frozen=True):
    """Repositories of one namespace; `names` are whole ones, such as library/python."""

    def as_repositories(self) -> RepositoryListing:
        return RepositoryListing(self.names, self.invalid)


class HubTags(HubPage, frozen=True):
    """Tags of one repository."""

    tags: tuple["HubTag", ...] = ()

    def as_tags(self) -> TagPage:
        return TagPage(tuple(tag.as_seen() for tag in self.tags), self.invalid)


class HubImage(Struct, frozen=True):
    """One platform of a tag.

    digest: of its manifest; None on very old images
    compressed_bytes: None where nothing is said; Docker Hub writes 0 for that
    """

    platform: Platform
    digest: Digest | None
    compressed_bytes: int | None


class HubTag(Struct, frozen=True):
    """One tag.

    digest:    of what it names: an index, or an image. None where the API leaves it
               open: the registry has to be asked
    pushed_at: when it was last pushed
    images:    one a platform, the first of several; attestations are left out, and
               images that nobody pulls (`inactive`) are not: they are still there
    """

    name: str
    digest: Digest | None
    pushed_at: datetime | None
    images: tuple[HubImage, ...]

    @property
    def sizes(self) -> tuple[tuple[Digest, int], ...]:
        """What its images weigh by the API's word, as far as it says it."""
        return tuple(
            (image.digest, image.compressed_bytes)
            for image in self.images
            if image.digest is not None and image.compressed_bytes is not None
        )

    def as_seen(self) -> TagSeen:
        return TagSeen(self.name, self.digest, self.pushed_at, self.sizes)


def parse_hub_repositories(raw: bytes, namespace: str) -> HubRepositories:
    """A page of `/v2/namespaces/NAMESPACE/repositories`. Entries of another namespace
    are counted as invalid. Raises DocumentError(invalid_listing, ...)."""
    page = _object(raw)
    entries = _entries(page)
    names = [_repository(entry, namespace) for entry in entries]
    good = tuple(dict.fromkeys(name for name in names if name is not None))
    return HubRepositories(good, names.count(None), _total(page), _next(page))


def parse_hub_tags(raw: bytes) -> HubTags:
    """A page of `/v2/namespaces/NAMESPACE/repositories/NAME/tags`. Raises
    DocumentError(invalid_listing, ...)."""
    page = _object(raw)
    entries = [_tag(entry) for entry in _entries(page)]
    tags: dict[str, HubTag] = {}
    for tag in entries:
        if tag is not None:
            tags.setdefault(tag.name, tag)
    return HubTags(
        tuple(tags),
        entries.count(None),
        _total(page),
        _next(page),
        tuple(tags.values()),
    )


def _repository(entry: object, namespace: str) -> str | None:
    if not isinstance(entry, dict) or entry.get("namespace", namespace) != namespace:
        return None
    name = f"{namespace}/{entry.get('name')}"
    is_text = isinstance(entry.get("name"), str)
    return name if is_text and is_repository_name(name) else None


def _tag(entry: object) -> HubTag | None:
    if not isinstance(entry, dict) or not is_tag(name := entry.get("name")):
        return None
    images = _images(entry.get("images"))
    pushed_at = _moment(entry.get("tag_last_pushed"))
    if pushed_at is None:
        pushed_at = _moment(entry.get("last_updated"))
    return HubTag(str(name), _digest_of_tag(entry, images), pushed_at, images)


def _digest_of_tag(
    entry: dict[str, object], images: tuple[HubImage, ...]
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
        return images[0].digest if is_one else None
    digest = _digest(entry["digest"])
    if len(parts) > 1 or media_type in INDEXES:
        digests = [part.get("digest") for part in parts if isinstance(part, dict)]
        return None if digest in digests else digest
    return digest


def _images(value: object) -> tuple[HubImage, ...]:
    """Those that can be read; what cannot be is learned from the manifests."""
    found: dict[Platform, HubImage] = {}
    for entry in value if isinstance(value, list) else ():
        image = _image(entry)
        if image is not None and image.platform != UNKNOWN:
            found.setdefault(image.platform, image)
    return tuple(found.values())


def _image(entry: object) -> HubImage | None:
    if not isinstance(entry, dict):
        return None
    keys = ("os", "architecture", "variant", "os_version")
    parts = [_text(entry.get(key)) for key in keys]
    if not parts[0] or not parts[1]:
        return None
    size = entry.get("size")
    is_known = type(size) is int and 0 < size <= DESCRIPTOR_BYTES
    return HubImage(
        normalised(*parts), _digest(entry.get("digest")), size if is_known else None
    )


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
