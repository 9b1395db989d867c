"""The listings of Docker Hub's own API: what its registry does not tell.

It is signed in to by a token for a password (docker/docs, hub/latest.yaml):
`POST /v2/auth/token` with `identifier` (a user, or an organisation) and `secret` (a
password, a personal or an organisation's access token). The older `/v2/users/login` is
deprecated.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from itertools import pairwise
from typing import Final

import httpx
from msgspec import Struct

from weighbridge.domain import limits
from weighbridge.domain.limits import TOKEN_BODY_BYTES
from weighbridge.domain.text.printable import Secret
from weighbridge.errors import AuthError, DocumentError, ListingError, TransportError
from weighbridge.net.follow import REDIRECT_STATUSES
from weighbridge.registry.auth.token_server import read_token, token_errors
from weighbridge.registry.exchange.paced_exchange import (
    PacedExchange,
    answer_of,
    question_of,
)
from weighbridge.registry.exchange.paging import ListingPage, pages, same_origin
from weighbridge.registry.kinds.dockerhub.hub_listings import (
    parse_hub_repositories,
    parse_hub_tags,
)
from weighbridge.registry.login.credentials import Credential, bearer
from weighbridge.registry.pacing.rate_limiter import Clock

HUB_API_URL: Final = "https://hub.docker.com"
PAGE_LENGTH: Final = 100
"""The most that the API gives; more is refused."""

_PAGE: Final[dict[str, object]] = {
    "operation": "bulk",
    "body_limit": limits.PAGE_BODY_BYTES,
    "may_repeat": True,
    "follow": True,
}


class HubAPI:
    """Pages of a hundred, asked through a client of the API's own: it has another
    host, another limit and other tokens than the registry.

    http:     over a `PacedTransport` of `exchange`
    """

    def __init__(
        self, http: httpx.AsyncClient, exchange: PacedExchange, url: str
    ) -> None:
        self._http = http
        self._exchange = exchange
        self._url = url
        self.counts = exchange.counts

    async def repositories(self, namespace: str) -> AsyncIterator[ListingPage]:
        """The repositories of one namespace that we may see."""
        listing = self._listing(
            f"{namespace}/repositories",
            limits.REPOSITORIES_PER_REGISTRY,
            "too_large",
            lambda raw: parse_hub_repositories(raw, namespace),
            # It may count what this account does not see.
            is_exact=False,
        )
        async for page in listing:
            yield page

    async def tags(self, repository: str) -> AsyncIterator[ListingPage]:
        """The tags of one repository, with what the API knows of each."""
        namespace, _, name = repository.partition("/")
        listing = self._listing(
            f"{namespace}/repositories/{name}/tags",
            limits.TAGS_PER_REPOSITORY,
            "too_many_tags",
            parse_hub_tags,
            # A tag that is not listed is taken for gone.
            is_exact=True,
        )
        async for page in listing:
            yield page

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _listing(
        self,
        path: str,
        most: int,
        too_many: str,
        parse: Callable[[bytes], ListingPage],
        *,
        is_exact: bool,
    ) -> AsyncIterator[ListingPage]:
        first_url = f"{self._url}/v2/namespaces/{path}?page=1&page_size={PAGE_LENGTH}"
        seen = _Seen()
        reading = pages(self._ask, first_url, lambda a: self._read(a, parse), _next_url)
        async for page in reading:
            seen.add(page)
            if seen.entries > most:
                raise ListingError(
                    f"the listing has more than {most} names", code=too_many
                )
            yield page
        seen.check(is_exact=is_exact)

    async def _ask(self, url: str) -> httpx.Response:
        try:
            response = await self._http.get(url, extensions=_PAGE)
            if response.status_code == 401:
                question = question_of(response.request)
                raise self._exchange.refusal(question, answer_of(response))
        except AuthError as error:
            self.counts.note_failure("bulk", error)
            raise
        except TransportError as exc:
            if exc.code != "too_large":
                raise
            raise ListingError(exc.message, code="too_large") from exc
        return response

    def _read(
        self, answer: httpx.Response, parse: Callable[[bytes], ListingPage]
    ) -> ListingPage:
        try:
            return parse(answer.content)
        except DocumentError as error:
            self.counts.note_failure("bulk", error)
            raise


class _Seen:
    """What a listing has brought, against what it says that there is.

    Pages are numbered, and the newest come first. While they are read, a deletion
    moves later entries up, and one of them from a page that comes to one that has been
    read; a push takes its tag from a page that comes to the first one. Both look as if
    an entry were gone.
    """

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._invalid = 0
        self._is_repeated = False
        self._totals: list[int] = []

    @property
    def entries(self) -> int:
        return len(self._names) + self._invalid

    def add(self, page: ListingPage) -> None:
        self._is_repeated = self._is_repeated or not self._names.isdisjoint(page.names)
        self._names.update(page.names)
        self._invalid += page.invalid
        if page.total is not None:
            self._totals.append(page.total)

    def check(self, *, is_exact: bool) -> None:
        """Raises ListingError(listing_changed) where an entry may have been missed.

        is_exact: one that is missing matters even if nothing has moved meanwhile
        """
        has_moved = self._is_repeated or len(set(self._totals)) > 1
        if self.entries < self._wanted and (has_moved or is_exact):
            raise ListingError(
                "the listing changed while it was read: it brought"
                f" {self.entries} of {self._wanted} entries",
                code="listing_changed",
                hint="the next crawl reads it again",
                retryable=True,
            )

    @property
    def _wanted(self) -> int:
        """Entries that it must have brought. What was deleted may have been read
        before, so that it stands in for another that was missed."""
        if not self._totals:
            return self.entries + self._is_repeated
        has_fallen = any(after < before for before, after in pairwise(self._totals))
        return max(self._totals) if has_fallen else self._totals[0]


def _next_url(
    current_url: str, answer: httpx.Response, page: ListingPage
) -> str | None:
    """The page after this one, if it says that there is one.

    Its link is only looked at: who moves it to another host is refused, and the
    number of the page is all that it could tell.
    """
    if page.next is None:
        return None
    current = httpx.URL(current_url)
    same_origin(current, page.next)
    return str(current.copy_set_param("page", int(current.params["page"]) + 1))


TOKEN_LASTS_S: Final = 9 * 60.0
"""The API's tokens hold ten minutes and do not say so."""
_REFUSALS: Final = frozenset((401, 403))
_TOKEN: Final[dict[str, object]] = {
    "operation": "token",
    "handles": REDIRECT_STATUSES | _REFUSALS,
    "body_limit": TOKEN_BODY_BYTES,
    "may_repeat": True,  # a token more changes nothing
}


