"""What the store answers to API, pages, metrics and tables: the read model's rows, what
waits to be crawled and why, and how it stands with messages.

Times are aware UTC. None means unknown or not there yet, never 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Generic, Literal, TypeAlias, TypeVar, get_args

from msgspec import Struct

from weighbridge.domain.growth.newest import NewestBy
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.policy.policy import LimitKey
from weighbridge.domain.size.confidence import CompressedConfidence, Confidence

Row = TypeVar("Row")

RepositoryState: TypeAlias = Literal[
    "new", "ok", "partial", "missing", "unauthorized", "unreachable", "error", "deleted"
]
"""`new`: never crawled to the end; `ok`: the last crawl was complete; `partial`:
it was not, numbers are of what was seen; `gone`: the registry no longer has it, which
was seen often enough: it is in no list and in no sum; the others: the last crawl failed
so, the numbers are those of the last good one."""


RegistryState: TypeAlias = Literal[
    "new", "ok", "unauthorized", "unreachable", "error", "unconfigured"
]
"""`unconfigured`: no longer in the configuration; its numbers are the last ones."""

ScopeKind: TypeAlias = Literal["registry", "project", "repository"]
"""Inside what a registry keeps a blob once."""

STALE_INTERVALS: Final = 2
"""Times its interval after which what is known of something is stale."""
_FAILED: Final = ("missing", "unauthorized", "unreachable", "error", "deleted")


@dataclass(frozen=True, slots=True)
class RegistryFreshness:
    """As much of a registry as says how fresh its numbers are."""

    name: str
    state: RegistryState
    interval_s: int
    last_success_at: datetime | None


@dataclass(frozen=True, slots=True)
class RegistryReport:
    """One registry with sums over its repositories, without deleted ones.

    storage_scope_kind: inside what it keeps a blob once
    removals_held:      repositories of which more than half is missing at once, or that
                        are missing together, and that wait for a second crawl
    repositories_held:  of these, the ones that are missing themselves; of the others
                        more than half of the tags are
    repository_states:  how many are in which state; every state but `gone` is there
    newest_compressed_bytes: the newest image of each, summed without sharing
    referenced_bytes:   what a naive sum over tags says
    weighed_bytes:      compressed bytes of its distinct images
    deduplicated_bytes: its distinct blobs, each once a storage scope
    shared_bytes:       of those, what two repositories or more refer to
    exclusive_bytes:    the rest: the sum of its repositories' exclusive bytes
    repeated_bytes:     of its shared bytes, what an earlier entry of the same address
                        holds as well: left out where registries are summed up. Those
                        that are not configured any more come last
    requests, bytes_read: all that was ever asked of it: listings, crawls, measuring.
                        None: not told, and so are what is stored and the rate limit,
                        to who sees some of its repositories alone
    rate_limit:         the limit on requests that it told last, None: it has told none
    rate_limit_remaining, rate_limit_window_s: of it, None where that was not told
    rate_limit_seen_at: when it was told
    """

    name: str
    kind: str
    url: str
    state: RegistryState
    state_reason: str
    state_since: datetime | None
    last_discovery_at: datetime | None
    last_success_at: datetime | None
    oldest_crawl_at: datetime | None
    interval_s: int
    storage_scope_kind: ScopeKind
    repositories: int
    repositories_pending: int
    repository_states: Mapping[RepositoryState, int]
    removals_held: int
    repositories_held: int
    tags: int
    images: int | None
    tags_failed: int
    newest_compressed_bytes: int | None
    referenced_bytes: int | None
    weighed_bytes: int | None
    deduplicated_bytes: int | None
    shared_bytes: int | None
    exclusive_bytes: int | None
    repeated_bytes: int | None
    requests: int | None
    bytes_read: int | None
    rate_limit: int | None
    rate_limit_remaining: int | None
    rate_limit_window_s: int | None
    rate_limit_seen_at: datetime | None

    @property
    def failing(self) -> Mapping[RepositoryState, int]:
        """How many repositories were not seen whole at their last crawl, by state."""
        return {
            state: count
            for state, count in self.repository_states.items()
            if state not in ("new", "ok")
        }

    def age_seconds(self, now: datetime) -> int | None:
        """Since a crawl of any of its repositories was last complete."""
        return _age(self.last_success_at, now)

    def is_stale(self, now: datetime) -> bool:
        """Whether the last crawl failed, or two intervals went by without a crawl."""
        return _is_stale(self.state, self.age_seconds(now), self.interval_s)

    @property
    def is_crawled(self) -> bool:
        """Whether anything of it was asked for and answered."""
        return self.last_discovery_at is not None or self.repositories > 0


@dataclass(frozen=True, slots=True)
class RepositoryReport:
    """One row of the read model.

    newest_*:      the headline image: the newest one's reference platform
    newest_by:     the rule that decided
    newest_claimed_bytes: what its manifest says; its compressed bytes are the
                   registry's word where the confidence is `known` or `disputed`
    baseline_compressed_bytes: median of the ten distinct images before the newest,
                   None below three
    heaviest_*:    the newest image's line with the most compressed bytes
    tags_failed:   tags whose last crawl failed (their old data stays)
    over_tags:     tags that stand over a limit of theirs, newest or not
    deleted_at:       since when the registry is known not to have it any more
    storage_scope: the set inside which the registry keeps a blob once: `hub` (its
                   address, where several entries name it), or
                   `hub/acme` where each project has its own blobs
    deduplicated_bytes: its distinct blobs, each once
    exclusive_bytes:    of those, what nothing else in the storage scope refers to:
                   what deleting it frees after garbage collection
    shared_bytes:  the rest, which stays when it is deleted
    """

    registry: str
    repository: str
    state: RepositoryState
    state_reason: str
    state_since: datetime | None
    deleted_at: datetime | None
    last_crawl_at: datetime | None
    last_complete_crawl_at: datetime | None
    interval_s: int
    tags: int
    images: int
    tags_failed: int
    over_tags: int
    newest_tag: str | None
    newest_digest: Digest | None
    newest_platform: str | None
    newest_by: NewestBy | None
    newest_at: datetime | None
    newest_compressed_bytes: int | None
    newest_compressed_confidence: CompressedConfidence | None
    newest_claimed_bytes: int | None
    newest_uncompressed_bytes: int | None
    newest_uncompressed_confidence: Confidence | None
    newest_layers: int | None
    baseline_compressed_bytes: int | None
    heaviest_instruction: str | None
    heaviest_compressed_bytes: int | None
    largest_compressed_bytes: int | None
    referenced_bytes: int | None
    weighed_bytes: int | None
    storage_scope: str
    deduplicated_bytes: int | None
    shared_bytes: int | None
    exclusive_bytes: int | None

    def age_seconds(self, now: datetime) -> int | None:
        """Since the last complete crawl; None if there was none."""
        return _age(self.last_complete_crawl_at, now)

    def is_stale(self, now: datetime) -> bool:
        """Whether the last crawl failed, or two intervals went by without one."""
        return _is_stale(self.state, self.age_seconds(now), self.interval_s)


@dataclass(frozen=True, slots=True)
class TagReport:
    """One tag; `digest` None where it was never read.

    kind: image, index, artifact, unweighable, None
    compressed_bytes: of the reference platform; None for what is no image
    claimed_bytes: the same by its manifest alone
    error_code: why the last crawl of this tag failed, None if it did not; the
                other columns are then those of the last good look
    deleted_at: when a complete crawl no longer saw it
    over:    the limits that it stands over, on any platform that is judged
    """

    name: str
    digest: Digest | None
    kind: str | None
    platform: str | None
    platforms: int
    compressed_bytes: int | None
    compressed_confidence: CompressedConfidence | None
    claimed_bytes: int | None
    uncompressed_bytes: int | None
    uncompressed_confidence: Confidence | None
    layers: int | None
    created_at: datetime | None
    first_seen_at: datetime
    moved_at: datetime | None
    pushed_at: datetime | None
    deleted_at: datetime | None
    error_code: str | None
    error_message: str | None
    error_at: datetime | None
    over: tuple[LimitKey, ...]


@dataclass(frozen=True, slots=True)
class RepositoryCrawlReport:
    """One crawl of one repository."""

    id: int
    registry: str
    repository: str
    started_at: datetime
    ended_at: datetime | None
    state: str
    reason: str
    tags_seen: int
    tags_new: int
    tags_moved: int
    tags_deleted: int
    tags_failed: int
    invalid_tags: int
    requests: int
    bytes_read: int


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A repository (tag None) or a tag whose name holds the text searched for."""

    registry: str
    repository: str
    tag: str | None


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """One page of a list; `next_cursor` is None on the last one."""

    items: tuple[Row, ...]
    next_cursor: str | None


