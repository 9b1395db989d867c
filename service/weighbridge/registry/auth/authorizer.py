"""How a request gets its `Authorization`: challenges answered, tokens kept.

The first request of a kind goes ahead of all others of it. What its answer teaches
(that a token is wanted, and where it is to be had) is then learned once, and not by two
hundred requests that were sent together.

Nothing here does I/O: `TokenFetch` is handed in by the client.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import httpx
from msgspec import Struct

from weighbridge.domain.text.printable import Secret
from weighbridge.errors import AuthError
from weighbridge.ports.protocols import IS_URGENT
from weighbridge.registry.auth.token_server import (
    BearerToken,
    Challenge,
    Realm,
    TokenRequest,
    allowed_realm,
    parse,
)
from weighbridge.registry.exchange.endpoint import Endpoint
from weighbridge.registry.login.credentials import Credential, bearer
from weighbridge.registry.pacing.rate_limiter import Clock

CATALOG_SCOPE: Final = "registry:catalog:*"
_TOKENS_KEPT: Final = 1024
"""A crawl goes repository by repository: an old token is hardly asked for again."""


def pull_scope(repository: str) -> str:
    """The right to read one repository, and no more."""
    return f"repository:{repository}:pull"


TokenFetch: TypeAlias = Callable[[TokenRequest], Awaitable[BearerToken]]


class _Kept(Struct):
    """A token until it is over. `was_accepted`: a request got its answer with it."""

    wanted: "_Wanted"
    authorization: Secret
    until: float
    was_accepted: bool = False


@dataclass(frozen=True, slots=True)
class Grant:
    """What a request may show.

    authorization: the value of the header, or None for nothing
    is_new:        it was fetched for this very request: a 401 to it is final, unless
                   others were answered with it meanwhile
    ahead_for:     what others wait for this request to find out
    """

    authorization: Secret | None = None
    is_new: bool = False
    kept: _Kept | None = field(default=None, compare=False, repr=False)
    ahead_for: tuple[str, ...] = field(default=(), compare=False, repr=False)

    @property
    def is_final(self) -> bool:
        """Whether a 401 to it means that there is nothing better to show. A token
        that was good before has ended: while its request waited for its turn, or
        because somebody revoked it."""
        return self.is_new and not (self.kept is not None and self.kept.was_accepted)


class _WayIn(Struct, frozen=True):
    """What a challenge comes down to: a token of this realm, or Basic (None)."""

    realm: Realm | None
    realm_url: str = ""
    service: str = ""


class _Wanted(Struct, frozen=True):
    """The key of a token; endpoint and credential are the Authorizer's own."""

    realm: str
    service: str
    scope: str


