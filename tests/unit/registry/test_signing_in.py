"""Challenges answered, tokens kept, credentials never shown to others."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import copy_context
from itertools import count
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from msgspec.structs import replace

from support.fake_clock import FakeClock
from support.registry_client import (
    OWNER,
    REGISTRY_URL,
    Asking,
    an_endpoint,
    asking,
    error_answer,
    json_answer,
)
from support.wait import PATIENCE_S
from weighbridge.domain.text.printable import Secret
from weighbridge.errors import AuthError, RegistryError, WeighbridgeError
from weighbridge.ports.protocols import IS_URGENT
from weighbridge.registry.auth.authorizer import (
    Authorizer,
    Grant,
    pull_scope,
)
from weighbridge.registry.auth.token_server import BearerToken, TokenRequest
from weighbridge.registry.exchange.endpoint import Endpoint
from weighbridge.registry.login.credentials import REFRESH_TOKEN_USERS, Credential

TAGS = b'{"name":"shop/cart","tags":["v1"]}'
REALM = f"{REGISTRY_URL}/token"
BASIC = OWNER.basic().reveal()


class BearerRegistry:
    """Wants a token for everything; its token server is under /token.

    valid:    what the registry takes just now; each token is a new one
    refusing: what the token server answers instead of a token
    """

    def __init__(self, challenge: str | None = None, expires_in: int = 300) -> None:
        self.challenge = challenge or f'Bearer realm="{REALM}",service="shop registry"'
        self.expires_in = expires_in
        self.valid: set[str] = set()
        self.tokens = 0
        self.token_queries: list[httpx.QueryParams] = []
        self.hits: Counter[str] = Counter()
        self.answered = 0
        self.public: set[str] = set()
        self.refusing: Callable[[], httpx.Response] | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.hits[request.url.path] += 1
        if request.url.path == "/token":
            return self.refusing() if self.refusing else self.give_token(request)
        is_allowed = request.headers.get("authorization") in self.valid
        if is_allowed or request.url.path in self.public:
            self.answered += 1
            name = request.url.path.removeprefix("/v2/").removesuffix("/tags/list")
            return httpx.Response(200, json={"name": name, "tags": ["v1"]})
        return httpx.Response(401, headers={"www-authenticate": self.challenge})

    async def after_a_moment(self, request: httpx.Request) -> httpx.Response:
        """As on a wire: others are sent meanwhile."""
        await asyncio.sleep(0)
        return self(request)

    def give_token(self, request: httpx.Request) -> httpx.Response:
        self.tokens += 1
        self.token_queries.append(request.url.params)
        token = f"token-{self.tokens}"
        self.valid.add(f"Bearer {token}")
        return httpx.Response(200, json={"token": token, "expires_in": self.expires_in})


async def tags_of(ask: Asking, repository: str = "shop/cart") -> list[str]:
    return [
        tag.name async for page in ask.registry.tags(repository) for tag in page.tags
    ]


def owned() -> Endpoint:
    return an_endpoint(credential=OWNER)


async def test_a_token_is_fetched_with_the_credential_and_shown_to_the_registry() -> (
    None
):
    server = BearerRegistry()
    ask = asking(server, owned())

    tags = await tags_of(ask)

    assert tags == ["v1"]
    assert ask.connections.sent("authorization") == [None, BASIC, "Bearer token-1"]


@pytest.mark.parametrize("user", sorted(REFRESH_TOKEN_USERS))
async def test_a_refresh_token_is_shown_in_a_form_and_nowhere_else(user: str) -> None:
    """distribution, spec/auth/oauth.md; the realm's own query stays."""
    server = BearerRegistry(f'Bearer realm="{REALM}?kept=1",service="shop registry"')
    bodies: list[tuple[str, str, bytes]] = []

    def keeps(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/token":
            query = request.url.query.decode()
            bodies.append((request.method, query, request.content))
        return server(request)

    held = Credential(user, Secret("a+b&c"))
    ask = asking(keeps, an_endpoint(credential=held))

    assert await tags_of(ask) == ["v1"]
    ((method, query, body),) = bodies
    assert (method, query) == ("POST", "kept=1")
    assert parse_qs(body.decode()) == {
        "grant_type": ["refresh_token"],
        "client_id": ["weighbridge"],
        "service": ["shop registry"],
        "scope": ["repository:shop/cart:pull"],
        "refresh_token": ["a+b&c"],
    }
    assert ask.connections.sent("authorization") == [None, None, "Bearer token-1"]


@pytest.mark.parametrize("status", [307, 403, 500])
async def test_a_refresh_token_is_not_shown_again_after_another_refusal(
    status: int,
) -> None:
    methods: list[str] = []

    def refuses(request: httpx.Request) -> httpx.Response:
        if request.url.path != "/token":
            challenge = f'Bearer realm="{REALM}",service="s"'
            return httpx.Response(401, headers={"www-authenticate": challenge})
        methods.append(request.method)
        return httpx.Response(status, headers={"location": "https://evil.example/"})

    held = Credential("<token>", Secret("canary"))
    ask = asking(refuses, an_endpoint(credential=held))

    with pytest.raises(WeighbridgeError) as refused:
        await tags_of(ask)

    assert set(methods) == {"POST"}
    assert "canary" not in _everything_told(refused.value)


async def test_only_reading_this_repository_is_asked_for_registry_auth_014() -> None:
    challenge = (
        f'Bearer realm="{REALM}?scope=repository:vault:push&k=v",service="shop",'
        'scope="repository:shop/vault:push,delete registry:catalog:*"'
    )
    server = BearerRegistry(challenge)

    await tags_of(asking(server, owned()))

    assert server.token_queries == [
        httpx.QueryParams(k="v", service="shop", scope="repository:shop/cart:pull")
    ]


async def test_a_token_serves_later_requests_without_a_401() -> None:
    server = BearerRegistry()
    ask = asking(server, owned())

    for _ in range(3):
        await tags_of(ask)

    assert server.tokens == 1
    assert server.hits["/v2/shop/cart/tags/list"] == 4


async def test_another_repository_gets_its_own_token_without_a_401() -> None:
    server = BearerRegistry()
    ask = asking(server, owned())

    await tags_of(ask, "shop/cart")
    await tags_of(ask, "shop/till")

    assert server.hits["/v2/shop/till/tags/list"] == 1
    assert [query["scope"] for query in server.token_queries] == [
        "repository:shop/cart:pull",
        "repository:shop/till:pull",
    ]


async def test_a_token_is_renewed_before_it_ends() -> None:
    server = BearerRegistry(expires_in=300)
    ask = asking(server, owned())
    await tags_of(ask)

    ask.time.advance(271.0)
    await tags_of(ask)

    assert server.tokens == 2
    assert server.hits["/v2/shop/cart/tags/list"] == 3


async def test_a_token_that_ends_early_is_replaced_registry_auth_017() -> None:
    server = BearerRegistry(expires_in=2)
    ask = asking(server, owned())
    await tags_of(ask)

    server.valid.clear()
    tags = await tags_of(ask)

    assert tags == ["v1"]
    assert server.tokens == 2


async def test_many_requests_at_once_fetch_one_token() -> None:
    server = BearerRegistry()
    ask = asking(server, owned())

    await asyncio.gather(*(tags_of(ask) for _ in range(8)))

    assert server.tokens == 1


def challenges(server: BearerRegistry, ask: Asking) -> int:
    """How often the registry was asked in vain."""
    return len(ask.connections.requests) - server.tokens - server.answered


async def test_two_hundred_first_requests_meet_one_challenge_and_fetch_one_token() -> (
    None
):
    server = BearerRegistry()
    ask = asking(server.after_a_moment, owned())

    await asyncio.gather(*(tags_of(ask) for _ in range(200)))

    assert (challenges(server, ask), server.tokens, server.answered) == (1, 1, 200)


async def test_first_requests_of_three_scopes_meet_one_challenge() -> None:
    server = BearerRegistry()
    ask = asking(server.after_a_moment, owned())
    names = ("shop/cart", "shop/till", "shop/desk")

    await asyncio.gather(*(tags_of(ask, names[n % 3]) for n in range(200)))

    assert (challenges(server, ask), server.tokens, server.answered) == (1, 3, 200)


async def test_a_private_repository_beside_public_ones_challenges_once() -> None:
    server = BearerRegistry()
    server.public = {"/v2/shop/open/tags/list"}
    ask = asking(server.after_a_moment, owned())
    await tags_of(ask, "shop/open")

    await asyncio.gather(*(tags_of(ask) for _ in range(50)))

    assert (challenges(server, ask), server.tokens) == (1, 1)


async def test_where_nothing_is_wanted_only_the_first_request_goes_alone() -> None:
    together = asyncio.Barrier(7)
    is_first = [True]

    async def server(request: httpx.Request) -> httpx.Response:
        if is_first:
            is_first.clear()
        else:
            await together.wait()
        return json_answer(TAGS)

    ask = asking(server)

    async with asyncio.timeout(PATIENCE_S):
        await asyncio.gather(*(tags_of(ask) for _ in range(8)))

    assert len(ask.connections.requests) == 8


async def test_a_first_request_without_an_answer_lets_the_next_one_go_ahead() -> None:
    server = BearerRegistry()
    troubled = [True]

    async def first_fails(request: httpx.Request) -> httpx.Response:
        if troubled.pop() if troubled else False:
            return httpx.Response(403)
        return await server.after_a_moment(request)

    ask = asking(first_fails, owned())

    ends = await asyncio.gather(
        *(tags_of(ask) for _ in range(50)), return_exceptions=True
    )

    assert [type(end) for end in ends].count(list) == 49
    assert len(ask.connections.requests) == 1 + 1 + 1 + 49


async def test_a_first_request_that_is_cancelled_keeps_nobody_waiting() -> None:
    server = BearerRegistry()
    reached = asyncio.Event()

    async def stalls_first(request: httpx.Request) -> httpx.Response:
        if not reached.is_set():
            reached.set()
            await asyncio.Event().wait()
        return server(request)

    ask = asking(stalls_first, owned())
    first = asyncio.create_task(tags_of(ask))
    await reached.wait()
    second = asyncio.create_task(tags_of(ask))
    first.cancel()

    assert await second == ["v1"]


async def test_a_failing_token_server_is_asked_once_by_many() -> None:
    server = BearerRegistry()
    server.refusing = lambda: httpx.Response(400)
    ask = asking(server, owned())

    results = await asyncio.gather(
        *(tags_of(ask) for _ in range(8)), return_exceptions=True
    )

    assert all(isinstance(result, AuthError) for result in results)
    assert server.hits["/token"] == 1


async def test_401_for_ever_ends_after_two_attempts_registry_auth_016() -> None:
    server = BearerRegistry()
    server.valid = _Nothing()
    ask = asking(server, owned())

    with pytest.raises(AuthError) as refused:
        await tags_of(ask)

    assert refused.value.code == "unauthorized"
    assert server.hits == {"/v2/shop/cart/tags/list": 2, "/token": 1}
    assert ask.sample(
        "weighbridge_registry_request_failures_total", operation="tags", reason="auth"
    )


async def test_401_for_ever_costs_one_token_a_request_later_on_registry_auth_016() -> (
    None
):
    server = BearerRegistry()
    server.valid = _Nothing()
    ask = asking(server, owned())

    for asked in range(1, 4):
        with pytest.raises(AuthError):
            await tags_of(ask)
        assert server.tokens <= asked
        assert server.hits["/v2/shop/cart/tags/list"] <= 2 * asked


async def test_a_401_to_a_token_that_was_just_fetched_is_final_registry_auth_016() -> (
    None
):
    server = BearerRegistry()
    ask = asking(server, owned())
    await tags_of(ask)
    server.valid = _Nothing()
    server.hits.clear()

    ask.time.advance(1000.0)
    with pytest.raises(AuthError) as refused:
        await tags_of(ask)

    assert refused.value.code == "unauthorized"
    assert server.hits == {"/v2/shop/cart/tags/list": 1, "/token": 1}


CHALLENGE = [f'Bearer realm="{REALM}"']


def signing_in() -> Authorizer:
    """An authorizer whose tokens are t1, t2 and so on."""
    numbers = count(1)

    async def fetch(request: TokenRequest) -> BearerToken:
        return BearerToken(Secret(f"t{next(numbers)}"), 60.0)

    return Authorizer(owned(), fetch, FakeClock().clock)


async def test_f08_a_token_that_was_good_and_is_refused_has_ended() -> None:
    authorizer, scope = signing_in(), pull_scope("shop/cart")
    first = await authorizer.answer_challenge(CHALLENGE, scope, Grant())
    assert first is not None
    waiting = await authorizer.grant(scope)

    assert await authorizer.answer_challenge(CHALLENGE, scope, first) is None
    authorizer.note_accepted(waiting)
    second = await authorizer.answer_challenge(CHALLENGE, scope, first)

    assert second == Grant(Secret("Bearer t2"), is_new=True)


async def test_f08_who_waits_with_a_token_that_ended_shows_the_new_one() -> None:
    authorizer, scope = signing_in(), pull_scope("shop/cart")
    await authorizer.answer_challenge(CHALLENGE, scope, Grant())
    waiting, refused = [await authorizer.grant(scope) for _ in range(2)]
    assert authorizer.renewed(waiting) == waiting

    await authorizer.answer_challenge(CHALLENGE, scope, refused)

    assert authorizer.renewed(waiting) == Grant(Secret("Bearer t2"))
    assert authorizer.renewed(Grant()) == Grant()


async def test_a_cancelled_request_leaves_the_others_their_token() -> None:
    endpoint, clock = owned(), FakeClock().clock
    may_answer = asyncio.Event()
    fetched: list[TokenRequest] = []

    async def fetch(request: TokenRequest) -> BearerToken:
        fetched.append(request)
        await may_answer.wait()
        return BearerToken(Secret("abc"), 60.0)

    authorizer = Authorizer(endpoint, fetch, clock)
    challenge = [f'Bearer realm="{REALM}"']
    scope = pull_scope("shop/cart")
    first, second = (
        asyncio.create_task(authorizer.answer_challenge(challenge, scope, Grant()))
        for _ in range(2)
    )
    await asyncio.sleep(0)

    first.cancel()
    await asyncio.sleep(0)
    may_answer.set()

    assert await second == Grant(Secret("Bearer abc"), is_new=True)
    assert first.cancelled()
    assert len(fetched) == 1


async def test_closing_ends_token_requests_under_way() -> None:
    async def fetch(request: TokenRequest) -> BearerToken:
        await asyncio.Event().wait()
        raise AssertionError(request)

    authorizer = Authorizer(owned(), fetch, FakeClock().clock)
    waiting = asyncio.create_task(
        authorizer.answer_challenge([f'Bearer realm="{REALM}"'], "s", Grant())
    )
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    await authorizer.aclose()

    with pytest.raises(asyncio.CancelledError):
        await waiting


class _Renewing:
    """A `CredentialSource` that notes what was refused when it was asked."""

    def __init__(self) -> None:
        self.refused: list[Secret | None] = []

    async def credential(self, refused: Secret | None) -> Credential | None:
        self.refused.append(refused)
        return Credential("ann", Secret(f"password-{len(self.refused)}"))


@pytest.mark.parametrize(
    ("code", "asked"), [("unauthorized", 2), ("realm_refused", 1), ("auth_error", 1)]
)
async def test_only_a_credential_that_was_refused_is_renewed(
    code: str, asked: int
) -> None:
    login = _Renewing()

    async def fetch(request: TokenRequest) -> BearerToken:
        raise AuthError("no", code=code)

    authorizer = Authorizer(replace(owned(), login=login), fetch, FakeClock().clock)
    with pytest.raises(AuthError) as refused:
        await authorizer.answer_challenge(CHALLENGE, "s", Grant())

    assert refused.value.code == code
    assert len(login.refused) == asked


class _Nothing(set[str]):
    """A set that stays empty: no token is ever good."""

    def add(self, item: str) -> None:
        del item


async def test_basic_is_answered_at_once_and_remembered() -> None:
    def server(request: httpx.Request) -> httpx.Response:
        if request.headers.get("authorization") == BASIC:
            return json_answer(TAGS)
        return httpx.Response(401, headers={"www-authenticate": 'Basic realm="x"'})

    ask = asking(server, owned())

    await tags_of(ask)
    await tags_of(ask)

    assert ask.connections.sent("authorization") == [None, BASIC, BASIC]


@pytest.mark.parametrize("credential", [None, OWNER])
async def test_a_refused_basic_is_not_tried_twice(
    credential: Credential | None,
) -> None:
    ask = asking(
        lambda _: httpx.Response(401, headers={"www-authenticate": "Basic realm=x"}),
        an_endpoint(credential=credential),
    )

    with pytest.raises(AuthError) as refused:
        await tags_of(ask)
    with pytest.raises(AuthError):
        await tags_of(ask)

    assert refused.value.code == "unauthorized"
    assert "auth" in refused.value.hint or "password" in refused.value.hint
    assert len(ask.connections.requests) == (2 if credential is None else 3)


async def test_catalog_and_repositories_may_want_different_ways_in() -> None:
    bearer = BearerRegistry()

    def harbor(request: httpx.Request) -> httpx.Response:
        if request.url.path != "/v2/_catalog":
            return bearer(request)
        if request.headers.get("authorization") == BASIC:
            return json_answer(b'{"repositories":["shop/cart"]}')
        return httpx.Response(401, headers={"www-authenticate": 'Basic realm="harbor"'})

    ask = asking(harbor, owned())

    for _ in range(2):
        assert [page async for page in ask.registry.repositories()]
        assert await tags_of(ask)

    assert len(ask.connections.requests) == 2 + 3 + 1 + 1


async def test_an_anonymous_token_is_fetched_without_credentials() -> None:
    server = BearerRegistry('Bearer realm="https://tokens.example.org/token"')
    ask = asking(server)

    tags = await tags_of(ask)

    assert tags == ["v1"]
    assert ask.connections.sent("authorization") == [None, None, "Bearer token-1"]


async def test_a_configured_token_goes_to_the_registry_alone() -> None:
    server = BearerRegistry()
    endpoint = an_endpoint(credential=Credential(token=Secret("given")))
    ask = asking(server, endpoint)

    with pytest.raises(AuthError) as refused:
        await tags_of(ask)

    assert refused.value.code == "unauthorized"
    assert ask.connections.sent("authorization") == ["Bearer given"]


@pytest.mark.parametrize(
    "realm",
    [
        pytest.param("https://evil.example.org/token", id="registry_auth-003"),
        pytest.param("http://169.254.169.254/token", id="registry_auth-001"),
        pytest.param("https://127.0.0.1:1/token", id="registry_auth-002"),
    ],
)
async def test_a_refused_realm_sees_no_request(realm: str) -> None:
    server = BearerRegistry(f'Bearer realm="{realm}"')
    ask = asking(server, owned())

    with pytest.raises(AuthError) as refused:
        await tags_of(ask)

    assert refused.value.code == "realm_refused"
    assert "trusted_realm_hosts" in refused.value.hint
    assert [r.url.host for r in ask.connections.requests] == ["registry.example"]
    assert ask.connections.sent("authorization") == [None]


async def test_a_token_server_that_redirects_is_not_followed_registry_auth_013() -> (
    None
):
    server = BearerRegistry()
    server.refusing = lambda: httpx.Response(
        302, headers={"location": "http://127.0.0.1:1/"}
    )
    ask = asking(server, owned())

    with pytest.raises(AuthError) as refused:
        await tags_of(ask)

    assert refused.value.code == "realm_refused"
    assert {r.url.host for r in ask.connections.requests} == {"registry.example"}


@pytest.mark.parametrize(
    ("answer", "code", "attempts"),
    [
        pytest.param(lambda: httpx.Response(401), "unauthorized", 1, id="401"),
        pytest.param(lambda: httpx.Response(403), "denied", 1, id="403"),
        pytest.param(lambda: httpx.Response(404), "auth_error", 1, id="404"),
        pytest.param(lambda: httpx.Response(400), "auth_error", 1, id="400"),
        pytest.param(lambda: httpx.Response(503), "registry_error", 5, id="503"),
        pytest.param(lambda: httpx.Response(429), "rate_limited", 5, id="429"),
        pytest.param(
            lambda: httpx.Response(200, json={"expires_in": 3}),
            "auth_error",
            1,
            id="registry_auth-019 no token",
        ),
        pytest.param(
            lambda: httpx.Response(200, content=b"canary" * 2_000_000),
            "auth_error",
            1,
            id="registry_auth-019 12 MB",
        ),
        pytest.param(
            lambda: httpx.Response(200, text="canary"),
            "auth_error",
            1,
            id="registry_auth-019 not JSON",
        ),
        pytest.param(
            lambda: httpx.Response(200, json={"token": "a\r\nX-Evil: canary"}),
            "auth_error",
            1,
            id="registry_auth-020",
        ),
        pytest.param(
            lambda: error_answer(400, "DENIED", "canary"), "auth_error", 1, id="told"
        ),
    ],
)
async def test_what_a_token_server_refuses_is_an_error_without_its_words(
    answer: Callable[[], httpx.Response], code: str, attempts: int
) -> None:
    server = BearerRegistry()
    server.refusing = answer
    ask = asking(server, owned())

    with pytest.raises(RegistryError) as refused:
        await tags_of(ask)

    assert refused.value.code == code
    assert server.hits["/token"] == attempts
    assert "canary" not in _everything_told(refused.value)


@pytest.mark.parametrize(
    "challenge",
    [
        pytest.param("Bearer realm=", id="registry_auth-023 no value"),
        pytest.param("Bearer ", id="registry_auth-023 no realm"),
        pytest.param('Bearer realm="https://registry.ex', id="registry_auth-023 open"),
        pytest.param("Bearer " + "z" * 65_536, id="registry_auth-023 64 KiB"),
        pytest.param("Negotiate", id="another scheme"),
        pytest.param('Bearer service="x"', id="another parameter"),
    ],
)
async def test_a_malformed_challenge_is_an_error(challenge: str) -> None:
    ask = asking(BearerRegistry(challenge), owned())

    with pytest.raises(AuthError) as refused:
        await tags_of(ask)

    assert refused.value.code == "auth_error"
    assert len(ask.connections.requests) == 1


async def test_a_401_without_a_challenge_is_unauthorized() -> None:
    ask = asking(lambda _: httpx.Response(401), owned())

    with pytest.raises(AuthError) as refused:
        await tags_of(ask)

    assert refused.value.code == "unauthorized"
    assert "owner" in refused.value.message
    assert ask.connections.sent("authorization") == [None]


async def test_two_entries_for_one_host_share_no_token() -> None:
    server = BearerRegistry()
    mine = asking(server, owned())
    other = Credential("other", Secret("horse"))
    theirs = asking(server, an_endpoint(credential=other))

    await tags_of(mine)
    await tags_of(theirs)

    assert theirs.connections.sent("authorization") == [
        None,
        other.basic().reveal(),
        "Bearer token-2",
    ]


async def test_credentials_stay_out_of_every_message() -> None:
    def server(request: httpx.Request) -> httpx.Response:
        shown = request.headers.get("authorization", "")
        return error_answer(403, "DENIED", f"no: Authorization: {shown}")

    endpoint = an_endpoint(credential=Credential(token=Secret("canary")))
    ask = asking(server, endpoint)

    with pytest.raises(AuthError) as refused:
        await tags_of(ask)

    assert refused.value.code == "denied"
    assert "canary" not in _everything_told(refused.value)
    assert "canary" not in repr(endpoint)


def _everything_told(error: BaseException | None) -> str:
    told = ""
    while error is not None:
        told += repr(error)
        if isinstance(error, WeighbridgeError):
            told += error.message + error.hint
        error = error.__cause__
    return told


class SlowForCrawls:
    """Gives tokens; one that a crawl asks for only when it is let."""

    def __init__(self) -> None:
        self.fetched: list[bool] = []
        self.may_answer = asyncio.Event()

    async def __call__(self, request: TokenRequest) -> BearerToken:
        self.fetched.append(IS_URGENT.get())
        if not IS_URGENT.get():
            await self.may_answer.wait()
        return BearerToken(Secret(f"t{len(self.fetched)}"), 60.0)


async def urgently(asking: Awaitable[Grant | None]) -> Grant | None:
    async with asyncio.timeout(PATIENCE_S):
        return await asking


def as_a_push(asking: Coroutine[Any, Any, Grant | None]) -> asyncio.Task[Grant | None]:
    context = copy_context()
    context.run(IS_URGENT.set, True)
    return asyncio.create_task(urgently(asking), context=context)


async def test_a_push_does_not_wait_for_a_token_that_a_crawl_has_asked_for() -> None:
    fetch = SlowForCrawls()
    authorizer, scope = (
        Authorizer(owned(), fetch, FakeClock().clock),
        pull_scope("shop/cart"),
    )
    crawl = asyncio.create_task(authorizer.answer_challenge(CHALLENGE, scope, Grant()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    first, second = (
        as_a_push(authorizer.answer_challenge(CHALLENGE, scope, Grant()))
        for _ in range(2)
    )
    granted = [await first, await second]
    fetch.may_answer.set()
    await crawl

    # One for the crawl, and one for both pushes.
    assert fetch.fetched == [False, True]
    assert granted == [Grant(Secret("Bearer t2"), is_new=True)] * 2


async def test_a_push_does_not_wait_for_the_first_request_of_a_crawl() -> None:
    authorizer, scope = signing_in(), pull_scope("shop/cart")
    first = await authorizer.grant(scope)

    push = await as_a_push(authorizer.grant(scope))

    assert first.ahead_for
    assert push == Grant()
