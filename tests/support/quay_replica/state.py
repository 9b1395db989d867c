"""Who may see what at the replica of Quay, what was asked of it, and what happens."""

import base64
import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from support.replica.changes import Change, ChangingContent
from weighbridge.demo.content.stored_documents import RegistryContent

STARTED_AT: Final = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
ROBOT, ROBOT_PASSWORD = "acme+weigh", "robot-correct-horse"
API_TOKEN: Final = "oauth-correct-battery"
OAUTH_USER: Final = "$oauthtoken"


@dataclass(slots=True)
class Quay:
    """A Quay over a content; its repositories are called NAMESPACE/NAME.

    private:     namespaces that only the robot and the user of the token see
    unread:      repositories that the user of the token may not read either
    is_admin:    whether the user of the token owns the namespaces: who does is told
                 that a repository is not there, all others that they may not read it
    list_length: repositories on a page, where no namespace was asked for
    token_ends:  answers of the API after which the token has ended
    actions:     what was done in each repository on each of the last days
    refuses_api: how many requests the API answers with 429
    after_page:  called with the number of each page of tags that was served
    page_bodies: what a page of tags holds instead, by its number
    counts:      requests by kind
    violations:  what no client of the real one may do
    """

    content: ChangingContent
    private: frozenset[str] = frozenset()
    unread: set[str] = field(default_factory=set)
    is_admin: bool = True
    list_length: int = 100
    token_ends: int | None = None
    actions: dict[str, list[int]] = field(default_factory=dict)
    refuses_api: int = 0
    after_page: Callable[[int], None] | None = None
    page_bodies: dict[int, object] = field(default_factory=dict)
    repository_body: object = None
    lost: set[str] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    moved_at: dict[tuple[str, str], datetime] = field(default_factory=dict)
    pull_tokens: dict[str, str] = field(default_factory=dict)
    users_tokens: set[str] = field(default_factory=set)
    url: str = ""
    storage_url: str = ""

    def change(self, at: datetime, *changes: Change) -> None:
        """Let tags move or go; a tag that moves becomes the newest."""
        self.content.apply(changes)
        self.moved_at.update({(c.repository, c.tag or ""): at for c in changes})

    def started_at(self, repository: str, tag: str) -> datetime:
        return self.moved_at.get((repository, tag), STARTED_AT)

    def tags(self, repository: str) -> list[str]:
        """Newest first, as Quay sorts them; those of one moment by name."""
        names = self.content.tags(repository) or ()
        started = {tag: self.started_at(repository, tag) for tag in names}
        return sorted(names, key=lambda tag: (-started[tag].timestamp(), tag))

    def is_shown(self, repository: str, *, to_user: bool) -> bool:
        is_public = repository.partition("/")[0] not in self.private
        return is_public or (to_user and repository not in self.unread)

    def new_pull_token(self, repository: str, *, is_user: bool) -> str:
        """One that is good for this repository, "" for none."""
        token = f"pull.{secrets.token_urlsafe(12)}"
        self.pull_tokens[token] = repository
        if is_user:
            self.users_tokens.add(token)
        return token

    def take_counts(self) -> dict[str, int]:
        """Since the last time."""
        counted = dict(self.counts)
        self.counts.clear()
        return counted


def a_quay(content: RegistryContent) -> Quay:
    """One that shows this content to everybody."""
    return Quay(ChangingContent(content))


def basic(user: str, password: str) -> str:
    """What a password looks like at the token server."""
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"
