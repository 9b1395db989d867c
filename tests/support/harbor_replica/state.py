"""Harbor's state: what it holds, who is asked about, what was asked."""

import base64
import json
import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from support.replica.changes import Change, ChangingContent
from weighbridge.demo.content.stored_documents import RegistryContent, Served
from weighbridge.domain.image.digest import Digest

PUSHED_AT = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
ROBOT, SECRET = "robot$weighbridge", "robot-secret-correct-horse"


@dataclass(frozen=True, slots=True)
class Artifact:
    """What the database of Harbor has of a manifest that was pushed by a tag."""

    id: int
    served: Served


@dataclass(slots=True)
class Harbor:
    """A Harbor over a content; the first word of a repository's name is its project.

    public:       projects that everybody sees
    hidden:       projects that our robot has no rights in
    empty:        projects without a repository
    caches:       projects that are caches of another registry
    is_user:      whether we are a user and no robot
    is_expired:   the robot is, and becomes nobody in particular
    expire_after: answers of the API after which it is
    quotas:       bytes that projects store and may store (-1: any); None: our robot has
                  no right to list them
    pulls:        manifests that were fetched of each repository, before and now
    pulled_at:    when tags were last pulled, by (repository, tag)
    refusals:     so many requests to the API are answered 429
    links_to:     another host that the API names in `Link`
    bodies:       what is served in the place of a page, by its path and number
    totals:       what X-Total-Count says instead, by the same; "" for no such field
    unserved:     digests that are listed, and that the registry does not have
    prevented:    digests that a rule of the project lets nobody pull
    lost:         repositories of which the API knows nothing any more
    after_page:   called with the path and number of each page that was served
    counts:       requests by kind
    violations:   what no client of the real one may do
    """

    content: ChangingContent
    public: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()
    empty: frozenset[str] = frozenset()
    caches: frozenset[str] = frozenset()
    is_user: bool = False
    is_expired: bool = False
    expire_after: int | None = None
    quotas: dict[str, tuple[int, int]] | None = None
    pulls: Counter[str] = field(default_factory=Counter)
    pulled_at: dict[tuple[str, str], datetime] = field(default_factory=dict)
    refusals: int = 0
    links_to: str = ""
    bodies: dict[tuple[str, int], object] = field(default_factory=dict)
    totals: dict[tuple[str, int], str] = field(default_factory=dict)
    unserved: set[str] = field(default_factory=set)
    prevented: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)
    after_page: Callable[[str, int], None] | None = None
    counts: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    moved_at: dict[tuple[str, str], datetime] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    url: str = ""
    _artifacts: dict[str, dict[Digest, Artifact]] = field(default_factory=dict)
    _last_id: int = 0

    def change(self, at: datetime, *changes: Change) -> None:
        """Let tags move or go; an artifact without a tag stays where it was."""
        for change in changes:
            if change.tag is not None:
                self.artifacts(change.repository)
        self.content.apply(changes)
        self.moved_at.update({(c.repository, c.tag or ""): at for c in changes})

    def delete_artifact(self, repository: str, tag: str) -> None:
        """With this one tag of it."""
        served = self.content.manifest(repository, tag)
        if served is None:
            raise ValueError(f"{repository}:{tag} names nothing")
        self.change(PUSHED_AT, Change(repository, tag))
        del self._artifacts[repository][served.digest]

    def rebuild(self, content: RegistryContent, at: datetime) -> None:
        """Another content of the same repositories: tags that name another manifest
        there were pushed at this time."""
        before, self.content = self.content, ChangingContent(content)
        for name in content.repositories():
            for tag in content.tags(name) or ():
                was, now = before.manifest(name, tag), content.manifest(name, tag)
                if was is None or now is None or was.digest != now.digest:
                    self.moved_at[name, tag] = at

    def artifacts(self, repository: str) -> dict[Artifact, list[str]]:
        """Each once with its tags, the oldest first. The children of an index have no
        tag and are none."""
        known = self._artifacts.setdefault(repository, {})
        tags: dict[Artifact, list[str]] = {}
        for tag in self.content.tags(repository) or ():
            served = self.content.manifest(repository, tag)
            if served is None:
                continue
            if served.digest not in known:
                self._last_id += 1
                known[served.digest] = Artifact(self._last_id, served)
            tags.setdefault(known[served.digest], []).append(tag)
        return {artifact: tags.get(artifact, []) for artifact in known.values()}

    def pushed_at(self, repository: str, tag: str) -> datetime:
        return self.moved_at.get((repository, tag), PUSHED_AT)

    def projects(self) -> list[str]:
        names = {name.partition("/")[0] for name in self.content.repositories()}
        return sorted(names | self.empty | self.caches)

    def is_shown(self, project: str, *, to_robot: bool) -> bool:
        return project in self.public or (to_robot and project not in self.hidden)

    def new_token(self, repository: str) -> str:
        token = f"eyJ.{secrets.token_urlsafe(12)}"
        self.tokens[token] = repository
        return token

    def is_robot(self, authorization: str) -> bool:
        return authorization == basic() and not self.is_expired

    def take_counts(self) -> dict[str, int]:
        """Since the last time."""
        counted = dict(self.counts)
        self.counts.clear()
        return counted


def a_harbor(content: RegistryContent) -> Harbor:
    """All of whose projects are private."""
    return Harbor(ChangingContent(content))


def basic() -> str:
    """What the robot shows."""
    pair = base64.b64encode(f"{ROBOT}:{SECRET}".encode()).decode()
    return f"Basic {pair}"


def json_of(served: Served) -> dict[str, object]:
    found: dict[str, object] = json.loads(served.content)
    return found
