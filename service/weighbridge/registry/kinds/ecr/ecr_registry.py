"""Amazon ECR: listings and manifests by its API, blobs by its registry.

Both are opened by an access key: the API by signatures, the registry by a password
that the API gives for it (GetAuthorizationToken). Neither the key nor its signatures
are shown to the registry.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Final

from msgspec.structs import replace

from weighbridge.domain.image.digest import Digest, is_digest
from weighbridge.domain.limits import MANIFEST_BODY_BYTES, USUAL_DOCUMENT_BYTES
from weighbridge.domain.registry.listing import RepositoryListing, TagPage
from weighbridge.domain.text.printable import Secret
from weighbridge.errors import AuthError, DocumentError
from weighbridge.net.http1.head import Sender
from weighbridge.ports.protocols import ManifestAnswer, RangeAnswer, ShownRights
from weighbridge.registry.exchange.endpoint import Endpoint, KindAccess
from weighbridge.registry.exchange.paced_exchange import PacedExchange, api_client
from weighbridge.registry.exchange.registry_request import RefusalWords
from weighbridge.registry.exchange.vendor_api import api_endpoint
from weighbridge.registry.kinds.distribution.distribution_registry import (
    DistributionRegistry,
)
from weighbridge.registry.kinds.ecr.aws_keys import KeySource, keys_of
from weighbridge.registry.kinds.ecr.aws_signing import SigningScope, SigningSender
from weighbridge.registry.kinds.ecr.ecr_api import ECRAPI
from weighbridge.registry.kinds.ecr.ecr_kind import (
    ECRPlace,
    ECRSettings,
    is_key_id,
    place_of,
)
from weighbridge.registry.kinds.ecr.manifest_batches import ManifestBatches
from weighbridge.registry.kinds.ecr.public_api import PublicECRAPI
from weighbridge.registry.login.credentials import Credential
from weighbridge.registry.login.given_login import GivenLogin
from weighbridge.registry.pacing.rate_limiter import Clock
from weighbridge.telemetry import Telemetry

_NO_LISTING: Final = (
    "or name the repositories in `repositories.include`: that needs no key"
)
ECR_WORDS: Final = RefusalWords(
    sign_in="the policy must allow ecr:BatchGetImage and ecr:GetDownloadUrlForLayer",
)
_BLOBS: Final = "ecr:GetDownloadUrlForLayer"


class ECRLogin(GivenLogin):
    """The password of the registry, which the API gives."""

    def __init__(self, api: ECRAPI, keys: KeySource, clock: Clock) -> None:
        super().__init__(keys, partial(api.registry_password, clock), clock, _refused)


class ECRRegistry(DistributionRegistry):
    """`ports.Registry` of Amazon ECR; `cost` is that of both hosts."""

    def __init__(
        self,
        endpoint: Endpoint,
        connections: Sender,
        telemetry: Telemetry,
        clock: Clock,
        api: ECRAPI,
    ) -> None:
        super().__init__(endpoint, connections, telemetry, clock=clock, words=ECR_WORDS)
        self._api = api
        self._batches = ManifestBatches(api.manifests, clock)
        api.counts.cost = self.cost

    @property
    def rights(self) -> ShownRights:
        """Actions of IAM."""
        return self._api.rights

    async def repositories(self) -> AsyncIterator[RepositoryListing]:
        """Pages of the account's repositories."""
        async for page in self._api.repositories():
            yield page.as_repositories()

    async def tags(self, repository: str) -> AsyncIterator[TagPage]:
        """Pages of one repository's tags, with digests. Raises NotFound too."""
        async for page in self._api.tags(repository):
            yield page.as_tags(tags_may_move=True)

    async def get_manifest(
        self,
        repository: str,
        reference: str,
        limit_bytes: int = MANIFEST_BODY_BYTES,
    ) -> ManifestAnswer:
        """By digest together with others that are asked for. The registry itself is
        asked for a tag, for a manifest that is long, and for what the API does not
        have as it is."""
        if not is_digest(reference) or limit_bytes > USUAL_DOCUMENT_BYTES:
            return await super().get_manifest(repository, reference, limit_bytes)
        digest = Digest(reference)
        batch = await self._batches.fetched(repository, digest)
        found = batch.get(digest)
        if found is not None and len(found.content) > limit_bytes:
            raise DocumentError(
                f"the manifest has more than {limit_bytes} bytes", code="too_large"
            )
        if found is not None:
            return ManifestAnswer(found.content, found.media_type, digest)
        return await super().get_manifest(repository, reference, limit_bytes)

    async def get_blob(
        self, repository: str, digest: Digest, content_bytes: int, limit_bytes: int
    ) -> bytes:
        with self._noting(_BLOBS):
            return await super().get_blob(
                repository, digest, content_bytes, limit_bytes
            )

    async def get_range(
        self, repository: str, digest: Digest, first: int, last: int
    ) -> RangeAnswer:
        with self._noting(_BLOBS):
            return await super().get_range(repository, digest, first, last)

    @contextmanager
    def _noting(self, right: str) -> Iterator[None]:
        """Notes whether the registry allows what this right is for."""
        try:
            yield
        except AuthError as error:
            if error.code == "denied":
                self.rights.refused.add(right)
            raise
        self.rights.used.add(right)

    async def aclose(self) -> None:
        try:
            await self._batches.aclose()
        finally:
            try:
                await self._api.aclose()
            finally:
                await super().aclose()


