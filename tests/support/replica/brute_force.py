"""Every total of a registry's content, from its documents by plain sets and dicts.

It judges our store, so it shares no code with it: documents are read by `json`, and
the rules are written out here once more.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from support.replica.totals import RegistryTotals, RepositoryTotals, ScopeTotals
from weighbridge.demo.content.stored_documents import RegistryContent

_IMAGE_CONFIGS: Final = (
    "application/vnd.docker.container.image.v1+json",
    "application/vnd.oci.image.config.v1+json",
)
_FOREIGN: Final = (".foreign.", ".nondistributable.")
_FILE_SYSTEM: Final = (".rootfs.", ".layer.")


@dataclass(frozen=True, slots=True)
class _Manifest:
    """One document, itself among its blobs.

    blobs:      digest -> bytes that the registry keeps
    pull_bytes: of an image: its distinct layers, foreign ones too; else None
    children:   of an index
    """

    blobs: Mapping[str, int]
    pull_bytes: int | None
    children: tuple[str, ...]


@dataclass(slots=True)
class _Held:
    """What one repository's tags reach."""

    tags: int = 0
    referenced_bytes: int = 0
    blobs: dict[str, int] = field(default_factory=dict)
    images: dict[str, int] = field(default_factory=dict)


def one_scope(_repository: str) -> str:
    """A registry that keeps every blob once."""
    return ""


def count_by_brute_force(
    content: RegistryContent, scope_of: Callable[[str], str] = one_scope
) -> RegistryTotals:
    """All totals; `scope_of` says in which storage scope a repository lies."""
    held = {name: _look(content, name) for name in content.repositories()}
    holders: dict[tuple[str, str], set[str]] = defaultdict(set)
    sizes: dict[str, int] = {}
    images: dict[str, int] = {}
    for name, found in held.items():
        sizes |= found.blobs
        images |= found.images
        for digest in found.blobs:
            holders[scope_of(name), digest].add(name)
    scopes: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    exclusive: dict[str, int] = defaultdict(int)
    for (scope, digest), names in holders.items():
        scopes[scope][0] += sizes[digest]
        if len(names) > 1:
            scopes[scope][1] += sizes[digest]
        else:
            exclusive[next(iter(names))] += sizes[digest]
    return RegistryTotals(
        images=len(images),
        weighed_bytes=sum(images.values()),
        scopes={name: ScopeTotals(*both) for name, both in scopes.items()},
        repositories={
            name: RepositoryTotals(
                tags=found.tags,
                images=len(found.images),
                deduplicated_bytes=sum(found.blobs.values()),
                exclusive_bytes=exclusive[name],
                referenced_bytes=found.referenced_bytes,
                weighed_bytes=sum(found.images.values()),
            )
            for name, found in held.items()
        },
    )


def _look(content: RegistryContent, repository: str) -> _Held:
    held = _Held()
    read: dict[str, _Manifest] = {}
    for tag in content.tags(repository) or ():
        held.tags += 1
        for digest, manifest in _reached(content, repository, tag, read):
            held.blobs |= manifest.blobs
            held.referenced_bytes += sum(manifest.blobs.values())
            if manifest.pull_bytes is not None:
                held.images[digest] = manifest.pull_bytes
    return held


def _reached(
    content: RegistryContent,
    repository: str,
    reference: str,
    read: dict[str, _Manifest],
) -> Iterator[tuple[str, _Manifest]]:
    """A tag's manifest and all below it, each once."""
    seen: set[str] = set()
    waiting = [reference]
    while waiting:
        served = content.manifest(repository, waiting.pop())
        if served is None or served.digest in seen:
            continue
        seen.add(served.digest)
        if served.digest not in read:
            read[served.digest] = _parsed(served.content, served.digest)
        yield served.digest, read[served.digest]
        waiting.extend(read[served.digest].children)


def _parsed(content: bytes, digest: str) -> _Manifest:
    document: Any = json.loads(content)
    blobs = {digest: len(content)}
    if "manifests" in document:
        children = tuple(entry["digest"] for entry in document["manifests"])
        return _Manifest(blobs, None, children)
    config, layers = document["config"], document["layers"]
    pulled = {layer["digest"]: layer["size"] for layer in layers}
    blobs[config["digest"]] = config["size"]
    blobs |= {
        layer["digest"]: layer["size"] for layer in layers if not _is_foreign(layer)
    }
    is_image = config["mediaType"] in _IMAGE_CONFIGS and any(
        part in layer["mediaType"] for layer in layers for part in _FILE_SYSTEM
    )
    return _Manifest(blobs, sum(pulled.values()) if is_image else None, ())


def _is_foreign(layer: Mapping[str, Any]) -> bool:
    return any(part in layer["mediaType"] for part in _FOREIGN)


@dataclass(slots=True)
class Reached:
    """Every blob of a registry, manifests too, by the tags that lead to it.

    tags:      repository and tag, by digest
    sizes:     bytes that the registry keeps, by digest
    manifests: those of the blobs that are manifests
    """

    tags: dict[str, set[tuple[str, str]]] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    manifests: set[str] = field(default_factory=set)

    def freed_by(self, repository: str, names: Collection[str]) -> int:
        """The bytes of what these tags alone lead to, in all of the registry."""
        gone = {(repository, name) for name in names}
        return sum(
            self.sizes[digest] for digest, tags in self.tags.items() if tags <= gone
        )

    def left_by(self, repository: str, names: Collection[str]) -> set[str]:
        """The manifests that no other tag of the repository leads to."""
        return {
            digest
            for digest in self.manifests
            if (own := {tag for name, tag in self.tags[digest] if name == repository})
            and own <= set(names)
        }


def reached_by_tags(content: RegistryContent) -> Reached:
    """What each tag of the registry leads to, turned round."""
    found = Reached()
    for repository in content.repositories():
        read: dict[str, _Manifest] = {}
        for tag in content.tags(repository) or ():
            for digest, manifest in _reached(content, repository, tag, read):
                found.manifests.add(digest)
                found.sizes |= manifest.blobs
                for blob in manifest.blobs:
                    found.tags.setdefault(blob, set()).add((repository, tag))
    return found
