"""Protocols for what leaves this process: registries, jobs, messages to people.

The database has no port: a SQLite file in a temporary folder is our fake.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol, runtime_checkable

from msgspec import Struct, field

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.limits import MANIFEST_BODY_BYTES
from weighbridge.domain.message.grouping import Message
from weighbridge.domain.registry.listing import RepositoryListing, TagPage
from weighbridge.domain.registry.rate_limit import RateLimit
from weighbridge.domain.traffic.pulls import PullCount


class RequestCost(Struct):
    """What was asked of a registry so far: counters that only grow."""

    requests: int = 0
    bytes_read: int = 0
    throttled: int = 0
    by_operation: dict[str, int] = field(default_factory=dict)


# Context variables and no parameters: what sets them is a crawl, a job or a push, what
# reads them a registry's client, its sign-in, the store's writer. Between these lie
# readings and tokens that several wait for, and some fifty signatures that would pass
# them on and use none.
CRAWL_COST: ContextVar[RequestCost | None] = ContextVar("crawl_cost", default=None)
"""A second counter for the work that is begun in this context: one crawl of several
that share a client. Clients add to it whatever they add to their own `cost`, and serve
the crawls that wait for them in turn."""
JOB_COST: ContextVar[RequestCost | None] = ContextVar("job_cost", default=None)
"""The same for a job, which may be more than a crawl: a client that outlives jobs may
be used by several at once."""
IS_URGENT: ContextVar[bool] = ContextVar("is_urgent", default=False)
"""Whether somebody waits for what is asked in this context: a push. Where requests wait
for their turn, these come first."""


@contextmanager
def urgent() -> Iterator[None]:
    """Somebody waits for what is asked in the block."""
    mark = IS_URGENT.set(True)
    try:
        yield
    finally:
        IS_URGENT.reset(mark)


class ManifestAnswer(Struct, frozen=True):
    """A manifest as it was served. `digest` is computed from `content`.

    claimed_digest: what Docker-Content-Digest said, if anything; never trusted
    """

    content: bytes
    content_type: str
    digest: Digest
    claimed_digest: str = ""


class RangeAnswer(Struct, frozen=True):
    """A part of a blob, and how long the whole blob is by the registry's word.

    content:     the bytes that were asked for, as far as the blob reaches; None where
                 the registry serves no parts of a blob
    total_bytes: the total of Content-Range, or the Content-Length of a whole answer
    """

    content: bytes | None
    total_bytes: int


class Registry(Protocol):
    """One configured registry, read only.

    Every method raises TransportError, RegistryError (NotFound, AuthError,
    RateLimited, ListingError) or DocumentError, each already retried as far as
    that can help. `repository` and `tag` are checked names.
    """

    @property
    def name(self) -> str:
        """The configured name, or the host for an address given ad hoc."""

    @property
    def cost(self) -> RequestCost:
        """What this client has asked so far."""

    @property
    def has_quota(self) -> bool:
        """Whether each manifest counts, and there are only so many: then HEAD is
        asked first, and one tag is read to its end before the next is begun. A
        `get_manifest` beyond it raises QuotaSpent."""

    @property
    def rate_limit(self) -> RateLimit | None:
        """The limit on requests that it told last, None where it has told none."""

    def repositories(self) -> AsyncIterator[RepositoryListing]:
        """Pages of the catalog. Ends normally only at the listing's end; an error
        after some pages means that those pages are good and more is unknown."""

    def tags(self, repository: str) -> AsyncIterator[TagPage]:
        """Pages of one repository's tags, with the same promise."""

    async def head_manifest(self, repository: str, reference: str) -> Digest | None:
        """The digest that a tag has now, by HEAD; None where the registry does
        not say it (ask by GET then)."""

    def note_false_head(self) -> None:
        """Count that `head_manifest` named another digest than `get_manifest`."""

    async def get_manifest(
        self,
        repository: str,
        reference: str,
        limit_bytes: int = MANIFEST_BODY_BYTES,
    ) -> ManifestAnswer:
        """A manifest by tag or digest, digest checked if asked by digest.

        limit_bytes: at most 4 MiB; a longer one raises DocumentError(too_large)
        """

    async def get_blob(
        self, repository: str, digest: Digest, content_bytes: int, limit_bytes: int
    ) -> bytes:
        """A whole small blob (a config), length and digest checked.

        Raises DocumentError(size_mismatch, digest_mismatch, too_large)."""

    async def get_range(
        self, repository: str, digest: Digest, first: int, last: int
    ) -> RangeAnswer:
        """Bytes first..last of a blob, as far as it reaches; nothing else is read.
        Where that is all of it, the digest is checked.

        Raises RegistryError(range_unsupported, bad_content_range,
        range_not_satisfiable) where the answer says not even the blob's length."""

    async def blob_length(self, repository: str, digest: Digest) -> int | None:
        """How long a blob is by the registry's word: one HEAD, and where that gives
        no length (storage whose addresses are signed for GET alone), one byte by GET.
        None where neither gives it. Raises NotFound."""

    async def aclose(self) -> None:
        """Close every connection."""


