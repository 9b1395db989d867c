"""Finds out what an index leads to, with as few requests as that takes."""

from typing import Final, TypeAlias

from msgspec import Struct, field
from msgspec.structs import replace

from weighbridge.domain import limits
from weighbridge.domain.image.digest import Digest, short
from weighbridge.domain.image.document import (
    Artifact,
    Child,
    Image,
    Index,
    Manifest,
    ParsedManifest,
)
from weighbridge.domain.image.manifest import is_odd
from weighbridge.domain.image.platform import ListedImage, Platform, pulled_as
from weighbridge.engine.documents.document_reader import Reader
from weighbridge.errors import DocumentError, NotFound

Path: TypeAlias = tuple[tuple[Platform | None, int], ...]
_TOO_DEEP: Final = (
    f"indexes nested deeper than {limits.INDEX_DEPTH} levels were not read"
    " (index_too_deep)"
)


class IndexContents(Struct):
    """What an index of a repository leads to, gathered level by level.

    listed:   every entry that is an image, by the platform that it is pulled for
    children: those entries
    read:     the images among them that had to be read to learn what they are
    named:    every child on every level
    explored: those that were asked to learn what they are, once each
    is_whole: whether every index was read
    """

    reader: Reader
    repository: str
    listed: list[ListedImage[Digest]] = field(default_factory=list)
    children: dict[Digest, Child] = field(default_factory=dict)
    read: dict[Digest, Image] = field(default_factory=dict)
    others: dict[Digest, Child] = field(default_factory=dict)
    named: set[Digest] = field(default_factory=set)
    explored: set[Digest] = field(default_factory=set)
    warnings: list[str] = field(default_factory=list)
    is_whole: bool = True

    async def explore(self, index: Index, depth: int = 1, path: Path = ()) -> None:
        """Sort an index's children; only nested indexes, images that do not say their
        platform, and entries whose media type is no manifest's are fetched."""
        self._check_count(index)
        for place, child in enumerate(index.children):
            descriptor = child.descriptor
            here = (*path, (descriptor.platform, place))
            is_image = child.role == "image"
            if child.role == "index":
                await self._explore_nested(child, depth, here)
            elif is_odd(descriptor) or (is_image and not descriptor.platform):
                await self._explore_unsaid(child, depth, here)
            elif is_image and descriptor.platform is not None:
                self._note(descriptor.platform, here, child)
            else:
                self.others.setdefault(descriptor.digest, child)

    async def fetch_child(self, child: Child) -> ParsedManifest | None:
        """One child; None, and a warning, where the registry does not have it."""
        try:
            return await self.reader.get_child(self.repository, child)
        except NotFound:
            self.warnings.append(
                f"{child.descriptor.platform or 'a child'} is listed but the registry "
                "does not have it (child_missing)"
            )
            return None

    async def _explore_nested(self, child: Child, depth: int, here: Path) -> None:
        if depth + 1 >= limits.INDEX_DEPTH:
            self._note_too_deep()
        elif self._is_first(child):
            await self._sort(child, await self.fetch_child(child), depth, here)

    async def _explore_unsaid(self, child: Child, depth: int, here: Path) -> None:
        """What the index does not say of an entry, its own document does."""
        descriptor = child.descriptor
        if self._is_first(child):
            fetch = self._fetch_odd if is_odd(descriptor) else self.fetch_child
            await self._sort(child, await fetch(child), depth, here)
        elif (image := self.read.get(descriptor.digest)) is not None:
            self._note(pulled_as(descriptor.platform, image.platform), here, child)

    async def _sort(
        self, child: Child, parsed: ParsedManifest | None, depth: int, here: Path
    ) -> None:
        """By its own document, whatever the index calls it."""
        descriptor = child.descriptor
        if isinstance(parsed, Index):
            if depth + 1 < limits.INDEX_DEPTH:
                await self.explore(parsed, depth + 1, here)
            else:
                self._note_too_deep()
        elif isinstance(parsed, Manifest | Artifact):
            document = await self.reader.settled(
                self.repository, parsed, descriptor.platform
            )
            if isinstance(document, Image):
                self.read[descriptor.digest] = document
                said = pulled_as(descriptor.platform, document.platform)
                self._note(said, here, child)
            else:
                child = replace(child, role=document.role)
                self.others.setdefault(descriptor.digest, child)

    async def _fetch_odd(self, child: Child) -> ParsedManifest | None:
        """An entry whose media type is no manifest's may be one all the same, and
        Podman would pull it; most are none, which is no fault."""
        try:
            return await self.reader.get_child(self.repository, child)
        except (NotFound, DocumentError) as exc:
            if exc.code == "digest_mismatch":
                raise
        digest, media_type = child.descriptor.digest, child.descriptor.media_type
        self.others.setdefault(digest, replace(child, role="artifact"))
        self.warnings.append(
            f"{short(digest)} is listed as {media_type}, which is no manifest: it is"
            " left out"
        )
        return None

    def _check_count(self, index: Index) -> None:
        """Indexes of indexes count together: a thousand times a thousand children would
        be a million requests. Raises DocumentError(index_too_large)."""
        self.named.update(child.descriptor.digest for child in index.children)
        if len(self.named) > limits.INDEX_CHILDREN:
            raise DocumentError(
                f"it leads to more than {limits.INDEX_CHILDREN} manifests",
                code="index_too_large",
            )

    def _is_first(self, child: Child) -> bool:
        """Whether a child was not asked yet; from now on it was."""
        is_first = child.descriptor.digest not in self.explored
        self.explored.add(child.descriptor.digest)
        return is_first

    def _note(self, platform: Platform, path: Path, child: Child) -> None:
        """An entry is an image for this platform."""
        digest = child.descriptor.digest
        self.listed.append(ListedImage(platform, path, digest))
        self.children.setdefault(digest, child)

    def _note_too_deep(self) -> None:
        """An index was not read, and may lead to anything."""
        self.is_whole = False
        if _TOO_DEEP not in self.warnings:
            self.warnings.append(_TOO_DEEP)
