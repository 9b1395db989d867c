"""What Google's registries say of a name by `tags/list`: more than the specification
has, and all of it in one answer, however much there is
(google/go-containerregistry, issue 897 and pkg/v1/google/list.go).

Besides `tags` there are `manifest`, by digest what each is called, weighs and when it
came, and `child`, the names below this one. All numbers are written as strings.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import Struct

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.media_types import MANIFESTS
from weighbridge.domain.image.reference import is_repository_name, is_tag
from weighbridge.domain.limits import JSON_CONTAINERS, MIB
from weighbridge.domain.registry.listing import TagSeen
from weighbridge.errors import DocumentError
from weighbridge.registry.exchange.paging import (
    ListingPage,
    page_members,
    unusable_page,
)
from weighbridge.registry.exchange.vendor_api import read_digest, read_size

GOOGLE_PAGE_BYTES: Final = 32 * MIB
"""A third of a KiB each for as many manifests as `parse_json` reads (two brackets
each): 100,000."""
_LISTING: Final = "Google's listing"
_DIGITS: Final = re.compile(r"[0-9]{1,15}", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MS: Final = 4_102_444_800_000
"""The year 2100; a later time is a slip."""


class GoogleFolder(Struct, frozen=True):
    """What is under a name.

    children:   whole names of what is below it
    invalid:    entries that are no names
    has_images: whether it has manifests or tags itself
    """

    children: tuple[str, ...]
    invalid: int
    has_images: bool

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing: Google says that of a name that it does not know,
        too."""
        return not (self.children or self.invalid or self.has_images)


def parse_google_folder(raw: bytes, name: str) -> GoogleFolder:
    """What is below `name`, and whether it is an image itself. Raises
    DocumentError(invalid_listing, name_mismatch, ...)."""
    page = _page(raw, name)
    if page.keys().isdisjoint(("child", "manifest", "tags")):
        raise unusable_page(_LISTING, "it has neither 'child' nor 'tags'")
    entries = _list(page, "child")
    names = [_below(name, entry) for entry in entries]
    children = tuple(dict.fromkeys(child for child in names if child is not None))
    has_images = bool(_manifests(page) or _list(page, "tags"))
    return GoogleFolder(children, names.count(None), has_images)


def parse_google_tags(raw: bytes, repository: str) -> ListingPage:
    """The tags of one repository. Raises
    DocumentError(invalid_listing, name_mismatch, ...).

    A tag has a digest where exactly one manifest has it. One that the list lacks and a
    manifest has is a tag too: what is not listed would be taken for deleted.
    """
    page = _page(raw, repository)
    if "tags" not in page:
        # An absent list says nothing; taken as an empty one it would delete everything.
        raise unusable_page(_LISTING, "it has no 'tags'")
    entries = _list(page, "tags")
    named = [entry for entry in entries if is_tag(entry)]
    claims = _claims(_manifests(page))
    names = dict.fromkeys(str(entry) for entry in named)
    tags = [
        _tag(name, claims.get(name, ())) for name in (names | dict.fromkeys(claims))
    ]
    return ListingPage(
        tuple(tag.name for tag in tags), len(entries) - len(named), tuple(tags)
    )


class _Claim(Struct, frozen=True):
    """That a manifest has a tag. compressed_bytes: of one image alone"""

    digest: Digest
    uploaded_at: datetime | None
    compressed_bytes: int | None


def _tag(name: str, claims: Sequence[_Claim]) -> TagSeen:
    if len(claims) != 1:
        return TagSeen(name)
    (claim,) = claims
    size = claim.compressed_bytes
    sizes = () if size is None else ((claim.digest, size),)
    return TagSeen(name, claim.digest, claim.uploaded_at, sizes)


def _claims(manifests: Mapping[str, object]) -> Mapping[str, list[_Claim]]:
    """By tag."""
    found: defaultdict[str, list[_Claim]] = defaultdict(list)
    for name, entry in manifests.items():
        digest = read_digest(name)
        if digest is None or not isinstance(entry, dict):
            continue
        claim = _Claim(
            digest,
            read_milliseconds(entry.get("timeUploadedMs")),
            _one_image_size(entry),
        )
        for tag in _tags_of(entry):
            found[tag].append(claim)
    return found


def _tags_of(entry: Mapping[str, object]) -> Iterable[str]:
    tags = entry.get("tag")
    named = tags if isinstance(tags, list) else ()
    return dict.fromkeys(tag for tag in named if is_tag(tag))


def _one_image_size(entry: Mapping[str, object]) -> int | None:
    """None for an index: what its size adds up is not said."""
    media_type = entry.get("mediaType")
    if not isinstance(media_type, str) or media_type not in MANIFESTS:
        return None
    number = _number(entry.get("imageSizeBytes"))
    return None if number is None else read_size(number)


def read_milliseconds(value: object) -> datetime | None:
    """Milliseconds since 1970 as a string; None for what is none, and for 0, which is
    written of what has no time."""
    number = _number(value)
    if not number or number > _LAST_MS:
        return None
    return _EPOCH + timedelta(milliseconds=number)


def _number(value: object) -> int | None:
    is_number = isinstance(value, str) and _DIGITS.fullmatch(value) is not None
    return int(value) if isinstance(value, str) and is_number else None


def _page(raw: bytes, name: str) -> dict[str, object]:
    if raw.count(b"[") + raw.count(b"{") > JSON_CONTAINERS:
        raise DocumentError(
            f"the registry lists more of {name} than is read in one answer",
            code="too_large",
        )
    page = page_members(raw, _LISTING)
    said = page.get("name", name)
    # A project of a domain is `example.com:project` elsewhere at Google.
    if not isinstance(said, str) or said.replace(":", "/", 1) != name:
        raise DocumentError(
            f"the registry listed another name than {name}",
            code="name_mismatch",
            hint="a cache or proxy before it may have mixed up its answers",
        )
    return page


def _list(page: Mapping[str, object], key: str) -> list[object]:
    """Null, as an absent one, is nothing."""
    entries = page.get(key)
    if entries is None:
        return []
    if not isinstance(entries, list):
        raise unusable_page(_LISTING, f"{key!r} is not a list")
    return entries


def _manifests(page: Mapping[str, object]) -> dict[str, object]:
    manifests = page.get("manifest")
    if manifests is None:
        return {}
    if not isinstance(manifests, dict):
        raise unusable_page(_LISTING, "'manifest' is not an object")
    return manifests


def _below(name: str, entry: object) -> str | None:
    child = f"{name}/{entry}"
    return child if isinstance(entry, str) and is_repository_name(child) else None
