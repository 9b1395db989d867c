"""What the replica has, who may see it, what was asked of it, and what goes wrong."""

import base64
import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from support.replica.changes import ChangingContent
from weighbridge.demo.content.stored_documents import RegistryContent

USER, PASSWORD = "deploy-reader", "gldt-correct-horse"
API_TOKEN = "glpat-battery-staple"


@dataclass(slots=True)
class GitLab:
    """A GitLab over a content; a project is the first two parts of each name.

    has_database: whether the registry lists tags itself
    is_behind:    whether a proxy lets only `/v2/` through to the registry
    has_graph:    whether there is GraphQL
    graph_page:   the most tags that GraphQL shows (`max_page_size`)
    has_numbers:  whether REST pages of tags have numbers, and else cursors
    public:       whether everybody may see everything
    hidden:       groups and projects that nobody is shown
    unreadable:   repositories for which tokens are given that allow nothing
    broken:       (repository, tag) that are listed and have no manifest
    tokens:       of the API, that are good
    forget_after: answers of the API after which no token of it is good
    api_left, registry_left: requests that are still answered; None: any number
    own_link:     in the place of what the registry names as the next page
    change_body:  makes another body of each page of a listing: of tags or repositories
    after_page:   called with the same word when a page was served
    counts:       requests by kind
    violations:   what no client of the real one may do
    """

    content: ChangingContent
    has_database: bool = True
    is_behind: bool = False
    has_graph: bool = True
    graph_page: int = 20
    has_numbers: bool = True
    public: bool = False
    hidden: set[str] = field(default_factory=set)
    unreadable: set[str] = field(default_factory=set)
    broken: set[tuple[str, str]] = field(default_factory=set)
    tokens: set[str] = field(default_factory=lambda: {API_TOKEN})
    forget_after: int | None = None
    api_left: int | None = None
    registry_left: int | None = None
    own_link: str = ""
    change_body: Callable[[str, bytes], bytes] | None = None
    after_page: Callable[[str], None] | None = None
    counts: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    pull_tokens: dict[str, str] = field(default_factory=dict)
    shown: set[str] = field(default_factory=set)
    api_url: str = ""
    registry_url: str = ""

    @property
    def repositories(self) -> list[str]:
        return [n for n in self.content.repositories() if not self.is_hidden(n)]

    def is_hidden(self, path: str) -> bool:
        return any(path == h or path.startswith(f"{h}/") for h in self.hidden)

    def number(self, repository: str) -> int:
        """Its id, from 101."""
        return 101 + list(self.content.before.repositories()).index(repository)

    def project_number(self, repository: str) -> int:
        """Its project's id, from 11."""
        every = self.content.before.repositories()
        projects = list(dict.fromkeys(map(project_of, every)))
        return 11 + projects.index(project_of(repository))

    def repository(self, number: int) -> str | None:
        return next((n for n in self.repositories if self.number(n) == number), None)

    def digest(self, repository: str, tag: str) -> str | None:
        if (repository, tag) in self.broken:
            return None
        served = self.content.manifest(repository, tag)
        return None if served is None else served.digest

    def page_body(self, of: str, body: bytes) -> bytes:
        changed = body if self.change_body is None else self.change_body(of, body)
        if self.after_page is not None:
            self.after_page(of)
        return changed

    def new_pull_token(self, repository: str) -> str:
        token = f"jwt.{secrets.token_urlsafe(12)}"
        self.pull_tokens[token] = repository
        return token

    def take_counts(self) -> dict[str, int]:
        """Since the last time."""
        counted = dict(self.counts)
        self.counts.clear()
        return counted


def project_of(repository: str) -> str:
    return "/".join(repository.split("/")[:2])


def a_gitlab(content: RegistryContent) -> GitLab:
    """One without limits over this content."""
    return GitLab(ChangingContent(content))


def basic() -> str:
    """What the user's password looks like where tokens are given."""
    pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    return f"Basic {pair}"