class ShownRights(Struct):
    """What a registry has allowed so far, by the vendor's names of rights.

    needed:  those without which a crawl lacks something
    used, refused: which requests have shown to be there, or not to be
    """

    needed: tuple[str, ...]
    used: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)


@runtime_checkable
class NamesRights(Protocol):
    """A registry whose requests each need a right that has a name."""

    @property
    def rights(self) -> ShownRights:
        """What its answers have shown."""


class ProjectQuota(Struct, frozen=True):
    """What one project of a registry stores, by the registry's word.

    used_bytes:  as it counts them for the quota
    limit_bytes: None: it sets no limit
    """

    project: str
    used_bytes: int
    limit_bytes: int | None


@runtime_checkable
class TellsQuotas(Protocol):
    """A registry that tells what its projects may store."""

    @property
    def project_quotas(self) -> tuple[ProjectQuota, ...] | None:
        """As they were told last; None: they were not asked for, or may not be read."""


@runtime_checkable
class TellsPulls(Protocol):
    """A registry that tells how much was pulled of each repository. Its listing says it
    of those that are on it; for others it is asked."""

    async def pulls(self, repository: str) -> PullCount | None:
        """One request; None where the answer does not say it. Raises what is raised
        for a listing."""


class Demand(Struct, frozen=True):
    """How many requests wait, of those that are not urgent and of those that are."""

    ordinary: int
    urgent: int


class Asker(Protocol):
    """The one in this process that asks a registry."""

    def demand(self) -> Demand:
        """What waits for `Pacing` alone."""

    def wake(self) -> None:
        """Something has changed: try again."""


class Pacing(Protocol):
    """How often a registry is asked by several processes together. It is never waited
    for: it says at once whether a request may go, and later when that has changed."""

    def serve(self, asker: Asker) -> None:
        """Say who asks; once, before anything else."""

    def enter(self, *, is_urgent: bool) -> float:
        """0: one request may go now; it must `leave`. Else the seconds until it may,
        without end where only `wake` will tell; nothing is taken then."""

    def leave(self, *, is_urgent: bool) -> None:
        """A request is over."""

    def pause(self, seconds: float) -> None:
        """The registry wants nobody to ask it for so long."""


class JobQueue(Protocol):
    """Hands work over by name; it may be done in this process or in another."""

    def put(self, job: str, argument: str, *, first: bool = False) -> None:
        """Ask for a job, `first`: before all others that wait. The same job with the
        same argument that still waits is one job. Takes two seconds at most and never
        fails: work that is lost is due again."""


@runtime_checkable
class Reachable(Protocol):
    """A channel that can be tried without a message."""

    async def reach(self) -> None:
        """Connect as for a message, and sign in where that is done before; send none.
        Raises NotifyError."""


class Notifier(Protocol):
    """One channel: somewhere that messages go."""

    @property
    def name(self) -> str:
        """As configured."""

    async def send(self, message: Message) -> None:
        """Hand a message over; returns once the receiver has taken it. At most 30
        seconds, at most 64 KiB of its answer are read, no redirect is followed.

        Raises NotifyError: `retryable` where the same may succeed later (no answer,
        408, 425, 429, 5xx), with `retry_after` where the receiver said so; PartlyTaken
        where it is not to come again. Its message never holds the channel's address,
        which often is a secret."""

    async def aclose(self) -> None:
        """Close every connection."""
