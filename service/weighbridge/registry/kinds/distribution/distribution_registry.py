"""The registry protocol as every registry speaks it: plain `/v2`, nothing else.

Names, tags and digests are checked where the questions are made (`Questions`). Such as
are well-formed hold no character that needs escaping in a path; others never come into
one.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Final, TypeVar

from msgspec.structs import replace

from weighbridge.domain import limits
from weighbridge.domain.image.digest import Digest, is_digest
from weighbridge.domain.image.manifest import ACCEPT
from weighbridge.domain.image.reference import is_repository_name, is_tag
from weighbridge.domain.limits import (
    ERROR_BODY_BYTES,
    MANIFEST_BODY_BYTES,
    PAGE_BODY_BYTES,
)
from weighbridge.domain.registry.listing import RepositoryListing, TagPage
from weighbridge.domain.registry.rate_limit import RateLimit
from weighbridge.errors import (
    DocumentError,
    InvalidReference,
    ListingError,
    RegistryError,
    TransportError,
)
from weighbridge.net.http1.head import Sender
from weighbridge.ports.protocols import ManifestAnswer, RangeAnswer, RequestCost
from weighbridge.registry.auth.authorizer import CATALOG_SCOPE, pull_scope
from weighbridge.registry.client import RegistryClient
from weighbridge.registry.exchange.endpoint import Endpoint
from weighbridge.registry.exchange.paced_exchange import OnAnswer
from weighbridge.registry.exchange.paging import (
    PAGE_LENGTH,
    ListingPage,
    by_link,
    pages,
)
from weighbridge.registry.exchange.registry_request import (
    Method,
    Operation,
    RefusalWords,
    RegistryAnswer,
    RegistryRequest,
)
from weighbridge.registry.kinds.distribution.served import (
    DIGEST_HEADER,
    NO_LENGTH,
    altered,
    blob_length,
    blob_range,
    contradicted,
    exactly,
    manifest_answer,
    parse_catalog_page,
    parse_tag_page,
    too_large,
)
from weighbridge.registry.pacing.rate_limiter import Clock
from weighbridge.telemetry import Telemetry

Checked = TypeVar("Checked")

CACHE_WORDS: Final = RefusalWords(
    # A pull-through cache passes on what the registry behind it says of its quota.
    quota="pull rate limit",
    quota_hint="sign in to the registry behind it, or crawl less often (`interval`)",
)
"""Of a registry that says nothing of its own."""
_NO_HEAD: Final = frozenset((405, 501))
_NOT_FOUND: Final = frozenset((404,))
_BAD_REQUEST: Final = frozenset((400,))
_FORBIDDEN: Final = frozenset((403,))
_NO_RANGE: Final = frozenset((400, 416))
_NO_BLOB_HEAD: Final = _NO_HEAD | {400, 403}
"""Storage whose address is signed for GET alone refuses HEAD."""
_MOST: Final[Mapping[Operation, tuple[int, str]]] = {
    "catalog": (limits.REPOSITORIES_PER_REGISTRY, "too_large"),
    "tags": (limits.TAGS_PER_REPOSITORY, "too_many_tags"),
}
"""Entries of a listing, well-formed or not, and the code where it has more."""


class DistributionRegistry:
    """`ports.Registry` over distribution-spec 1.1 and distribution's `_catalog`.

    No quota is known here and nothing is asked twice: what a vendor's own API does
    better is in that vendor's file.

    on_answer: told of every answer
    words:     how registries of this kind refuse
    full_name: the whole name of a repository that a person has written
    """

    def __init__(
        self,
        endpoint: Endpoint,
        connections: Sender,
        telemetry: Telemetry,
        *,
        clock: Clock | None = None,
        on_answer: OnAnswer | None = None,
        words: RefusalWords = CACHE_WORDS,
        full_name: Callable[[str], str] = str,
    ) -> None:
        self._endpoint = endpoint
        self._questions = Questions(endpoint.url, full_name)
        self._client = RegistryClient(
            endpoint,
            connections,
            telemetry,
            Clock() if clock is None else clock,
            on_answer=on_answer,
            words=words,
        )

    @property
    def name(self) -> str:
        return self._endpoint.name

    @property
    def asks_as(self) -> str:
        return "" if self._endpoint.login is None else str(self._endpoint.login)

    @property
    def cost(self) -> RequestCost:
        return self._client.counts.cost

    @property
    def has_quota(self) -> bool:
        return False

    @property
    def rate_limit(self) -> RateLimit | None:
        return self._client.counts.rate_limit

    async def ping(self) -> None:
        """Ask what costs nothing; returns where it is a registry that lets us in."""
        await self._client.ask(self._questions.ping())

    async def repositories(self) -> AsyncIterator[RepositoryListing]:
        """Pages of the catalog."""
        listing = self._listing(self._questions.catalog(), parse_catalog_page)
        async for page in listing:
            yield page.as_repositories()

    async def tags(self, repository: str) -> AsyncIterator[TagPage]:
        """Pages of one repository's tags. Raises NotFound(name_unknown) too."""
        listing = self._listing(
            self._questions.tags(repository),
            lambda raw: parse_tag_page(raw, repository),
        )
        async for page in listing:
            yield page.as_tags()

    async def head_manifest(self, repository: str, reference: str) -> Digest | None:
        question = self._questions.manifest(
            "manifest_head", repository, reference, _NO_HEAD, "HEAD"
        )
        answer = await self._client.ask(question)
        if answer.status in _NO_HEAD:
            return None
        claims = answer.headers.get_list(DIGEST_HEADER)
        if len(claims) == 1 and is_digest(claims[0]):
            return Digest(claims[0])
        return None

    def note_false_head(self) -> None:
        self._client.counts.note_mismatch()

    async def get_manifest(
        self,
        repository: str,
        reference: str,
        limit_bytes: int = limits.MANIFEST_BODY_BYTES,
    ) -> ManifestAnswer:
        question = replace(
            self._questions.manifest("manifest_get", repository, reference, _FORBIDDEN),
            body_limit=limit_bytes,
        )
        wanted = Digest(reference) if is_digest(reference) else None

        async def check(answer: RegistryAnswer) -> ManifestAnswer:
            found = manifest_answer(answer, wanted)
            if wanted is None and (claim := contradicted(found)) is not None:
                await self._refuse_altered(repository, found, claim)
            return found

        return await self._verified(question, check)

    async def _refuse_altered(
        self, repository: str, found: ManifestAnswer, claim: Digest
    ) -> None:
        """Raise DocumentError(digest_mismatch) where bytes changed on their way.

        The header and the content name different digests. Headers are often wrong, so
        they decide nothing: the digest that the registry itself does not know is the
        false one.
        """
        if await self._has_manifest(repository, found.digest):
            return
        if await self._has_manifest(repository, claim):
            raise altered(claim)

    async def _has_manifest(self, repository: str, digest: Digest) -> bool:
        """Whether the registry has it; where it cannot say, that counts as yes."""
        handled = _NO_HEAD | _NOT_FOUND
        question = self._questions.manifest(
            "manifest_head", repository, digest, handled, "HEAD"
        )
        answer = await self._client.ask(question)
        return answer.status not in _NOT_FOUND

    async def get_blob(
        self, repository: str, digest: Digest, content_bytes: int, limit_bytes: int
    ) -> bytes:
        if content_bytes > limit_bytes:
            raise DocumentError(
                f"a blob of {content_bytes} bytes is not read: the limit is"
                f" {limit_bytes}",
                code="too_large",
            )
        question = self._questions.blob(
            "config", repository, digest, content_bytes, _FORBIDDEN
        )

        async def check(answer: RegistryAnswer) -> bytes:
            return exactly(answer, digest, content_bytes)

        return await self._verified(question, check)

    async def get_range(
        self, repository: str, digest: Digest, first: int, last: int
    ) -> RangeAnswer:
        # Explicit on both sides: a suffix range is not known everywhere (Azure).
        length, handles = last - first + 1, _FORBIDDEN | _NO_RANGE
        question = replace(
            self._questions.blob("blob_range", repository, digest, length, handles),
            byte_range=f"bytes={first}-{last}",
        )

        async def check(answer: RegistryAnswer) -> RangeAnswer:
            return blob_range(answer, digest, first, last)

        return await self._verified(question, check)

    async def blob_length(self, repository: str, digest: Digest) -> int | None:
        question = self._questions.blob(
            "blob_head", repository, digest, 0, _NO_BLOB_HEAD, "HEAD"
        )
        answer = await self._client.ask(question)
        length = blob_length(answer, digest) if answer.status == 200 else None
        if length is not None:
            return length
        try:
            return (await self.get_range(repository, digest, 0, 0)).total_bytes
        except RegistryError as exc:
            if exc.code in NO_LENGTH:
                return None
            raise

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _listing(
        self, whole: RegistryRequest, parse: Callable[[bytes], ListingPage]
    ) -> AsyncIterator[ListingPage]:
        """A listing with long pages, or, where the registry takes that for an error,
        with pages of its own length."""
        most, too_many = _MOST[whole.operation]
        first_url = f"{whole.url}?n={PAGE_LENGTH}"

        async def ask(page_url: str) -> RegistryAnswer:
            handles = _BAD_REQUEST if page_url == first_url else whole.handles
            question = replace(whole, url=page_url, handles=handles)
            try:
                answer = await self._client.ask(question)
                if answer.status != 400:
                    return answer
                return await self._client.ask(whole)
            except TransportError as exc:
                if exc.code != "too_large":
                    raise
                raise ListingError(exc.message, code="too_large") from exc

        def read(answer: RegistryAnswer) -> ListingPage:
            try:
                return parse(answer.content or b"")
            except DocumentError as error:
                self._client.counts.note_failure(whole.operation, error)
                raise

        entries = 0
        async for page in pages(ask, first_url, read, by_link):
            entries += page.entries
            if entries > most:
                raise ListingError(
                    f"the listing has more than {most} names", code=too_many
                )
            yield page

    async def _verified(
        self,
        question: RegistryRequest,
        check: Callable[[RegistryAnswer], Awaitable[Checked]],
    ) -> Checked:
        """Content that passes `check`; one that hashes to another digest is asked
        for once more, as a stray answer on a kept connection looks the same."""
        for is_last in (False, True):
            try:
                return await check(await self._ask_storage(question))
            except TransportError as exc:
                if exc.code != "too_large":
                    raise
                raise too_large(question, exc) from exc
            except DocumentError as error:
                self._client.counts.note_failure(question.operation, error)
                if error.code == "digest_mismatch":
                    self._client.counts.note_mismatch()
                if error.code != "digest_mismatch" or is_last:
                    raise
        raise AssertionError("the second round returns or raises")

    async def _ask_storage(self, question: RegistryRequest) -> RegistryAnswer:
        """A blob is often served by a storage host, by a URL that is signed for
        minutes. A 403 from there: the registry is asked for a new one, once. `question`
        handles 403."""
        answer = await self._client.ask(question)
        if answer.status != 403:
            return answer
        if not answer.is_away:
            raise self._client.refusal(question, answer)
        last_try = replace(question, handles=question.handles - _FORBIDDEN)
        return await self._client.ask(last_try)