def _age(last: datetime | None, now: datetime) -> int | None:
    return None if last is None else max(0, int((now - last).total_seconds()))


def _is_stale(state: str, age_s: int | None, interval_s: int) -> bool:
    return state in _FAILED or (
        age_s is not None and age_s > STALE_INTERVALS * interval_s
    )


Source: TypeAlias = Literal["manifest", "bulk"]
"""Who claims: a manifest, or the listing of a registry's own API, which is a hint."""

SOURCES: Final[tuple[Source, ...]] = ("manifest", "bulk")


class DisputeReport(Struct, frozen=True):
    """One claim of one image or artifact that a repository has now.

    tags:           that lead to it, at most ten of them
    image:          the digest of the manifest whose claim it is
    digest:         of the blob; of a listing's size that of the image itself
    registry_bytes: what the registry says; it is what is judged
    seen_at:        when the contradiction was first seen
    """

    registry: str
    repository: str
    tags: tuple[str, ...]
    image: Digest
    digest: Digest
    claimed_bytes: int
    registry_bytes: int
    source: Source
    seen_at: datetime


WaitReason: TypeAlias = Literal["due", "paused", "leased", "put_off", "parked"]
WAIT_REASONS: Final[tuple[WaitReason, ...]] = get_args(WaitReason)
"""`due`: its time has come and nobody has it; `paused`: the same, and its registry
does not answer; `leased`: it is being crawled; `put_off`: due later than its interval,
as the registry wants to be left alone, or after crawls that were cut off; `parked`:
crawls of it ended their process again and again."""