class _Token(Struct, frozen=True):
    """The value of `Authorization`, and the monotonic time at which it is not used any
    more."""

    authorization: Secret
    until: float


class HubSignIn(httpx.Auth):
    """One token for all requests, none for anonymous users. A password that was
    refused is not tried again by this client.

    http: asks without this, at the API's pace
    """

    def __init__(
        self,
        url: str,
        credential: Credential | None,
        http: httpx.AsyncClient,
        clock: Clock,
    ) -> None:
        self._url = f"{url}/v2/auth/token"
        self._credential = credential
        self._http = http
        self._clock = clock
        self._kept: _Token | None = None
        self._is_refused = False
        self._lock = asyncio.Lock()

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """The request with the token that we have, or a new one; again with another
        where that had ended. A new one that is refused is final."""
        token, is_new = await self._token(refused=None)
        response = yield _with(token, request)
        if response.status_code == 401 and token is not None and not is_new:
            token, _ = await self._token(refused=token)
            yield _with(token, request)

    async def _token(self, refused: _Token | None) -> tuple[_Token | None, bool]:
        """A token, and whether it was fetched for this very request."""
        credential = self._credential
        if credential is None or credential.password is None:
            return None, False
        async with self._lock:  # those who wait get the token of the first
            if self._is_refused:
                raise _refused(credential)
            if self._kept is not None and self._is_good(self._kept, refused):
                return self._kept, False
            self._kept = None
            self._kept = await self._sign_in(credential, credential.password)
            return self._kept, True

    def _is_good(self, kept: _Token, refused: _Token | None) -> bool:
        if refused is not None and kept.authorization == refused.authorization:
            return False
        return self._clock.monotonic() < kept.until

    async def _sign_in(self, credential: Credential, password: Secret) -> _Token:
        sent = {"identifier": credential.username, "secret": password.reveal()}
        with token_errors(_unusable):
            response = await self._http.post(self._url, json=sent, extensions=_TOKEN)
        if response.status_code in _REFUSALS:
            self._is_refused = True
            raise _refused(credential)
        if response.status_code in REDIRECT_STATUSES:
            raise _unusable("it redirects, and a password does not follow")
        token = parse_hub_token(response.content)
        return _Token(bearer(token), self._clock.monotonic() + TOKEN_LASTS_S)


def parse_hub_token(raw: bytes) -> Secret:
    """`{"access_token": ...}`. Raises AuthError(auth_error)."""
    return read_token(raw, ("access_token",), _unusable)[0]


def _with(token: _Token | None, request: httpx.Request) -> httpx.Request:
    if token is not None:
        request.headers["Authorization"] = token.authorization.reveal()
    return request


def _refused(credential: Credential) -> AuthError:
    return AuthError(
        f"Docker Hub refuses {credential}",
        code="unauthorized",
        hint="check `auth`; an account with a second factor needs a personal access"
        " token in place of the password",
    )


def _unusable(reason: str) -> AuthError:
    return AuthError(
        f"Docker Hub's sign-in cannot be used: {reason}",
        hint="check `api_url`",
    )