class Questions:
    """All raise InvalidReference.

    url:       the registry's, without a slash at its end
    full_name: the whole name of a repository that a person has written
    """

    def __init__(self, url: str, full_name: Callable[[str], str]) -> None:
        self._url = url
        self._full_name = full_name

    def ping(self) -> RegistryRequest:
        """Whether it speaks this protocol, and to us: distribution-spec, "Determining
        Support"."""
        return RegistryRequest("ping", f"{self._url}/v2/", "", ERROR_BODY_BYTES)

    def catalog(self) -> RegistryRequest:
        """Without a length of its pages."""
        return self._listing("catalog", "_catalog", CATALOG_SCOPE)

    def tags(self, repository: str) -> RegistryRequest:
        """The same for a repository's tags."""
        name = self._checked(repository)
        return self._listing("tags", f"{name}/tags/list", pull_scope(name))

    def manifest(
        self,
        operation: Operation,
        repository: str,
        reference: str,
        handles: frozenset[int],
        method: Method = "GET",
    ) -> RegistryRequest:
        """reference: a tag or a digest"""
        if not is_tag(reference) and not is_digest(reference):
            raise InvalidReference(f"{reference[:80]!r} is no tag and no digest")
        name = self._checked(repository)
        return RegistryRequest(
            operation,
            f"{self._url}/v2/{name}/manifests/{reference}",
            pull_scope(name),
            MANIFEST_BODY_BYTES,
            method,
            accept=ACCEPT,
            handles=handles,
        )

    def blob(
        self,
        operation: Operation,
        repository: str,
        digest: Digest,
        body_limit: int,
        handles: frozenset[int],
        method: Method = "GET",
    ) -> RegistryRequest:
        """body_limit: what is wanted of it"""
        if not is_digest(digest):
            raise InvalidReference(f"{digest[:80]!r} is no digest")
        name = self._checked(repository)
        return RegistryRequest(
            operation,
            f"{self._url}/v2/{name}/blobs/{digest}",
            pull_scope(name),
            body_limit,
            method,
            accept="*/*",
            handles=handles,
        )

    def _listing(self, operation: Operation, path: str, scope: str) -> RegistryRequest:
        return RegistryRequest(
            operation, f"{self._url}/v2/{path}", scope, PAGE_BODY_BYTES
        )

    def _checked(self, repository: str) -> str:
        name = self._full_name(repository)
        if not is_repository_name(name):
            raise InvalidReference(f"{name[:80]!r} is no repository name")
        return name
