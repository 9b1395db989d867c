"""Pages of `_catalog` and `tags/list`, from the raw bytes that a registry served."""

from msgspec import Struct

from weighbridge.domain.image.reference import is_repository_name, is_tag
from weighbridge.domain.registry.listing import RepositoryListing, TagPage, TagSeen
from weighbridge.domain.text.strict_json import parse_json
from weighbridge.errors import DocumentError


class NamesOfPage(Struct, frozen=True):
    """The names on one page: well-formed ones once each, in the registry's order."""

    names: tuple[str, ...]
    invalid: int

    @property
    def first(self) -> str:
        """The first of them, or "" for none."""
        return self.names[0] if self.names else ""

    @property
    def entries(self) -> int:
        """How many, with those that are not well-formed."""
        return len(self.names) + self.invalid

    def as_repositories(self) -> RepositoryListing:
        return RepositoryListing(self.names, self.invalid)

    def as_tags(self) -> TagPage:
        return TagPage(tuple(map(TagSeen, self.names)), self.invalid)


def parse_catalog_page(raw: bytes) -> NamesOfPage:
    """`{"repositories": [...]}`. Raises DocumentError(invalid_listing, ...)."""
    entries = _entries(_object(raw), "repositories")
    names = [entry for entry in entries if is_repository_name(entry)]
    return _names(names, entries)


def parse_tag_page(raw: bytes, repository: str) -> NamesOfPage:
    """`{"name": ..., "tags": [...]}`; null, as distribution says it of an emptied
    repository, is no tags. Entries that are no tags (null, digests) are counted.

    Raises DocumentError(invalid_listing, name_mismatch, ...).
    """
    page = _object(raw)
    if page.get("name") != repository:
        raise DocumentError(
            f"the registry listed the tags of another repository than {repository}",
            code="name_mismatch",
            hint="a cache or proxy before it may have mixed up its answers",
        )
    entries = _entries(page, "tags")
    return _names([entry for entry in entries if is_tag(entry)], entries)


def _object(raw: bytes) -> dict[str, object]:
    value = parse_json(raw)
    if not isinstance(value, dict):
        raise _invalid("it is not a JSON object")
    return value


def _entries(page: dict[str, object], key: str) -> list[object]:
    # An absent list says nothing; taken as an empty one it would delete everything.
    if key not in page:
        raise _invalid(f"it has no {key!r}")
    entries = page[key]
    if entries is None:
        return []
    if not isinstance(entries, list):
        raise _invalid(f"{key!r} is not a list")
    return entries


def _names(good: list[object], entries: list[object]) -> NamesOfPage:
    names = dict.fromkeys(entry for entry in good if isinstance(entry, str))
    return NamesOfPage(tuple(names), len(entries) - len(good))


def _invalid(reason: str) -> DocumentError:
    return DocumentError(
        f"a page of the registry's listing is unusable: {reason}",
        code="invalid_listing",
    )