CrawlBar: TypeAlias = Literal[
    "unconfigured",
    "outside_filter",
    "deleted",
    "leased",
    "unreachable",
    "poison",
    "quota",
    "put_off",
    "not_due",
    "limit",
    "due",
]
"""Why a repository is not crawled at this moment. `limit`: due, and others of its
registry are crawled before it; `due`: nothing keeps it, whoever is free takes it."""


class RegistryWaiting(Struct, frozen=True):
    """How many repositories of a registry wait, by why; each up to a bound.

    oldest_due_at: when the one was due that nobody has had since
    next_due_at:   when the next one is that is not due yet
    """

    registry: str
    state: RegistryState
    state_reason: str
    state_since: datetime
    due: int
    paused: int
    leased: int
    put_off: int
    parked: int
    oldest_due_at: datetime | None
    next_due_at: datetime | None

    def count(self, reason: WaitReason) -> int:
        counted: int = getattr(self, reason)
        return counted


class QueueWaiting(Struct, frozen=True):
    """What is due of the work of one queue, and since when the oldest of it is."""

    queue: str
    waiting: int
    oldest_at: datetime | None


class JobWaiting(Struct, frozen=True):
    """Work on a whole registry, or on everything, that processes share.

    argument:  the registry; "": everything
    is_leased: somebody does it now
    done_at:   when it last came to an end; None: never
    attempts:  how often it was begun since
    """

    job: str
    argument: str
    is_leased: bool
    due_at: datetime
    done_at: datetime | None
    attempts: int


class RepositoryWaiting(Struct, frozen=True):
    """One repository, with what keeps it from being crawled now.

    why:      see `CrawlBar`
    since:    when that began, None where it is not known
    until:    when it ends at the latest, None where that is not known
    due_at:   when it is due; None: it is gone
    owner:    the process that has it, as `validity.this_process` names it
    attempts: crawls of it that were begun since one came to an end
    """

    registry: str
    repository: str
    why: CrawlBar
    since: datetime | None
    until: datetime | None
    due_at: datetime | None
    owner: str | None
    attempts: int
    state: RepositoryState
    state_reason: str
    last_crawl_at: datetime | None


ChannelState: TypeAlias = Literal["ok", "waiting", "failing"]
"""`waiting`: something is gathered, or about to be sent; `failing`: it was tried, and
nobody took it."""


@dataclass(frozen=True, slots=True)
class ChannelReport:
    """A channel that had a notification. Times that never were: None.

    waiting:     notifications: an opening or an end of one violation each
    oldest_waiting_at: when the first of them came in
    next_at:     when the next message is due, or the next try
    failing_since: the first try of the message that fails for longest
    error_code:  why; of a channel that works, why something was given up
    given_up:    notifications not taken within a day, as far as they are kept
    """

    channel: str
    state: ChannelState
    waiting: int
    oldest_waiting_at: datetime | None
    next_at: datetime | None
    failing_since: datetime | None
    error_code: str | None
    last_sent_at: datetime | None
    given_up: int
    last_given_up_at: datetime | None
