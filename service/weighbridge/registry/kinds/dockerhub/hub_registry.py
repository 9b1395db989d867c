"""Docker Hub: listings by its own API, documents and blobs by its registry.

The API tells the digests, sizes and push times of a hundred tags a page and costs no
pull. What it tells is a claim: no image is stored by it. The registry is asked for each
manifest once ever, by the digest that the API named, and never for more of them than
the quota of pulls allows (docs/decisions/0012-docker-hub-manifests.md).

Of the quota (docker/docs, docker-hub/usage/pulls.md): each GET of a manifest is a pull,
a HEAD and a blob are none. Both say `ratelimit-limit: 100;w=21600` and
`ratelimit-remaining`; without these headers there is no limit on this image, for this
user, from here. The figures change: none is written down here.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

from weighbridge.domain.limits import MANIFEST_BODY_BYTES
from weighbridge.domain.registry.listing import RepositoryListing, TagPage
from weighbridge.domain.registry.rate_limit import parse_rate_limit
from weighbridge.domain.traffic.pulls import PullCount
from weighbridge.errors import (
    DocumentError,
    ListingError,
    QuotaSpent,
    RateLimited,
    RegistryError,
)
from weighbridge.net.http1.head import Sender
from weighbridge.ports.protocols import ManifestAnswer
from weighbridge.registry.auth.authorizer import pull_scope
from weighbridge.registry.exchange.endpoint import Endpoint, KindAccess
from weighbridge.registry.exchange.paced_exchange import PacedExchange, api_client
from weighbridge.registry.exchange.registry_request import (
    RefusalWords,
    RegistryAnswer,
    RegistryRequest,
)
from weighbridge.registry.exchange.vendor_api import api_endpoint
from weighbridge.registry.kinds.distribution.distribution_registry import (
    DistributionRegistry,
)
from weighbridge.registry.kinds.dockerhub.hub_api import HUB_API_URL, HubAPI, HubSignIn
from weighbridge.registry.kinds.dockerhub.hub_kind import (
    OFFICIAL,
    DockerHubSettings,
    full_name,
)
from weighbridge.registry.pacing.rate_limiter import Clock
from weighbridge.telemetry import Telemetry

HUB_WORDS: Final = RefusalWords(
    quota="pull rate limit",
    quota_hint="sign in with `auth`, or crawl less often (`interval`)",
    # The second is what the API calls the first.
    wait_headers=("retry-after", "x-retry-after"),
)
_WINDOW_S: Final = 6 * 3600
"""Where a limit is told without its window."""
_REPOSITORIES_KEPT: Final = 10_000
_STALE_S: Final = 60.0
"""Nobody is refused by figures that are older: others may have got theirs back."""


class PullQuota:
    """The pulls of one account (or address), shared by all that is asked in its name.

    keep: the share of the limit, 0 to 1, that is left to others; where that is
          nothing, the registry itself says when the end has come

    A repository is known by the scope of the questions about its manifests.
    """

    def __init__(self, keep: float, clock: Clock) -> None:
        self._keep = keep
        self._clock = clock
        self._lock = asyncio.Lock()
        self._limit: int | None = None
        self._remaining = 0
        self._window_s = _WINDOW_S
        self._under_way = 0
        self._first_pull_at: float | None = None
        self._figures_at = 0.0
        # Of repositories: whether their manifests count. Some publishers' do not.
        self._counts: dict[str, bool] = {}

    @property
    def may_run_out(self) -> bool:
        """Whether there is a limit, as far as anybody has said."""
        return self._limit is not None or not self._counts

    def saw(self, question: RegistryRequest, answer: RegistryAnswer) -> None:
        """Learn from the answer to a question about a manifest."""
        if not question.operation.startswith("manifest_"):
            return
        told = parse_rate_limit(
            answer.headers.get("ratelimit-limit"),
            answer.headers.get("ratelimit-remaining"),
            self._clock.now(),
        )
        if told is None or told.remaining is None:
            return
        self._note(question.scope, counts=True)
        # Answers overtake each other: while pulls are under way, the least counts.
        is_late = self._limit == told.limit and self._under_way > 1
        before = self._remaining if is_late else told.remaining
        self._limit, self._remaining = told.limit, min(before, told.remaining)
        self._window_s = told.window_s or _WINDOW_S

    @asynccontextmanager
    async def pull(
        self, scope: str, look: Callable[[], Awaitable[object]]
    ) -> AsyncIterator[None]:
        """The block is one pull. Raises QuotaSpent instead of beginning one that
        would be spent of what is kept.

        look: asks for the same manifest by HEAD, which is free and tells of the limit;
              called once a repository, and once a minute while nothing is left
        """
        if self._wants_look(scope):
            async with self._lock:  # those who wait have the answer of the first
                if self._wants_look(scope):
                    await self._look(scope, look)
        if not self._counts.get(scope, True):
            yield
            return
        self._take()
        try:
            yield
        finally:
            self._under_way -= 1

    def refused(self, scope: str) -> QuotaSpent:
        """The error for a pull that the registry itself did not give."""
        self._note(scope, counts=True)
        self._limit, self._remaining = self._limit or 0, 0
        return QuotaSpent(
            "Docker Hub's quota of pulls is spent",
            hint="sign in with `auth`: a paid plan has none. The next crawl goes on"
            " from here",
            retry_after=self._comes_back_in(),
        )

    async def _look(self, scope: str, look: Callable[[], Awaitable[object]]) -> None:
        """An answer that speaks of no limit says that there is none."""
        self._counts.pop(scope, None)
        await look()
        if scope not in self._counts:
            self._note(scope, counts=False)

    def _wants_look(self, scope: str) -> bool:
        if self._keep and scope not in self._counts:
            return True
        is_stale = self._clock.monotonic() - self._figures_at >= _STALE_S
        return self._is_spent and is_stale and self._counts.get(scope, True)

    @property
    def _kept(self) -> int:
        return 0 if self._limit is None else math.ceil(self._limit * self._keep)

    @property
    def _is_spent(self) -> bool:
        if self._limit is None:
            return False
        return self._remaining - self._under_way - 1 < self._kept

    def _note(self, scope: str, *, counts: bool) -> None:
        if scope not in self._counts and len(self._counts) >= _REPOSITORIES_KEPT:
            del self._counts[next(iter(self._counts))]
        self._counts[scope] = counts
        self._figures_at = self._clock.monotonic()

    def _take(self) -> None:
        if self._is_spent:
            raise QuotaSpent(
                f"{self._remaining} of {self._limit} pulls are left of Docker Hub's"
                f" quota, and {self._kept} are kept for others",
                hint="the next crawl continues from here; `limits.keep_quota` says how"
                " much is kept",
                retry_after=self._comes_back_in(),
            )
        self._under_way += 1
        now, first = self._clock.monotonic(), self._first_pull_at
        if first is None or now - first >= self._window_s:
            self._first_pull_at = now

    def _comes_back_in(self) -> float | None:
        """Seconds until the first of our own pulls does not count any more; None where
        others have spent it, and nobody tells when."""
        if self._first_pull_at is None:
            return None
        ends_at = self._first_pull_at + self._window_s
        return max(0.0, ends_at - self._clock.monotonic())


class HubRegistry(DistributionRegistry):
    """`ports.Registry` of Docker Hub. Only a GET of a manifest costs a pull; `cost`
    is that of both hosts.

    namespaces: those whose repositories are discovered; there is no catalog of all
    """

    def __init__(
        self,
        endpoint: Endpoint,
        connections: Sender,
        telemetry: Telemetry,
        clock: Clock,
        api: HubAPI,
        quota: PullQuota,
        namespaces: Sequence[str] = (),
    ) -> None:
        super().__init__(
            endpoint,
            connections,
            telemetry,
            clock=clock,
            on_answer=quota.saw,
            words=HUB_WORDS,
            full_name=full_name,
        )
        self._api = api
        self._quota = quota
        self._namespaces = tuple(dict.fromkeys(namespaces))
        api.counts.cost = self.cost

    @property
    def has_quota(self) -> bool:
        return self._quota.may_run_out

    async def repositories(self) -> AsyncIterator[RepositoryListing]:
        """Pages of the namespaces, one after the other. One that cannot be listed
        does not keep the others from it: its error comes last."""
        if not self._namespaces:
            await self._ask_after()
            raise ListingError(
                "Docker Hub has no list of all repositories",
                code="no_namespaces",
                hint="name whose are meant in `namespaces`, or which in"
                " `repositories.include`",
            )
        failed: DocumentError | RegistryError | None = None
        for namespace in self._namespaces:
            try:
                async for page in self._api.repositories(namespace):
                    yield page.as_repositories()
            except (DocumentError, RegistryError) as exc:
                if isinstance(exc, RateLimited):
                    raise
                failed = failed or exc
        if failed is not None:
            raise failed

    async def _ask_after(self) -> None:
        """Whether Docker Hub is there at all, which is what is asked of a registry by
        asking for its repositories. Raises TransportError."""
        with suppress(DocumentError, RegistryError):
            await anext(self._api.repositories(OFFICIAL), None)

    async def tags(self, repository: str) -> AsyncIterator[TagPage]:
        """Pages of one repository's tags, with digests. Raises NotFound too."""
        async for page in self._api.tags(full_name(repository)):
            yield page.as_tags()

    async def pulls(self, repository: str) -> PullCount | None:
        """`ports.TellsPulls`."""
        return await self._api.pulls(full_name(repository))

    async def get_manifest(
        self,
        repository: str,
        reference: str,
        limit_bytes: int = MANIFEST_BODY_BYTES,
    ) -> ManifestAnswer:
        """Costs a pull. Raises QuotaSpent without a request where none may be spent."""
        name = full_name(repository)
        scope = pull_scope(name)
        async with self._quota.pull(scope, lambda: self.head_manifest(name, reference)):
            try:
                return await super().get_manifest(name, reference, limit_bytes)
            except RateLimited as exc:
                if exc.retryable:
                    raise
                raise self._quota.refused(scope) from exc

    async def aclose(self) -> None:
        try:
            await self._api.aclose()
        finally:
            await super().aclose()


