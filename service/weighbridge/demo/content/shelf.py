"""What a registry holds, as the demo's server asks for it, and a shelf of pushes."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from weighbridge.demo.content.recipe import Push
from weighbridge.demo.content.stored_documents import Served, stored_push
from weighbridge.demo.content.virtual_blobs import Blob
from weighbridge.domain.image.digest import Digest


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
        item = stored_push(push.item)
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
