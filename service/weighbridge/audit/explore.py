"""Finds out what an index leads to, with as few requests as that takes."""

from dataclasses import dataclass, field
from typing import Final

from weighbridge.audit.read import Reader
from weighbridge.domain import limits
from weighbridge.domain.digest import Digest
from weighbridge.domain.document import Child, Index, Manifest, ParsedManifest
from weighbridge.domain.platform import Platform
from weighbridge.errors import DocumentError, NotFound

_TOO_DEEP: Final = (
    f"indexes nested deeper than {limits.INDEX_DEPTH} levels were not read"
    " (index_too_deep)"
)


@dataclass(slots=True)
class Found:
    """What an index leads to, gathered level by level.

    named:    every child on every level
    explored: those that were asked to learn what they are, once each
    """

    images: dict[Platform, Child] = field(default_factory=dict)
    manifests: dict[Digest, Manifest] = field(default_factory=dict)
    others: dict[Digest, Child] = field(default_factory=dict)
    named: set[Digest] = field(default_factory=set)
    explored: set[Digest] = field(default_factory=set)
    warnings: list[str] = field(default_factory=list)


async def explore(
    reader: Reader, repository: str, index: Index, found: Found, depth: int
) -> None:
    """Sort an index's children; only nested indexes and images that do not say
    their platform are fetched."""
    _check_count(index, found)
    for child in index.children:
        if child.role == "index":
            await _explore_nested(reader, repository, child, found, depth)
        elif child.role != "image":
            found.others.setdefault(child.descriptor.digest, child)
        elif child.descriptor.platform is not None:
            found.images.setdefault(child.descriptor.platform, child)
        elif _is_first(child, found):
            manifest = await fetch_child(reader, repository, child, found)
            if isinstance(manifest, Manifest):
                image = await reader.image(repository, manifest, None)
                found.manifests[child.descriptor.digest] = manifest
                found.images.setdefault(image.platform, child)


def _check_count(index: Index, found: Found) -> None:
    """Indexes of indexes count together: a thousand times a thousand children would
    be a million requests. Raises DocumentError(index_too_large)."""
    found.named.update(child.descriptor.digest for child in index.children)
    if len(found.named) > limits.INDEX_CHILDREN:
        raise DocumentError(
            f"it leads to more than {limits.INDEX_CHILDREN} manifests",
            code="index_too_large",
        )


def _is_first(child: Child, found: Found) -> bool:
    """Whether a child was not asked yet; from now on it was."""
    if child.descriptor.digest in found.explored:
        return False
    found.explored.add(child.descriptor.digest)
    return True


async def _explore_nested(
    reader: Reader, repository: str, child: Child, found: Found, depth: int
) -> None:
    if depth + 1 >= limits.INDEX_DEPTH:
        if _TOO_DEEP not in found.warnings:
            found.warnings.append(_TOO_DEEP)
        return
    if not _is_first(child, found):
        return
    nested = await fetch_child(reader, repository, child, found)
    if isinstance(nested, Index):
        await explore(reader, repository, nested, found, depth + 1)


async def fetch_child(
    reader: Reader, repository: str, child: Child, found: Found
) -> ParsedManifest | None:
    try:
        return await reader.get_child(repository, child)
    except NotFound:
        found.warnings.append(
            f"{child.descriptor.platform or 'a child'} is listed but the registry "
            "does not have it (child_missing)"
        )
        return None