class Authorizer:
    """The one place that knows how an endpoint wants to be asked.

    It is bound to one endpoint with its one credential, so a token can never be
    shown for another. A challenge is remembered for each kind of scope: Harbor
    wants Basic for the catalog and Bearer for everything else.
    """

    def __init__(self, endpoint: Endpoint, fetch: TokenFetch, clock: Clock) -> None:
        self._endpoint = endpoint
        self._fetch = fetch
        self._clock = clock
        self._learned: dict[str, _WayIn] = {}
        self._kept: OrderedDict[_Wanted, _Kept] = OrderedDict()
        self._fetching: dict[tuple[_Wanted, bool], asyncio.Task[_Kept]] = {}
        self._firsts = FirstRequests()

    async def grant(self, scope: str) -> Grant:
        """What to send with a first attempt, by what earlier answers taught. Where
        there was none, one request goes ahead, and all others wait for what it
        learns: of each kind of scope, and of each scope while no challenge came.
        Whoever has a grant must say when it is over (`note_over`)."""
        if self._has_own_token:
            return await self._own_token(None)
        ahead_for = await self._go_ahead(scope)
        if ahead_for:
            return Grant(ahead_for=ahead_for)
        way_in = self._learned.get(_kind(scope))
        if way_in is None:
            return Grant()
        return await self._take(way_in, scope, refused=None)

    @property
    def _has_own_token(self) -> bool:
        """Whether it was given a token that is shown as it is."""
        credential = self._endpoint.credential
        return credential is not None and credential.token is not None

    async def _own_token(self, refused: Secret | None) -> Grant:
        credential = await self._credential(refused)
        return Grant(None if credential is None else credential.authorization())

    async def _go_ahead(self, scope: str) -> tuple[str, ...]:
        """What this request is to find out; empty where others have done so."""
        kind = _kind(scope)
        ahead_for: list[str] = []
        try:
            for key in dict.fromkeys((kind, scope)):
                if await self._firsts.is_first(
                    key, lambda: kind in self._learned, is_urgent=IS_URGENT.get()
                ):
                    ahead_for.append(key)  # noqa: PERF401 - kept where one fails
        except BaseException:
            self._leave(ahead_for)
            raise
        return tuple(ahead_for)

    def _leave(self, ahead_for: Iterable[str]) -> None:
        for key in ahead_for:
            self._firsts.leave(key)

    async def answer_challenge(
        self, values: list[str], scope: str, refused: Grant
    ) -> Grant | None:
        """What to send after a 401; None where there is nothing else to show, so
        that the 401 stands.

        Raises AuthError(auth_error, realm_refused).
        """
        if self._has_own_token:
            grant = await self._own_token(refused.authorization)
            return None if grant.authorization == refused.authorization else grant
        if refused.is_final:
            return None
        # gcr.io sends a 401 without any challenge: what is known then still holds.
        way_in = self._learned.get(_kind(scope))
        if values:
            way_in = self._way_in(_choose(parse(values)))
        if way_in is None:
            return None
        grant = await self._take_first(way_in, scope, refused)
        return None if grant.authorization == refused.authorization else grant

    async def _take_first(self, way_in: _WayIn, scope: str, refused: Grant) -> Grant:
        """By a way in that is remembered if it leads anywhere. Those who wait for the
        request that found it want the same token, and get the same error."""
        kind = _kind(scope)
        before = self._learned.get(kind)
        self._learned[kind] = way_in
        self._leave(refused.ahead_for)
        try:
            return await self._take(way_in, scope, refused.authorization)
        except BaseException:
            if before is None:
                self._learned.pop(kind, None)
            else:
                self._learned[kind] = before
            raise

    def renewed(self, grant: Grant) -> Grant:
        """The same, with the token that has replaced its own meanwhile, if one has."""
        if grant.kept is None:
            return grant
        now = self._kept.get(grant.kept.wanted, grant.kept)
        return grant if now is grant.kept else Grant(now.authorization, kept=now)

    def note_accepted(self, grant: Grant) -> None:
        """A request that showed this was answered."""
        for key in grant.ahead_for:
            self._firsts.note_answered(key)
        if grant.kept is not None:
            grant.kept.was_accepted = True

    def note_over(self, grant: Grant) -> None:
        """The request that began with this has ended, whatever came of it."""
        self._leave(grant.ahead_for)

    async def aclose(self) -> None:
        """End token requests that are under way."""
        tasks = list(self._fetching.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _way_in(self, challenge: Challenge) -> _WayIn:
        if challenge.scheme == "basic":
            return _WayIn(None)
        realm = allowed_realm(challenge.params["realm"], self._endpoint)
        return _WayIn(realm, str(realm.url), challenge.params.get("service", ""))

    async def _take(self, way_in: _WayIn, scope: str, refused: Secret | None) -> Grant:
        if way_in.realm is None:
            credential = await self._credential(refused)
            return Grant(None if credential is None else credential.basic())
        wanted = _Wanted(way_in.realm_url, way_in.service, scope)
        if kept := self._find_kept(wanted, refused):
            return Grant(kept.authorization, kept=kept)
        fetched = await self._fetch_once(wanted, way_in.realm)
        return Grant(fetched.authorization, is_new=True, kept=fetched)

    async def _credential(self, refused: Secret | None) -> Credential | None:
        login = self._endpoint.login
        if login is None:
            return self._endpoint.credential
        return await login.credential(refused)

    def _find_kept(self, wanted: _Wanted, refused: Secret | None) -> _Kept | None:
        kept = self._kept.get(wanted)
        if kept is None:
            return None
        is_over = kept.until <= self._clock.monotonic()
        if is_over or (refused is not None and kept.authorization == refused):
            del self._kept[wanted]
            return None
        self._kept.move_to_end(wanted)
        return kept

    async def _fetch_once(self, wanted: _Wanted, realm: Realm) -> _Kept:
        """Whoever wants the same token meanwhile waits for the same request, and
        gets the same error; but who is urgent not for one that is not: that may stand
        in a long queue."""
        key = (wanted, IS_URGENT.get())
        task = self._fetching.get((wanted, True)) or self._fetching.get(key)
        if task is None:
            task = asyncio.ensure_future(self._fetch_token(wanted, realm))
            self._fetching[key] = task
            task.add_done_callback(lambda done: self._forget(key, done))
        # Shielded: one request that is cancelled does not end it for the others.
        return await asyncio.shield(task)

    async def _fetch_token(self, wanted: _Wanted, realm: Realm) -> _Kept:
        credential = await self._credential(None) if realm.with_credential else None
        try:
            return await self._fetch_as(credential, wanted, realm)
        except AuthError as error:
            if credential is None or error.code != "unauthorized":
                raise
            # It may have been replaced since it was read.
            renewed = await self._credential(credential.authorization())
            if renewed == credential:
                raise
            return await self._fetch_as(renewed, wanted, realm)

    async def _fetch_as(
        self, credential: Credential | None, wanted: _Wanted, realm: Realm
    ) -> _Kept:
        url = _token_url(realm.url, wanted)
        authorization = None if credential is None else credential.basic()
        request = TokenRequest(
            url,
            authorization,
            realm.ceiling,
            "" if credential is None else str(credential),
            None if credential is None else credential.refresh_token,
        )
        token = await self._fetch(request)
        until = self._clock.monotonic() + token.lasts_s
        kept = self._kept[wanted] = _Kept(wanted, bearer(token.text), until)
        if len(self._kept) > _TOKENS_KEPT:
            self._kept.popitem(last=False)
        return kept

    def _forget(self, key: tuple[_Wanted, bool], task: asyncio.Task[_Kept]) -> None:
        del self._fetching[key]
        if not task.cancelled():
            task.exception()  # seen, even where every waiter has gone


def _kind(scope: str) -> str:
    return scope.partition(":")[0]


def _choose(challenges: list[Challenge]) -> Challenge:
    """The first that we can answer, Bearer before Basic."""
    for challenge in challenges:
        if challenge.scheme == "bearer" and challenge.params.get("realm"):
            return challenge
    for challenge in challenges:
        if challenge.scheme == "basic":
            return challenge
    offered = ", ".join(sorted({c.scheme for c in challenges})) or "nothing"
    raise AuthError(
        f"the registry offers {offered[:80]} to sign in: only Basic, and Bearer with"
        " a realm, are known",
        hint="ask the operator of the registry",
    )


def _token_url(realm: httpx.URL, wanted: _Wanted) -> httpx.URL:
    """The realm's own query stays, but its scope is ours alone: what a challenge
    asks for beyond reading this repository is not asked for."""
    own = {"service": wanted.service, "scope": wanted.scope}
    said = {name: value for name, value in own.items() if value}
    return realm.copy_remove_param("scope").copy_merge_params(said)


PATIENCE_S: Final = 5.0
"""A first request that takes longer keeps nobody waiting."""
_KEPT: Final = 1024


@dataclass(frozen=True, slots=True)
class _First:
    is_urgent: bool
    is_over: asyncio.Event = field(default_factory=asyncio.Event)


class FirstRequests:
    """By key. Whoever is first must `leave`, whatever came of the request."""

    def __init__(self) -> None:
        self._under_way: dict[str, _First] = {}
        self._answered: OrderedDict[str, None] = OrderedDict()

    async def is_first(
        self, key: str, is_known: Callable[[], bool], *, is_urgent: bool = False
    ) -> bool:
        """Whether to go ahead of the others. False once a request of this key was
        answered or `is_known` holds; until then it waits, for `PATIENCE_S` at most.
        Where the first one got no answer, the next one goes ahead. Who is urgent does
        not wait for one that is not, which may stand in a long queue."""
        decided = self._decide(key, is_known, is_urgent=is_urgent)
        if decided is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE_S):
                    while decided is None:
                        await self._under_way[key].is_over.wait()
                        decided = self._decide(key, is_known, is_urgent=is_urgent)
        return bool(decided)

    def _decide(
        self, key: str, is_known: Callable[[], bool], *, is_urgent: bool
    ) -> bool | None:
        """See `is_first`; None: it has to wait for the one that is under way."""
        if key in self._answered or is_known():
            return False
        first = self._under_way.get(key)
        if first is None:
            self._under_way[key] = _First(is_urgent)
            return True
        return False if is_urgent and not first.is_urgent else None

    def note_answered(self, key: str) -> None:
        """A request of this key was answered as it was."""
        self._answered[key] = None
        if len(self._answered) > _KEPT:
            self._answered.popitem(last=False)

    def leave(self, key: str) -> None:
        """The first request has ended, or has taught what there is to learn."""
        if (first := self._under_way.pop(key, None)) is not None:
            first.is_over.set()
