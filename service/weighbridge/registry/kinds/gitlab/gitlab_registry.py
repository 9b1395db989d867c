"""GitLab's container registry: tags by whatever lists them with their digests, and
documents and blobs by the registry protocol.

Three things list tags, and are tried in this order:

- the registry itself, a thousand a page, where it has a metadata database. Without one
  it answers 404 without words (`dbAssertionhandler` of its handlers/app.go), and a
  repository that it does not know is a 404 with NAME_UNKNOWN;
- GitLab's API, which asks the registry for each tag: GraphQL, twenty a page, else REST,
  which has names only;
- the registry protocol.

GitLab refuses an address for an hour after thirty failed sign-ins in three minutes
(GitLab's doc/security/rate_limits.md), so a password that it refused is not shown again
by the same client.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Final

from msgspec.structs import replace

from weighbridge.domain import limits
from weighbridge.domain.registry.listing import RepositoryListing, TagPage
from weighbridge.domain.registry.rate_limit import RateLimit
from weighbridge.domain.text.printable import Secret
from weighbridge.errors import (
    AuthError,
    DocumentError,
    ListingError,
    NotFound,
    RateLimited,
    RegistryError,
    TransportError,
    WeighbridgeError,
)
from weighbridge.net.http1.head import Sender
from weighbridge.ports.protocols import IS_URGENT
from weighbridge.registry.auth.authorizer import FirstRequests
from weighbridge.registry.exchange.endpoint import Endpoint, KindAccess
from weighbridge.registry.exchange.paced_exchange import PacedExchange, api_client
from weighbridge.registry.exchange.paging import (
    PAGE_LENGTH,
    ListingPage,
    by_link,
    pages,
)
from weighbridge.registry.exchange.registry_request import (
    RefusalWords,
    RegistryAnswer,
    RegistryRequest,
)
from weighbridge.registry.exchange.vendor_api import api_endpoint
from weighbridge.registry.kinds.distribution.distribution_registry import (
    DistributionRegistry,
)
from weighbridge.registry.kinds.gitlab.gitlab_api import (
    GITLAB_URL,
    GitLabAPI,
    Listed,
    PrivateToken,
)
from weighbridge.registry.kinds.gitlab.gitlab_kind import GitLabSettings, outermost
from weighbridge.registry.kinds.gitlab.gitlab_pages import (
    API_HINT,
    QueryRefused,
    RepositoryPlace,
    parse_own_tags,
)
from weighbridge.registry.login.credentials import Credential
from weighbridge.registry.pacing.rate_limiter import Clock
from weighbridge.telemetry import Telemetry

_WINDOW_S: Final = 60.0
"""Of GitLab's limits on requests (lib/gitlab/rack_attack.rb). `RateLimit-Reset` says
when it ends, but in every answer: only a 429 asks to wait."""
REGISTRY_WORDS: Final = RefusalWords(limit_wait_s=_WINDOW_S)
API_WORDS: Final = RefusalWords(
    limit_wait_s=_WINDOW_S,
    sign_in=API_HINT,
    not_found="GitLab says so too of what the token may not see",
)
_OWN_LIST: Final = "own list"
_NOT_HERE: Final = frozenset((400, 404, 405, 501))
"""Of a registry that does not list tags itself."""
_ASKED_ANEW: Final = "the next crawl asks what the registry can list"


class SignIns:
    """Remembers that our password was refused."""

    def __init__(self) -> None:
        self._refused = 0

    def saw(self, question: RegistryRequest, answer: RegistryAnswer) -> None:
        if question.operation == "token" and answer.status in (401, 403):
            self._refused = answer.status

    def check(self, endpoint: Endpoint) -> None:
        """Raises AuthError in the place of one more failed sign-in."""
        if self._refused and endpoint.who is not None:
            raise AuthError(
                f"GitLab's sign-in refused {endpoint.who} with {self._refused}",
                code="unauthorized" if self._refused == 401 else "denied",
                hint="check `auth`: a token needs the scope read_registry. After"
                " thirty failed sign-ins GitLab refuses this address for an hour",
            )


class GitLabRegistry(DistributionRegistry):
    """`ports.Registry` of GitLab's container registry; `cost` is that of both hosts.

    api:           None where nobody has said where it is
    listed:        groups and projects whose repositories are discovered
    has_api_token: whether the API has a token of its own, which must be right
    """

    def __init__(
        self,
        endpoint: Endpoint,
        connections: Sender,
        telemetry: Telemetry,
        clock: Clock,
        api: GitLabAPI | None = None,
        listed: Sequence[Listed] = (),
        *,
        has_api_token: bool = False,
    ) -> None:
        self._sign_ins = SignIns()
        super().__init__(
            endpoint,
            connections,
            telemetry,
            clock=clock,
            on_answer=self._sign_ins.saw,
            words=REGISTRY_WORDS,
        )
        self._api = api
        self._listed = tuple(listed)
        self._has_api_token = has_api_token
        self._lists_tags: bool | None = None
        self._firsts = FirstRequests()
        if api is not None:
            api.counts.cost = self.cost

    @property
    def rate_limit(self) -> RateLimit | None:
        """That of the API, where it tells one."""
        told = None if self._api is None else self._api.counts.rate_limit
        return told or super().rate_limit

    async def ping(self) -> None:
        """GitLab gives no token to somebody without a name who asks for nothing."""
        try:
            await super().ping()
        except AuthError:
            if self._endpoint.who is not None:
                raise

    async def repositories(self) -> AsyncIterator[RepositoryListing]:
        """Pages of the groups and projects, one after the other. One that cannot be
        listed does not keep the others from it: its error comes last. Without any, the
        catalog, which GitLab shows to administrators."""
        if self._api is None or not self._listed:
            async for found in self._catalog():
                yield found
            return
        failed: DocumentError | RegistryError | None = None
        for listed in self._listed:
            entries = 0
            try:
                async for page in self._api.repositories(listed):
                    entries += page.entries
                    yield page.as_repositories()
                if not entries:
                    raise _empty_listing(listed)
            except (DocumentError, RegistryError) as exc:
                if isinstance(exc, RateLimited):
                    raise
                failed = failed or exc
        if failed is not None:
            raise failed

    async def _catalog(self) -> AsyncIterator[RepositoryListing]:
        try:
            async for page in super().repositories():
                yield page
        except AuthError as exc:
            raise ListingError(
                "GitLab shows the list of all repositories to administrators alone",
                code="no_namespaces",
                hint="name whose are meant in `groups` and `projects` (with kind:"
                " gitlab), or which in `repositories.include`",
            ) from exc

    async def tags(self, repository: str) -> AsyncIterator[TagPage]:
        """Pages of one repository's tags, with digests where anything lists them.
        Raises NotFound too."""
        first = await self._learn(repository)
        if self._lists_tags:
            async for page in self._own_tags(repository, first):
                yield page.as_tags()
            return
        place = await self._find_place(repository)
        if place is not None and self._api is not None:
            try:
                async for page in _api_tags(self._api, place):
                    yield page.as_tags()
            except NotFound:
                # Before any page. It may be our token that does not see it: that it is
                # gone, only the registry says.
                self._api.forget(repository)
            else:
                return
        async for names in super().tags(repository):
            yield names

    async def _learn(self, repository: str) -> RegistryAnswer | None:
        """Whether the registry lists tags itself, which the first repository tells: its
        first page, if that was asked for here. Those who wait learn it from the first,
        but do not wait for long."""
        is_first = await self._firsts.is_first(
            _OWN_LIST, lambda: self._lists_tags is not None, is_urgent=IS_URGENT.get()
        )
        try:
            self._sign_ins.check(self._endpoint)
            return None if self._lists_tags is not None else await self._try(repository)
        finally:
            if is_first:
                self._firsts.leave(_OWN_LIST)

    async def _try(self, repository: str) -> RegistryAnswer | None:
        question = self._own_question(repository)
        answer = await self._ask_page(replace(question, handles=_NOT_HERE))
        if answer.status == 200:
            self._lists_tags = True
            return answer
        refusal = self._client.refusal(question, answer)
        self._lists_tags = refusal.code == "name_unknown"
        if self._lists_tags:
            raise refusal
        return None

    async def _own_tags(
        self, repository: str, first: RegistryAnswer | None
    ) -> AsyncIterator[ListingPage]:
        question = self._own_question(repository)

        async def ask(url: str) -> RegistryAnswer:
            if url == question.url and first is not None:
                return first
            answer = await self._ask_page(replace(question, url=url, handles=_NOT_HERE))
            if answer.status != 200:
                raise self._withdrawn(question, answer)
            return answer

        def read(answer: RegistryAnswer) -> ListingPage:
            try:
                return parse_own_tags(answer.content or b"")
            except DocumentError as error:
                self._client.counts.note_failure(question.operation, error)
                raise

        entries = 0
        async for page in pages(ask, question.url, read, by_link):
            entries += page.entries
            if entries > limits.TAGS_PER_REPOSITORY:
                raise ListingError(
                    f"the listing has more than {limits.TAGS_PER_REPOSITORY} names",
                    code="too_many_tags",
                )
            yield page

    def _withdrawn(
        self, question: RegistryRequest, answer: RegistryAnswer
    ) -> WeighbridgeError:
        """What it means that a registry that has listed tags does not: only in its own
        words that the repository is gone."""
        refusal = self._client.refusal(question, answer)
        if refusal.code == "name_unknown":
            return refusal
        self._lists_tags = None
        return ListingError(refusal.message, code=refusal.code, hint=_ASKED_ANEW)

    def _own_question(self, repository: str) -> RegistryRequest:
        """Paths of this API end with a slash. Raises InvalidReference."""
        path = f"/gitlab/v1/repositories/{repository}/tags/list/?n={PAGE_LENGTH}"
        url = f"{self._endpoint.url}{path}"
        return replace(self._questions.tags(repository), operation="bulk", url=url)

    async def _ask_page(self, question: RegistryRequest) -> RegistryAnswer:
        try:
            return await self._client.ask(question)
        except TransportError as exc:
            if exc.code != "too_large":
                raise
            raise ListingError(exc.message, code="too_large") from exc

    async def _find_place(self, repository: str) -> RepositoryPlace | None:
        """Where the API has it, if it can be asked: the registry protocol does without
        it, for a request a tag. A token that was given for it must be right."""
        if self._api is None:
            return None
        try:
            return await self._api.find_place(repository)
        except AuthError:
            if self._has_api_token:
                raise
            return None

    async def aclose(self) -> None:
        try:
            if self._api is not None:
                await self._api.aclose()
        finally:
            await super().aclose()


async def _api_tags(
    api: GitLabAPI, place: RepositoryPlace
) -> AsyncIterator[ListingPage]:
    """By GraphQL, which tells digests; where that is not there, by REST."""
    if api.has_graph:
        with suppress(QueryRefused):
            async for page in api.graph_tags(place):
                yield page
            return
        api.has_graph = False
    async for page in api.rest_tags(place):
        yield page


def _empty_listing(listed: Listed) -> ListingError:
    one = listed.whose.removesuffix("s")
    return ListingError(
        f"the {one} {listed.path} lists no repository",
        code="empty_listing",
        hint=f"nothing is removed for that. Check the path, and what the token may"
        f" read there; a {one} without images need not be named",
    )


def open_gitlab(endpoint: Endpoint, access: KindAccess) -> GitLabRegistry:
    """One that is closed by whoever opened it. endpoint: not of the API"""
    # The registry's client comes last: what it says of itself in the metrics stays.
    settings = access.settings
    own = settings if isinstance(settings, GitLabSettings) else None
    api_url = (own and own.api_url) or _known_api(endpoint)
    if api_url is None:
        connections = access.connections(endpoint)
        return GitLabRegistry(endpoint, connections, access.telemetry, access.clock)
    token = own.current_api_token() if own else None
    of_api = replace(
        api_endpoint(endpoint, api_url, access),
        credential=api_credential(token, endpoint.credential),
    )
    api = open_gitlab_api(
        of_api,
        access.connections(of_api, is_api=True),
        access.telemetry,
        access.clock,
    )
    groups, projects = (own.groups, own.projects) if own else ((), ())
    listed = [
        *(Listed("groups", path) for path in outermost(groups, groups)),
        *(Listed("projects", path) for path in outermost(groups, projects)),
    ]
    return GitLabRegistry(
        _signing_in_at(of_api, endpoint) if own and own.api_url else endpoint,
        access.connections(endpoint),
        access.telemetry,
        access.clock,
        api,
        listed,
        has_api_token=token is not None,
    )


def api_credential(
    token: Secret | None, credential: Credential | None
) -> Credential | None:
    """What the API is shown: its own token, or the password of the registry where that
    is a person's, which is a token as well. None: nothing."""
    shown = token or (credential and credential.api_password)
    return Credential(token=shown) if shown else None


def open_gitlab_api(
    endpoint: Endpoint, connections: Sender, telemetry: Telemetry, clock: Clock
) -> GitLabAPI:
    """endpoint: of the API, with its token"""
    exchange = PacedExchange(endpoint, telemetry, clock, words=API_WORDS)
    credential = endpoint.credential
    token = None if credential is None else credential.token
    auth = None if token is None else PrivateToken(token)
    http = api_client(endpoint, exchange, connections, auth)
    return GitLabAPI(http, exchange, endpoint.url)


def _known_api(endpoint: Endpoint) -> str | None:
    return GITLAB_URL if endpoint.origin[1] in GitLabSettings.hosts else None


def _signing_in_at(api: Endpoint, registry: Endpoint) -> Endpoint:
    """GitLab gives the registry's tokens itself, at `/jwt/auth` of its own address:
    whoever has named that has allowed it."""
    _, host, port = api.origin
    named = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    trusted = registry.trusted_realm_hosts | {named}
    return replace(registry, trusted_realm_hosts=trusted)
