"""Who may see what at the replica, what was asked of it, and what is left."""

import base64
import secrets
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from support.replica.changes import Change, ChangingContent
from weighbridge.demo.content.stored_documents import RegistryContent

PUSHED_AT = datetime(2018, 1, 26, 12, 0, 0, 123456, tzinfo=UTC)
USER, PASSWORD = "acme", "dckr_pat_correct-horse"


@dataclass(slots=True)
class Hub:
    """A Docker Hub over a content; names of its repositories hold one slash.

    private:      namespaces that only the user sees
    undescribed:  (repository, tag) of which the API gives no digest and no images, as
                  of very old ones
    false_sizes:  what the API says that images weigh, by digest, where it is not so
    unlimited:    repositories whose manifests do not count
    limit, left:  the quota of pulls; None: there is none
    window_s:     as the headers say it
    api_left:     requests that the API still answers; None: any number
    api_refusal:  what it says then: json or html
    forget_after: answers of the API after which every token of it has ended, once
    pulls:        manifests that were fetched of each repository, before and now
    pulled_at:    when tags were last pulled, by (repository, tag)
    next_host:    another host that the API names in `next`
    after_page:   called with the number of each page that was served
    counts:       requests by kind
    violations:   what no client of the real one may do
    """

    content: ChangingContent
    private: frozenset[str] = frozenset()
    undescribed: set[tuple[str, str]] = field(default_factory=set)
    false_sizes: dict[str, int] = field(default_factory=dict)
    unlimited: frozenset[str] = frozenset()
    limit: int | None = None
    left: int = 0
    window_s: int = 21_600
    api_left: int | None = None
    api_refusal: str = "json"
    forget_after: int | None = None
    pulls: Counter[str] = field(default_factory=Counter)
    pulled_at: dict[tuple[str, str], datetime] = field(default_factory=dict)
    next_host: str = ""
    after_page: Callable[[int], None] | None = None
    counts: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    moved_at: dict[tuple[str, str], datetime] = field(default_factory=dict)
    jwts: dict[str, float] = field(default_factory=dict)
    pull_tokens: dict[str, str] = field(default_factory=dict)
    api_url: str = ""
    registry_url: str = ""
    token_url: str = ""

    def change(self, at: datetime, *changes: Change) -> None:
        """Let tags move or go; the API tells the time of a push."""
        self.content.apply(changes)
        self.moved_at.update({(c.repository, c.tag or ""): at for c in changes})

    def pushed_at(self, repository: str, tag: str) -> datetime:
        return self.moved_at.get((repository, tag), PUSHED_AT)

    def refill(self, left: int) -> None:
        """The window has gone on."""
        self.left = left

    def is_shown(self, repository: str, *, to_user: bool) -> bool:
        return to_user or repository.partition("/")[0] not in self.private

    def new_jwt(self) -> str:
        token = f"jwt.{secrets.token_urlsafe(12)}"
        self.jwts[token] = time.monotonic() + 600
        return token

    def is_jwt(self, authorization: str) -> bool:
        scheme, _, token = authorization.partition(" ")
        return scheme == "Bearer" and self.jwts.get(token, 0.0) > time.monotonic()

    def new_pull_token(self, repository: str) -> str:
        token = f"pull.{secrets.token_urlsafe(12)}"
        self.pull_tokens[token] = repository
        return token

    def take_counts(self) -> dict[str, int]:
        """Since the last time."""
        counted = dict(self.counts)
        self.counts.clear()
        return counted


def a_hub(content: RegistryContent) -> Hub:
    """A Hub without limits over this content."""
    return Hub(ChangingContent(content))


def basic() -> str:
    """What the user's password looks like at the token service."""
    pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    return f"Basic {pair}"
