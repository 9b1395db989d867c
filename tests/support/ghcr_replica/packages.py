"""Packages and their versions as GitHub's API lists them: one version a manifest, the
newest first."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from support.replica.changes import Change, ChangingContent
from weighbridge.demo.content.stored_documents import RegistryContent, Served
from weighbridge.demo.content.virtual_blobs import Blob

PUSHED_AT = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)


@dataclass(slots=True)
class Version:
    """One manifest of a package."""

    id: int
    digest: str
    tags: list[str] = field(default_factory=list)

    @property
    def created_at(self) -> datetime:
        return PUSHED_AT + timedelta(seconds=self.id)

    def as_json(self, repository: str) -> dict[str, object]:
        at = self.created_at.isoformat().replace("+00:00", "Z")
        return {
            "id": self.id,
            "name": self.digest,
            "url": f"https://api.github.invalid/{repository}/versions/{self.id}",
            "package_html_url": f"https://github.invalid/{repository}",
            "created_at": at,
            "updated_at": at,
            "html_url": f"https://github.invalid/{repository}/{self.id}",
            "metadata": {"package_type": "container", "container": {"tags": self.tags}},
        }


class Packages:
    """The versions of every repository of a content, which may change."""

    def __init__(self, content: ChangingContent) -> None:
        self.content = content
        self._next_id = 1
        self._versions: dict[str, list[Version]] = {}
        for repository in content.repositories():
            self._versions[repository] = []
            for tag in content.tags(repository) or ():
                self._tag(repository, tag)

    def versions(self, repository: str) -> list[Version]:
        """The newest first."""
        return self._versions[repository][::-1]

    def repositories(self) -> list[str]:
        return [r for r in self.content.repositories() if self._versions[r]]

    def push(self, repository: str, tag: str, like: str) -> None:
        """Let a tag name what `like` names."""
        self.content.apply([Change(repository, tag, like)])
        self._untag(repository, tag)
        self._tag(repository, tag)

    def push_new(self, repository: str, number: int) -> None:
        """A version without a tag on top."""
        digest = "sha256:" + f"{number:064x}"
        self._versions[repository].append(Version(self._id(), digest))

    def spread(self, repository: str, places: Sequence[int], count: int) -> None:
        """So many versions, with those that have a tag at these places; the newest is
        at 0."""
        while len(self._versions[repository]) < count:
            self.push_new(repository, self._next_id)
        rows = self._versions[repository]
        rest = [version for version in rows if not version.tags]
        for place, version in zip(places, (v for v in rows if v.tags), strict=True):
            rest.insert(place, version)
        self._versions[repository] = rest[::-1]

    def delete_version(self, repository: str, at: int) -> list[str]:
        """That at this place, with its tags, which are given. at: of the newest: 0"""
        gone = self._versions[repository].pop(-1 - at)
        self.content.apply([Change(repository, tag) for tag in gone.tags])
        return gone.tags

    def replace(self, content: ChangingContent, repository: str) -> None:
        """What was pushed since: tags name other manifests, which are new on top."""
        self.content = content
        for tag in content.tags(repository) or ():
            served = content.manifest(repository, tag)
            holder = next(v for v in self._versions[repository] if tag in v.tags)
            if served is not None and served.digest != holder.digest:
                holder.tags.remove(tag)
                self._tag(repository, tag)

    def _untag(self, repository: str, tag: str) -> None:
        for version in self._versions[repository]:
            if tag in version.tags:
                version.tags.remove(tag)

    def _tag(self, repository: str, tag: str) -> None:
        served = self.content.manifest(repository, tag)
        if served is None:
            raise ValueError(f"{repository}:{tag} names nothing")
        rows = self._versions[repository]
        known = {version.digest: version for version in rows[-50:]}
        if served.digest not in known:
            known |= {version.digest: version for version in rows}
        for digest in (*_children(served.content), served.digest):
            if digest not in known:
                known[digest] = Version(self._id(), digest)
                rows.append(known[digest])
        known[served.digest].tags.append(tag)

    def _id(self) -> int:
        self._next_id += 1
        return self._next_id


def _children(content: bytes) -> Iterator[str]:
    document: dict[str, Any] = json.loads(content)
    for child in document.get("manifests", ()):
        yield child["digest"]


class Together:
    """Several contents as one, each with repositories of its own."""

    def __init__(self, *contents: RegistryContent) -> None:
        self._of = {name: c for c in contents for name in c.repositories()}

    def repositories(self) -> Sequence[str]:
        return sorted(self._of)

    def tags(self, repository: str) -> Sequence[str] | None:
        content = self._of.get(repository)
        return None if content is None else content.tags(repository)

    def manifest(self, repository: str, reference: str) -> Served | None:
        content = self._of.get(repository)
        return None if content is None else content.manifest(repository, reference)

    def blob(self, repository: str, digest: str) -> Blob | None:
        content = self._of.get(repository)
        return None if content is None else content.blob(repository, digest)
