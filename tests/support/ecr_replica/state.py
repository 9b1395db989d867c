"""Who may ask the replica for what, what was asked of it, and what goes wrong."""

import secrets
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from support.replica.changes import Change, ChangingContent
from weighbridge.demo.content.stored_documents import RegistryContent

ACCOUNT: Final = "123456789012"
REGION: Final = "eu-central-1"
KEY_ID: Final = "AKIAWEIGHBRIDGE00001"
SECRET: Final = "ecr-canary/secret+access+key"
PUSHED_AT: Final = datetime(2026, 1, 26, 12, 0, 0, 123000, tzinfo=UTC)


@dataclass(slots=True)
class ECRState:
    """One account in one region.

    account, region: which; by default ACCOUNT and REGION
    keys:         secrets of access keys, by their ids
    sessions:     the session token that belongs to a key which has one
    denied:       actions that the policy does not allow
    passwords:    of `/v2`, each with when it ends (time.time)
    expires_at:   what the API says of that instead
    throttled:    how many of the next requests of an action are refused for their rate
    refused:      names of errors that the next requests of an action get
    repeats:      every page of DescribeImages comes again under a new token
    most_results: of one page, where that is fewer than were asked for
    damaged:      digests whose manifests the API gives with other bytes
    hidden:       digests that BatchGetImage does not find
    lost:         digests that nothing finds but the listing
    page_members: what stands in a page of DescribeImages instead
    after_page:   called with how many pages of DescribeImages were served
    counts:       requests, by action of the API, and by kind of the registry
    violations:   what no client of the real one may do
    """

    content: ChangingContent
    account: str = ACCOUNT
    region: str = REGION
    keys: dict[str, str] = field(default_factory=lambda: {KEY_ID: SECRET})
    sessions: dict[str, str] = field(default_factory=dict)
    denied: set[str] = field(default_factory=set)
    passwords: dict[str, float] = field(default_factory=dict)
    expires_at: float | None = None
    throttled: Counter[str] = field(default_factory=Counter)
    refused: dict[str, list[str]] = field(default_factory=dict)
    repeats: bool = False
    damaged: set[str] = field(default_factory=set)
    hidden: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)
    page_members: dict[str, object] = field(default_factory=dict)
    most_results: int = 1_000
    after_page: Callable[[int], None] | None = None
    counts: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    next_tokens: dict[str, tuple[str, str]] = field(default_factory=dict)
    pages: int = 0
    api_url: str = ""
    registry_url: str = ""
    storage_url: str = ""

    def change(self, *changes: Change) -> None:
        self.content.apply(changes)

    def new_password(self) -> str:
        password = secrets.token_urlsafe(1_200)
        self.passwords[password] = time.time() + 12 * 3600
        return password

    def is_password(self, password: str) -> bool:
        return self.passwords.get(password, 0.0) > time.time()

    def take_counts(self) -> dict[str, int]:
        """Since the last time."""
        counted = dict(self.counts)
        self.counts.clear()
        return counted


def an_ecr(content: RegistryContent) -> ECRState:
    """One over this content in which nothing goes wrong."""
    return ECRState(ChangingContent(content))
