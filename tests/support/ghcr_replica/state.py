"""Who may see what at the replica, what was asked of it, and what is left."""

import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from support.ghcr_replica.packages import Packages

USER, TOKEN = "weighbridge-bot", "ghp_correct-horse-battery"
ORGANIZATION, ACCOUNT = "acme", "octo"
"""Whose packages there are: of an organisation, and of a user."""

Refusal = Literal["primary", "secondary", "secondary without a time", "429"]


@dataclass(slots=True)
class GitHub:
    """A GitHub over packages.

    hidden:      repositories that the token may not see
    left:        requests that the API still answers; None: any number
    refusal:     how it refuses after that, until the next request but one
    bad_after:   answers of the API after which the token has ended
    token_kind:  classic, or of an app, which lists no packages
    sso:         what the API says of single sign-on in `X-GitHub-SSO`
    next_host:   another host that the API names in `Link`
    rows:        of each page of versions: how it is changed before it is served
    after_page:  called with the number of each page of versions that was served
    counts:      requests by kind
    violations:  what no client of the real one may do
    """

    packages: Packages
    hidden: set[str] = field(default_factory=set)
    left: int | None = None
    refusal: Refusal = "primary"
    bad_after: int | None = None
    token_kind: str = "classic"
    sso: str = ""
    next_host: str = ""
    rows: Callable[[list[object]], object] | None = None
    after_page: Callable[[int], None] | None = None
    counts: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    pull_tokens: dict[str, str] = field(default_factory=dict)
    api_url: str = ""
    registry_url: str = ""
    storage_url: str = ""

    def new_pull_token(self, repository: str) -> str:
        token = f"pull.{secrets.token_urlsafe(12)}"
        self.pull_tokens[token] = repository
        return token

    def take_counts(self) -> dict[str, int]:
        """Since the last time."""
        counted = dict(self.counts)
        self.counts.clear()
        return counted
