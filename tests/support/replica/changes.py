"""A content whose tags move and are deleted while it is served."""

import json
from bisect import insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from weighbridge.demo.content.stored_documents import RegistryContent, Served
from weighbridge.demo.content.virtual_blobs import Blob


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to a tag, or to a repository if no tag is said.

    like: the tag (or digest) whose manifest it names from now on; None: it goes.
    A tag that was not there is new. A repository can only go.
    """

    repository: str
    tag: str | None = None
    like: str | None = None

    def as_json(self) -> dict[str, str | None]:
        return {"repository": self.repository, "tag": self.tag, "like": self.like}


@dataclass(slots=True)
class ChangingContent:
    """`before` with changes on top; listings are copied where one changed.

    What a tag named before can still be asked for by its digest, as in a registry
    whose garbage nobody collects.
    """

    before: RegistryContent
    _gone: set[str] = field(default_factory=set)
    _tags: dict[str, list[str]] = field(default_factory=dict)
    _moved: dict[tuple[str, str], Served | None] = field(default_factory=dict)

    def apply(self, changes: Iterable[Change]) -> None:
        """In their order. Raises ValueError for what is not there."""
        for change in changes:
            if self.tags(change.repository) is None:
                raise ValueError(f"no repository {change.repository!r}")
            if change.tag is None:
                self._gone.add(change.repository)
            else:
                self._apply(change.repository, change.tag, change.like)

    def _apply(self, repository: str, tag: str, like: str | None) -> None:
        served = None if like is None else self.manifest(repository, like)
        if like is not None and served is None:
            raise ValueError(f"nothing is called {like!r} in {repository!r}")
        names = self._tags.setdefault(repository, list(self.tags(repository) or ()))
        is_there = self.manifest(repository, tag) is not None
        if served is not None and not is_there:
            insort(names, tag)
        elif served is None:
            names.remove(tag)
        self._moved[repository, tag] = served

    def repositories(self) -> Sequence[str]:
        names = self.before.repositories()
        if not self._gone:
            return names
        return [name for name in names if name not in self._gone]

    def tags(self, repository: str) -> Sequence[str] | None:
        if repository in self._gone:
            return None
        changed = self._tags.get(repository)
        return self.before.tags(repository) if changed is None else changed

    def manifest(self, repository: str, reference: str) -> Served | None:
        if repository in self._gone:
            return None
        if self._moved and (repository, reference) in self._moved:
            return self._moved[repository, reference]
        return self.before.manifest(repository, reference)

    def blob(self, repository: str, digest: str) -> Blob | None:
        if repository in self._gone:
            return None
        return self.before.blob(repository, digest)


def parse_changes(text: bytes) -> list[Change]:
    """A JSON list of objects with `Change`'s members. Raises ValueError."""
    said: Any = json.loads(text)
    try:
        return [Change(c["repository"], c.get("tag"), c.get("like")) for c in said]
    except (TypeError, KeyError, AttributeError) as exc:
        raise ValueError("changes are objects with repository, tag and like") from exc