class PublicLogin(ECRLogin):
    """Where the API gives no password the registry is asked as nobody, which it allows
    less often."""

    async def credential(self, refused: Secret | None) -> Credential | None:
        try:
            return await super().credential(refused)
        except AuthError:
            return None


class PublicECRRegistry(DistributionRegistry):
    """`ports.Registry` of public.ecr.aws; `cost` is that of both hosts. What belongs to
    whoever signs is listed by the API; all else, and everything where that is refused,
    by `/v2`."""

    def __init__(
        self,
        endpoint: Endpoint,
        connections: Sender,
        telemetry: Telemetry,
        clock: Clock,
        api: PublicECRAPI,
    ) -> None:
        super().__init__(endpoint, connections, telemetry, clock=clock)
        self._api = api
        self._lock = asyncio.Lock()
        self._own: set[str] = set()
        self._knows_all = False
        api.counts.cost = self.cost

    @property
    def rights(self) -> ShownRights:
        """Actions of IAM."""
        return self._api.rights

    async def repositories(self) -> AsyncIterator[RepositoryListing]:
        """Pages of one's own repositories. Raises AuthError where they cannot be
        listed: there is no catalog of all."""
        try:
            async for page in self._api.repositories():
                self._own.update(page.names)
                yield page.as_repositories()
        except AuthError as error:
            self._knows_all = True
            hint = f"{error.hint}; {_NO_LISTING}" if error.hint else _NO_LISTING
            raise AuthError(error.message, code=error.code, hint=hint) from error
        self._knows_all = True

    async def tags(self, repository: str) -> AsyncIterator[TagPage]:
        """Pages of one repository's tags, of one's own with digests. Raises NotFound
        too."""
        is_begun = False
        if await self._is_own(repository):
            try:
                async for page in self._api.tags(repository):
                    is_begun = True
                    yield page.as_tags(tags_may_move=True)
            except AuthError:
                if is_begun:
                    raise  # Half of it is no listing.
            else:
                return
        async for found in super().tags(repository):
            yield found

    async def _is_own(self, repository: str) -> bool:
        if repository not in self._own:
            async with self._lock:  # many repositories are crawled side by side
                if not self._knows_all:
                    await self._list_own()
        return repository in self._own

    async def _list_own(self) -> None:
        with suppress(AuthError):
            async for page in self._api.repositories():
                self._own.update(page.names)
        self._knows_all = True

    async def aclose(self) -> None:
        try:
            await self._api.aclose()
        finally:
            await super().aclose()


def open_ecr(endpoint: Endpoint, access: KindAccess) -> DistributionRegistry:
    """One that is closed by whoever opened it. endpoint: not of the API

    With what `docker login` has left (the user AWS) the registry can be asked, and the
    API cannot.
    """
    shown = endpoint.credential
    if shown is not None and not is_key_id(shown.username):
        connections = access.connections(endpoint)
        telemetry, clock = access.telemetry, access.clock
        return DistributionRegistry(endpoint, connections, telemetry, clock=clock)
    settings = access.settings
    own = settings if isinstance(settings, ECRSettings) else None
    place = own.place if own else place_of(endpoint.origin[1])
    place = place or ECRPlace("", "", endpoint.url)
    keys = keys_of(shown, own.role if own else None, place.region)
    return ecr_registry(
        endpoint,
        api_endpoint(endpoint, place.api_url, access),
        (access.connections(endpoint), access.connections(endpoint, is_api=True)),
        access.telemetry,
        access.clock,
        place,
        keys,
    )


def ecr_registry(
    endpoint: Endpoint,
    of_api: Endpoint,
    connections: tuple[Sender, Sender],
    telemetry: Telemetry,
    clock: Clock,
    place: ECRPlace,
    keys: KeySource,
) -> ECRRegistry | PublicECRRegistry:
    """endpoint, of_api: of the registry and of the API; so are the connections. No
    credential of theirs is shown: the key signs, and the password is asked for."""
    api = open_ecr_api(of_api, connections[1], telemetry, clock, place, keys)
    # The registry's client comes last: what it says of itself in the metrics stays.
    if isinstance(api, PublicECRAPI):
        known = replace(endpoint, credential=None, login=PublicLogin(api, keys, clock))
        return PublicECRRegistry(known, connections[0], telemetry, clock, api)
    known = replace(endpoint, credential=None, login=ECRLogin(api, keys, clock))
    return ECRRegistry(known, connections[0], telemetry, clock, api)


def _refused() -> AuthError:
    return AuthError(
        "the registry refuses the password that ECR's API has just given",
        code="unauthorized",
        hint="check that `url` and `api_url` are of one account and region",
    )


class _Signer:
    """Whose signatures the API sees: for messages alone."""

    def __init__(self, keys: KeySource) -> None:
        self._keys = keys

    def __str__(self) -> str:
        return str(self._keys)

    async def credential(self, refused: Secret | None) -> Credential:
        raise AuthError("ECR's API takes signatures, and no password")


def open_ecr_api(
    endpoint: Endpoint,
    connections: Sender,
    telemetry: Telemetry,
    clock: Clock,
    place: ECRPlace,
    keys: KeySource,
) -> ECRAPI:
    """endpoint: of the API"""
    known = replace(endpoint, credential=None, login=_Signer(keys))
    exchange = PacedExchange(known, telemetry, clock)
    kind = PublicECRAPI if place.is_public else ECRAPI
    scope = SigningScope(place.region, kind.service)
    http = api_client(known, exchange, SigningSender(connections, keys, scope, clock))
    return kind(http, exchange, known.url, place.account, keys, place.region)
