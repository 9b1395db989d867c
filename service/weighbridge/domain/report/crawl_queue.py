"""What waits to be crawled, and why it is not crawled now."""

from datetime import datetime
from typing import Final, Literal, TypeAlias, get_args

from msgspec import Struct

from weighbridge.domain.report.inventory import RegistryState, RepositoryState

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
        counts: dict[WaitReason, int] = {
            "due": self.due,
            "paused": self.paused,
            "leased": self.leased,
            "put_off": self.put_off,
            "parked": self.parked,
        }
        return counts[reason]


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
    owner:    the process that has it, as `process_mark` names it
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
