"""What a registry holds, as the demo's server asks for it, and a shelf of pushes."""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Protocol

from weighbridge.demo.content.build_image import build_image
from weighbridge.demo.content.build_index import build_index
from weighbridge.demo.content.recipe import Chart, ImageRecipe, Item, Push, Variants
from weighbridge.demo.content.stored_documents import (
    MANIFEST,
    Served,
    StoredPush,
    as_json,
    as_served,
    descriptor,
)
from weighbridge.demo.content.virtual_blobs import Blob, make_blob, whole_blob
from weighbridge.domain.image.digest import Digest


def build_chart(chart: Chart) -> StoredPush:
    """A chart as helm pushes it: a manifest whose config is no image's."""
    about = {"name": chart.name, "version": chart.version, "apiVersion": "v2"}
    config = whole_blob(as_json(about))
    content = make_blob(f"{chart.name} {chart.version}", "gzip", chart.content_bytes)
    helm = "application/vnd.cncf.helm"
    manifest = as_served(
        {
            "schemaVersion": 2,
            "config": descriptor(config, f"{helm}.config.v1+json"),
            "layers": [descriptor(content, f"{helm}.chart.content.v1.tar+gzip")],
            "annotations": {"org.opencontainers.image.created": chart.at},
        },
        MANIFEST["oci"],
    )
    blobs = {config.digest: config, content.digest: content}
    return StoredPush(manifest, (manifest,), blobs)


class RegistryContent(Protocol):
    """Everything that a read-only registry can be asked for.

    Listings are sorted sequences and may be computed item by item: the server
    takes slices and searches them, it never walks one from end to end.
    """

    def repositories(self) -> Sequence[str]:
        """Every repository's name."""

    def tags(self, repository: str) -> Sequence[str] | None:
        """A repository's tags; None where there is no such repository."""

    def manifest(self, repository: str, reference: str) -> Served | None:
        """By tag or digest; None where the repository has no such manifest."""

    def blob(self, repository: str, digest: str) -> Blob | None:
        """A config or layer; None where the repository has no such blob."""


class Shelf:
    """The content after these pushes, in order: a later push moves its tags."""

    def __init__(self, pushes: Iterable[Push]) -> None:
        self._manifests: dict[str, dict[str, Served]] = {}
        self._blobs: dict[str, dict[Digest, Blob]] = {}
        self._tags: dict[str, set[str]] = {}
        for push in pushes:
            self._keep(push)
        self._listings = {name: sorted(tags) for name, tags in self._tags.items()}
        self._repositories = sorted(self._listings)

    def _keep(self, push: Push) -> None:
        item = _stored(push.item)
        manifests = self._manifests.setdefault(push.repository, {})
        # What a moved tag named before stays under its digest, as in a registry
        # whose garbage nobody collects.
        manifests.update((served.digest, served) for served in item.manifests)
        manifests.update((tag, item.top) for tag in push.tags)
        self._blobs.setdefault(push.repository, {}).update(item.blobs)
        self._tags.setdefault(push.repository, set()).update(push.tags)

    def repositories(self) -> Sequence[str]:
        return self._repositories

    def tags(self, repository: str) -> Sequence[str] | None:
        return self._listings.get(repository)

    def manifest(self, repository: str, reference: str) -> Served | None:
        return self._manifests.get(repository, {}).get(reference)

    def blob(self, repository: str, digest: str) -> Blob | None:
        return self._blobs.get(repository, {}).get(Digest(digest))


@cache
def _stored(item: Item) -> StoredPush:
    if isinstance(item, ImageRecipe):
        return build_image(item)
    if isinstance(item, Variants):
        return build_index(item)
    return build_chart(item)