def open_dockerhub(endpoint: Endpoint, access: KindAccess) -> HubRegistry:
    """One that is closed by whoever opened it. endpoint: not of the API"""
    # The registry's client comes last: what it says of itself in the metrics stays.
    settings = access.settings
    own = settings if isinstance(settings, DockerHubSettings) else None
    api_url = (own and own.api_url) or HUB_API_URL
    api = open_hub_api(
        api_endpoint(endpoint, api_url, access),
        access.connections(endpoint, is_api=True),
        access.telemetry,
        access.clock,
    )
    return HubRegistry(
        endpoint,
        access.connections(endpoint),
        access.telemetry,
        access.clock,
        api,
        PullQuota(access.keep_quota, access.clock),
        own.listed_namespaces if own else (),
    )


def open_hub_api(
    endpoint: Endpoint, connections: Sender, telemetry: Telemetry, clock: Clock
) -> HubAPI:
    """endpoint: of the API. It has our credential, which only the sign-in shows."""
    exchange = PacedExchange(endpoint, telemetry, clock, words=HUB_WORDS)
    plain = api_client(endpoint, exchange, connections)
    sign_in = HubSignIn(endpoint.url, endpoint.credential, plain, clock)
    http = api_client(endpoint, exchange, connections, sign_in)
    return HubAPI(http, exchange, endpoint.url)
