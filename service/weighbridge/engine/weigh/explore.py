"""Finds out what an index leads to, with as few requests as that takes."""

from typing import Final, TypeAlias

from msgspec import Struct, field
from msgspec.structs import replace

from weighbridge.domain import limits
from weighbridge.domain.image.artifact import is_odd
from weighbridge.domain.image.digest import Digest, short
from weighbridge.domain.image.document import (
    Artifact,
    Child,
    Image,
    Index,
    Manifest,
    ParsedManifest,
)
from weighbridge.domain.image.platform import ListedImage, Platform, pulled_as
from weighbridge.engine.documents.document_reader import Reader
from weighbridge.errors import DocumentError, NotFound

Path: TypeAlias = tuple[tuple[Platform | None, int], ...]
_TOO_DEEP: Final = (
    f"indexes nested deeper than {limits.INDEX_DEPTH} levels were not read"
    " (index_too_deep)"
)


class IndexContents(Struct):
    """What an index leads to, gathered level by level.

    listed:   every entry that is an image, by the platform that it is pulled for
    children: those entries
    read:     the images among them that had to be read to learn what they are
    named:    every child on every level
    explored: those that were asked to learn what they are, once each
    is_whole: whether every index was read
    """

    listed: list[ListedImage[Digest]] = field(default_factory=list)
    children: dict[Digest, Child] = field(default_factory=dict)
    read: dict[Digest, Image] = field(default_factory=dict)
    others: dict[Digest, Child] = field(default_factory=dict)
    named: set[Digest] = field(default_factory=set)
    explored: set[Digest] = field(default_factory=set)
    warnings: list[str] = field(default_factory=list)
    is_whole: bool = True

    def note(self, platform: Platform, path: Path, child: Child) -> None:
        """An entry is an image for this platform."""
        digest = child.descriptor.digest
        self.listed.append(ListedImage(platform, path, digest))
        self.children.setdefault(digest, child)

    def note_too_deep(self) -> None:
        """An index was not read, and may lead to anything."""
        self.is_whole = False
        if _TOO_DEEP not in self.warnings:
            self.warnings.append(_TOO_DEEP)


async def explore(
    reader: Reader,
    repository: str,
    index: Index,
    found: IndexContents,
    depth: int,
    path: Path = (),
) -> None:
    """Sort an index's children; only nested indexes, images that do not say their
    platform, and entries whose media type is no manifest's are fetched."""
    _check_count(index, found)
    for place, child in enumerate(index.children):
        descriptor = child.descriptor
        here = (*path, (descriptor.platform, place))
        if child.role == "index":
            await _explore_nested(reader, repository, child, found, depth, here)
        elif is_odd(descriptor) or (child.role == "image" and not descriptor.platform):
            await _explore_unsaid(reader, repository, child, found, depth, here)
        elif child.role == "image" and descriptor.platform is not None:
            found.note(descriptor.platform, here, child)
        else:
            found.others.setdefault(descriptor.digest, child)


async def _explore_unsaid(
    reader: Reader,
    repository: str,
    child: Child,
    found: IndexContents,
    depth: int,
    here: Path,
) -> None:
    """What the index does not say of an entry, its own document does."""
    digest = child.descriptor.digest
    if not _is_first(child, found):
        if (image := found.read.get(digest)) is not None:
            found.note(
                pulled_as(child.descriptor.platform, image.platform), here, child
            )
        return
    if is_odd(child.descriptor):
        parsed = await _fetch_odd(reader, repository, child, found)
    else:
        parsed = await fetch_child(reader, repository, child, found)
    await _sort(reader, repository, child, parsed, found, depth, here)


async def _sort(
    reader: Reader,
    repository: str,
    child: Child,
    parsed: ParsedManifest | None,
    found: IndexContents,
    depth: int,
    here: Path,
) -> None:
    """By its own document, whatever the index calls it."""
    descriptor = child.descriptor
    if isinstance(parsed, Index):
        if depth + 1 < limits.INDEX_DEPTH:
            await explore(reader, repository, parsed, found, depth + 1, here)
        else:
            found.note_too_deep()
    elif isinstance(parsed, Manifest | Artifact):
        document = await reader.settled(repository, parsed, descriptor.platform)
        if isinstance(document, Image):
            found.read[descriptor.digest] = document
            said = pulled_as(descriptor.platform, document.platform)
            found.note(said, here, child)
        else:
            child = replace(child, role=document.role)
            found.others.setdefault(descriptor.digest, child)


async def _fetch_odd(
    reader: Reader, repository: str, child: Child, found: IndexContents
) -> ParsedManifest | None:
    """An entry whose media type is no manifest's may be one all the same, and Podman
    would pull it; most are none, which is no fault."""
    try:
        return await reader.get_child(repository, child)
    except (NotFound, DocumentError) as exc:
        if exc.code == "digest_mismatch":
            raise
    digest, media_type = child.descriptor.digest, child.descriptor.media_type
    found.others.setdefault(digest, replace(child, role="artifact"))
    found.warnings.append(
        f"{short(digest)} is listed as {media_type}, which is no manifest: it is left"
        " out"
    )
    return None


def _check_count(index: Index, found: IndexContents) -> None:
    """Indexes of indexes count together: a thousand times a thousand children would
    be a million requests. Raises DocumentError(index_too_large)."""
    found.named.update(child.descriptor.digest for child in index.children)
    if len(found.named) > limits.INDEX_CHILDREN:
        raise DocumentError(
            f"it leads to more than {limits.INDEX_CHILDREN} manifests",
            code="index_too_large",
        )


def _is_first(child: Child, found: IndexContents) -> bool:
    """Whether a child was not asked yet; from now on it was."""
    if child.descriptor.digest in found.explored:
        return False
    found.explored.add(child.descriptor.digest)
    return True


async def _explore_nested(
    reader: Reader,
    repository: str,
    child: Child,
    found: IndexContents,
    depth: int,
    here: Path,
) -> None:
    if depth + 1 >= limits.INDEX_DEPTH:
        found.note_too_deep()
    elif _is_first(child, found):
        nested = await fetch_child(reader, repository, child, found)
        await _sort(reader, repository, child, nested, found, depth, here)


async def fetch_child(
    reader: Reader, repository: str, child: Child, found: IndexContents
) -> ParsedManifest | None:
    try:
        return await reader.get_child(repository, child)
    except NotFound:
        found.warnings.append(
            f"{child.descriptor.platform or 'a child'} is listed but the registry "
            "does not have it (child_missing)"
        )
        return None
