"""Harbor: listings by its own API, documents and blobs by its registry.

The API tells the digests and push times of a hundred artifacts a page, with all their
tags, and that counts as no pull. What it tells is a claim: each manifest is asked for
at the registry, once ever and by its digest.

A project that is a cache of another registry is only listed. A question about a
manifest there may make Harbor ask the other registry, fetch from it, or delete what
that does not have any more (goharbor/harbor, src/controller/proxy/controller.go); and
pulls decide what the cache keeps.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

from prometheus_client import Gauge

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.limits import MANIFEST_BODY_BYTES
from weighbridge.domain.registry.listing import RepositoryListing, TagPage
from weighbridge.domain.text.globs import EVERYTHING, Patterns
from weighbridge.domain.traffic.pulls import PullCount
from weighbridge.errors import (
    DocumentError,
    ListingError,
    NotFound,
    RateLimited,
    RegistryError,
    TransportError,
)
from weighbridge.net.http1.head import Sender
from weighbridge.ports.protocols import ManifestAnswer, ProjectQuota, RangeAnswer
from weighbridge.registry.exchange.endpoint import Endpoint, KindAccess
from weighbridge.registry.exchange.paced_exchange import PacedExchange, api_client
from weighbridge.registry.exchange.registry_request import RefusalWords
from weighbridge.registry.kinds.distribution.distribution_registry import (
    DistributionRegistry,
)
from weighbridge.registry.kinds.harbor.harbor_api import (
    HarborAPI,
    HarborSignIn,
    is_project,
)
from weighbridge.registry.pacing.rate_limiter import Clock
from weighbridge.telemetry import Telemetry

HARBOR_WORDS: Final = RefusalWords(
    sign_in="check `auth`: a robot's name begins with `robot$`, it may have expired or"
    " be disabled, and it needs the rights to list repositories and artifacts and to"
    " pull",
)
_POLICY: Final = "PROJECTPOLICYVIOLATION"
"""Of a 412: "prevent vulnerable images from running", or one that is not signed
(src/server/middleware/{vulnerable,cosign} of goharbor/harbor)."""
ALL: Final = Patterns(EVERYTHING, ())


class HarborRegistry(DistributionRegistry):
    """`ports.Registry` of Harbor. Every manifest that is read is a pull; `cost` is that
    of API and registry.

    wanted: the repositories that are crawled: projects that hold none of them are not
            listed
    """

    def __init__(
        self,
        endpoint: Endpoint,
        connections: Sender,
        telemetry: Telemetry,
        clock: Clock,
        api: HarborAPI,
        wanted: Patterns = ALL,
    ) -> None:
        super().__init__(
            endpoint, connections, telemetry, clock=clock, words=HARBOR_WORDS
        )
        self._api = api
        self._wanted = wanted
        # Of projects: whether they are caches of another registry.
        self._caches: dict[str, bool] = {}
        self._asking = asyncio.Lock()
        self._gauges = (telemetry.project_quota_used, telemetry.project_quota_limit)
        self._name = endpoint.name
        self._quotas: tuple[ProjectQuota, ...] | None = None
        api.counts.cost = self.cost

    async def repositories(self) -> AsyncIterator[RepositoryListing]:
        """Pages of one project after the other. One that cannot be listed does not keep
        the others from it: its error comes last. Raises AuthError too where the
        projects are only those that nobody in particular sees."""
        listed, caches = await self._api.projects()
        await self._api.check_sign_in()
        if not listed.entries:
            raise ListingError(
                "Harbor shows no project at all",
                code="empty_listing",
                hint=HARBOR_WORDS.sign_in,
            )
        self._caches |= {name: name in caches for name in listed.names}
        await self._ask_quotas()
        if listed.invalid:
            yield RepositoryListing((), listed.invalid)
        failed: DocumentError | RegistryError | None = None
        for project in listed.names:
            if not may_hold(project, self._wanted):
                continue
            try:
                async for page in self._api.repositories(project):
                    yield page.as_repositories()
            except (DocumentError, RegistryError) as exc:
                if isinstance(exc, RateLimited):
                    raise
                failed = failed or exc
        if failed is not None:
            raise failed

    async def tags(self, repository: str) -> AsyncIterator[TagPage]:
        """Pages of one repository's tags, with digests. Raises NotFound too, also
        where the listing is empty because there is no such repository."""
        project, _, name = repository.partition("/")
        if not name or not is_project(project):
            raise NotFound(
                f"Harbor has no repository {repository!r}",
                code="name_unknown",
                hint="its repositories are called PROJECT/NAME",
            )
        is_empty = True
        try:
            async for page in self._api.artifacts(repository):
                is_empty = is_empty and not page.entries
                yield page.as_tags(tags_may_move=True)
            is_wrong = is_empty and await self._api.count_artifacts(repository)
        except NotFound as exc:
            # A proxy that passes on `/v2/` alone has a page of its own for the rest.
            if "NOT_FOUND" in exc.message:
                raise
            raise ListingError(exc.message, code="not_a_registry") from exc
        if is_wrong:
            raise ListingError(
                f"Harbor lists nothing of {repository}, and says that it is not empty",
                code="empty_listing",
                hint="the next crawl reads it again",
                retryable=True,
            )

    async def pulls(self, repository: str) -> PullCount | None:
        """`ports.TellsPulls`."""
        return await self._api.pulls(repository)

    @property
    def project_quotas(self) -> tuple[ProjectQuota, ...] | None:
        """Asked for with the list of projects."""
        return self._quotas

    async def _ask_quotas(self) -> None:
        """Whatever comes of it, the crawl goes on."""
        self._quotas = None
        with suppress(DocumentError, RegistryError, TransportError):
            self._quotas = await self._api.quotas()
        used, limit = self._gauges
        told: dict[tuple[Gauge, str], int] = {}
        for quota in self._quotas or ():
            told[used, quota.project] = quota.used_bytes
            if quota.limit_bytes is not None:
                told[limit, quota.project] = quota.limit_bytes
        # By the gauges themselves: an earlier client may have set them.
        shown = {
            (gauge, name) for gauge in self._gauges for name in self._shown_by(gauge)
        }
        for gauge, project in shown - told.keys():
            gauge.remove(self._name, project)
        for (gauge, project), size in told.items():
            gauge.labels(self._name, project).set(size)

    def _shown_by(self, gauge: Gauge) -> list[str]:
        """The projects of this registry that a gauge shows."""
        labels = [one.labels for family in gauge.collect() for one in family.samples]
        return [own["project"] for own in labels if own["registry"] == self._name]

    async def head_manifest(self, repository: str, reference: str) -> Digest | None:
        await self._refuse_cache(repository)
        return await super().head_manifest(repository, reference)

    async def get_manifest(
        self,
        repository: str,
        reference: str,
        limit_bytes: int = MANIFEST_BODY_BYTES,
    ) -> ManifestAnswer:
        """Counts as a pull. Raises DocumentError(proxy_cache) without such a request,
        DocumentError(pull_prevented) where a rule of the project holds the image back:
        that is said of this image alone, and not of us."""
        await self._refuse_cache(repository)
        try:
            return await super().get_manifest(repository, reference, limit_bytes)
        except RegistryError as exc:
            if _POLICY not in exc.message:
                raise
            raise DocumentError(
                exc.message,
                code="pull_prevented",
                hint="the project's configuration says which images may be pulled; its"
                " allowlist of CVEs can exempt some",
            ) from exc

    async def get_blob(
        self, repository: str, digest: Digest, content_bytes: int, limit_bytes: int
    ) -> bytes:
        await self._refuse_cache(repository)
        return await super().get_blob(repository, digest, content_bytes, limit_bytes)

    async def get_range(
        self, repository: str, digest: Digest, first: int, last: int
    ) -> RangeAnswer:
        await self._refuse_cache(repository)
        return await super().get_range(repository, digest, first, last)

    async def blob_length(self, repository: str, digest: Digest) -> int | None:
        await self._refuse_cache(repository)
        return await super().blob_length(repository, digest)

    async def aclose(self) -> None:
        try:
            await self._api.aclose()
        finally:
            await super().aclose()

    async def _refuse_cache(self, repository: str) -> None:
        project, _, name = repository.partition("/")
        if name and is_project(project) and await self._is_cache(project):
            raise DocumentError(
                f"the project {project} is a cache of another registry, and nothing is"
                " pulled through it",
                code="proxy_cache",
                hint="weigh the image where it comes from; `repositories.exclude`"
                " leaves the project out",
            )

    async def _is_cache(self, project: str) -> bool:
        """One that we may not see is none: then its manifests cannot be had
        either."""
        if project not in self._caches:
            async with self._asking:  # those who wait have the answer of the first
                if project not in self._caches:
                    found, caches = await self._api.projects(project)
                    self._caches |= {name: name in caches for name in found.names}
                    self._caches.setdefault(project, False)
        return self._caches[project]


def may_hold(project: str, wanted: Patterns) -> bool:
    """Whether a repository of this project may be wanted; a pattern's star stands for
    any text, slashes too."""
    place = f"{project}/"
    heads = [pattern.partition("*")[0] for pattern in wanted.include]
    if not any(h.startswith(place) or place.startswith(h) for h in heads):
        return False
    return not any(_covers(pattern, place) for pattern in wanted.exclude)


def _covers(pattern: str, place: str) -> bool:
    head, star, rest = pattern.partition("*")
    return bool(star) and not rest and place.startswith(head)


def open_harbor(endpoint: Endpoint, access: KindAccess) -> HarborRegistry:
    """One that is closed by whoever opened it."""
    settings = access.settings
    # The registry's client comes last: what it says of itself in the metrics stays.
    api = open_harbor_api(
        endpoint,
        access.connections(endpoint, is_api=True),
        access.telemetry,
        access.clock,
    )
    return HarborRegistry(
        endpoint,
        access.connections(endpoint),
        access.telemetry,
        access.clock,
        api,
        ALL if settings is None else settings.wanted_repositories,
    )


def open_harbor_api(
    endpoint: Endpoint, connections: Sender, telemetry: Telemetry, clock: Clock
) -> HarborAPI:
    """endpoint: the registry's: both have one host, one limit and one credential"""
    exchange = PacedExchange(endpoint, telemetry, clock, words=HARBOR_WORDS)
    credential = endpoint.credential
    is_named = credential is not None and credential.api_password is not None
    sign_in = HarborSignIn(credential) if credential is not None and is_named else None
    http = api_client(endpoint, exchange, connections, sign_in)
    return HarborAPI(http, exchange, endpoint.url, is_named=is_named)
