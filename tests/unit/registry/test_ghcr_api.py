"""Listings of GitHub's API: how its pages are read, and what its refusals mean."""

import json
from collections.abc import Callable

import httpx
import pytest

from support.fake_clock import START
from support.ghcr_client import API, asking_github
from support.registry_client import IDENTITY, OWNER, an_endpoint
from weighbridge.config import RegistrySettings
from weighbridge.config.registries.registry_settings import AuthSettings
from weighbridge.domain.text.printable import Secret
from weighbridge.errors import (
    AuthError,
    ListingError,
    NotFound,
    RateLimited,
    RegistryError,
)
from weighbridge.registry.exchange.endpoint import KindAccess
from weighbridge.registry.kinds.ghcr.ghcr_kind import GHCRSettings
from weighbridge.registry.kinds.ghcr.ghcr_registry import (
    API_REQUESTS_PER_SECOND,
    open_ghcr,
)
from weighbridge.registry.pacing.rate_limiter import Clock
from weighbridge.telemetry import Telemetry

PATH = "/orgs/acme/packages/container/app/versions"
QUERY = "?state=active&per_page=100&page="
Handler = Callable[[httpx.Request], httpx.Response]


def a_row(number: int, *tags: str) -> dict[str, object]:
    name = f"sha256:{number:064x}"
    return {"name": name, "metadata": {"container": {"tags": list(tags)}}}


def page_of(request: httpx.Request) -> int:
    return int(request.url.params["page"])


def link_to(number: int, last: int, host: str = API) -> dict[str, str]:
    """As GitHub writes it: of the organisation's number, not of its name."""
    url = f"{host}/organizations/9919/packages/container/app/versions?per_page=100"
    pages = {"prev": number - 1, "next": number + 1, "last": last, "first": 1}
    if number == last:
        return {}
    return {
        "link": ", ".join(f'<{url}&page={n}>; rel="{r}"' for r, n in pages.items() if n)
    }


def in_pages(*pages: list[dict[str, object]]) -> Handler:
    def handler(request: httpx.Request) -> httpx.Response:
        number = page_of(request)
        headers = link_to(number, len(pages))
        return httpx.Response(200, json=pages[number - 1], headers=headers)

    return handler


async def test_one_page_is_asked_once_with_the_token_and_what_github_wants() -> None:
    ask = asking_github(in_pages([a_row(1, "a"), a_row(2)]), credential=OWNER)

    assert await ask.tags() == ["a"]
    (request,) = ask.api.requests
    assert ask.api.paths == [f"{PATH}{QUERY}1"]
    assert request.headers["authorization"] == "Bearer correct horse"
    assert request.headers["accept"] == "application/vnd.github+json"
    assert request.headers["x-github-api-version"] == "2022-11-28"
    assert ask.registry.requests == []


async def test_each_page_is_asked_once_the_first_and_then_from_the_last() -> None:
    pages = in_pages([a_row(4, "d")], [a_row(3), a_row(2)], [a_row(1, "a")])
    ask = asking_github(pages)

    assert await ask.tags() == ["a", "d"]
    assert ask.api.paths == [f"{PATH}{QUERY}{n}" for n in (1, 3, 2)]


async def test_many_pages_without_any_tag_are_no_loop() -> None:
    pages = [[a_row(n)] for n in range(99)]

    assert await asking_github(in_pages(*pages)).tags() == []


@pytest.mark.parametrize("name", ["tools/cli", "a.b_c"])
async def test_a_slash_in_a_name_is_encoded(name: str) -> None:
    ask = asking_github(in_pages([a_row(1, "a")]))

    await ask.tags(f"acme/{name}")

    path = ask.api.paths[0].partition("?")[0]
    encoded = name.replace("/", "%2F")
    assert path == f"/orgs/acme/packages/container/{encoded}/versions"


async def test_an_enterprise_server_has_its_api_below_a_path() -> None:
    pages = in_pages([a_row(1, "a")])
    ask = asking_github(
        pages, api_url="https://github.corp.example", owners={"octo": "users"}
    )

    await ask.tags("octo/app")

    assert ask.api.paths == [
        f"/api/v3/users/octo/packages/container/app/versions{QUERY}1"
    ]


async def test_a_deletion_while_pages_are_read_is_seen_by_what_comes_twice() -> None:
    """Page 3 has been read when a version before it goes: the first of page 3 moves to
    the end of page 2."""
    pages = in_pages([a_row(5, "e")], [a_row(4), a_row(3, "c")], [a_row(3, "c")])

    with pytest.raises(ListingError) as broken:
        await asking_github(pages).tags()

    assert (broken.value.code, broken.value.retryable) == ("listing_changed", True)


@pytest.mark.parametrize("last", [100, 101, 5_000])
async def test_a_listing_that_may_be_cut_at_10_000_is_left_to_the_registry(
    last: int,
) -> None:
    def api(request: httpx.Request) -> httpx.Response:
        assert page_of(request) == 1
        return httpx.Response(200, json=[a_row(1, "a")], headers=link_to(1, last))

    def registry(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/v2/acme/app/tags/list"
        return httpx.Response(200, json={"name": "acme/app", "tags": ["a", "b"]})

    ask = asking_github(api, registry)

    assert await ask.tags() == ["a", "b"]
    assert len(ask.api.requests) == 1


@pytest.mark.parametrize(
    "host",
    ["https://evil.example", "http://api.github.com", "https://u@api.github.com"],
)
async def test_a_link_elsewhere_is_refused(host: str) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=[a_row(1, "a")], headers=link_to(1, 2, host))

    ask = asking_github(handler, credential=OWNER)

    for listing in (ask.tags, ask.repositories):
        with pytest.raises(RegistryError) as refused:
            await listing()
        assert refused.value.code in ("link_refused", "empty_listing")
    assert {r.url.host for r in ask.api.requests} == {"api.github.com"}


async def test_a_next_page_without_the_number_of_the_last_is_refused() -> None:
    link = f'<{API}/x?page=2>; rel="next"'
    ask = asking_github(lambda _: httpx.Response(200, json=[], headers={"link": link}))

    with pytest.raises(ListingError) as refused:
        await ask.tags()

    assert refused.value.code == "link_refused"


async def test_a_package_without_versions_is_doubted() -> None:
    with pytest.raises(ListingError) as doubted:
        await asking_github(in_pages([])).tags()

    assert doubted.value.retryable


async def test_an_owner_without_packages_may_be_one_that_shows_none() -> None:
    ask = asking_github(lambda _: httpx.Response(200, json=[]))

    with pytest.raises(ListingError) as refused:
        await ask.repositories()

    assert refused.value.code == "empty_listing"
    assert "read:packages" in refused.value.hint


async def test_what_the_api_does_not_show_is_asked_of_the_registry() -> None:
    missing = httpx.Response(404, json={"message": "Package not found."})
    unknown = {"errors": [{"code": "NAME_UNKNOWN", "message": "no such name"}]}
    ask = asking_github(lambda _: missing, lambda _: httpx.Response(404, json=unknown))

    with pytest.raises(NotFound) as gone:
        await ask.tags()

    assert gone.value.code == "name_unknown"
    assert "read:packages" in gone.value.hint


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (httpx.Response(401, json={"message": "Bad credentials"}), "unauthorized"),
        (
            httpx.Response(403, json={"message": "Resource protected by SAML."}),
            "denied",
        ),
        # A token of an app or of Actions: github.com/cli/cli/issues/9606
        (httpx.Response(400, json={"message": "Invalid argument."}), "denied"),
        (
            httpx.Response(
                200,
                json=[a_row(1, "a")],
                headers={"x-github-sso": "partial-results; organizations=21955855"},
            ),
            "denied",
        ),
    ],
    ids=["401", "403", "400", "single sign-on"],
)
async def test_a_token_that_is_not_enough_is_said_with_what_is(
    answer: httpx.Response, code: str
) -> None:
    ask = asking_github(lambda _: answer, credential=OWNER)

    for listing in (ask.tags, ask.repositories):
        with pytest.raises(AuthError) as refused:
            await listing()
        assert refused.value.code == code
        assert "classic personal access token" in refused.value.hint
        assert "correct horse" not in refused.value.message + refused.value.hint
    assert len(ask.api.requests) == 2


SECONDARY = "You have exceeded a secondary rate limit."


@pytest.mark.parametrize(
    ("status", "words", "fields", "wait_s"),
    [
        (403, "API rate limit exceeded for user ID 7.", {"reset": 90}, 90),
        (429, "API rate limit exceeded for user ID 7.", {"reset": 90}, 90),
        (403, SECONDARY, {"retry": 45}, 45),
        (429, SECONDARY, {"retry": 45}, 45),
        (403, SECONDARY, {}, 60),
        (429, SECONDARY, {}, 60),
        (403, "You have triggered an abuse detection mechanism.", {}, 60),
    ],
)
async def test_a_limit_in_github_s_form_is_waited_for(
    status: int, words: str, fields: dict[str, int], wait_s: int
) -> None:
    headers = {"x-ratelimit-limit": "5000", "x-ratelimit-remaining": "4000"}
    if "reset" in fields:
        at = int(START.timestamp()) + fields["reset"]
        headers |= {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(at)}
    if "retry" in fields:
        headers["retry-after"] = str(fields["retry"])
    refused = [httpx.Response(status, json={"message": words}, headers=headers)]
    pages = in_pages([a_row(1, "a")])
    ask = asking_github(lambda r: refused.pop() if refused else pages(r))
    began = ask.time.clock.monotonic()

    assert await ask.tags() == ["a"]

    waited = ask.time.clock.monotonic() - began
    assert wait_s - 1 <= waited <= wait_s + 5
    assert ask.github.cost.throttled == 1


@pytest.mark.parametrize("prefix", ["x-ratelimit", "ratelimit"])
async def test_the_limit_of_the_api_is_told_as_github_writes_it(prefix: str) -> None:
    at = int(START.timestamp()) + 2_400
    said = {"limit": "5000", "remaining": "4987", "reset": str(at)}
    headers = {f"{prefix}-{name}": value for name, value in said.items()}
    pages = in_pages([a_row(1, "a")])

    def answer(request: httpx.Request) -> httpx.Response:
        page = pages(request)
        page.headers.update(headers)
        return page

    ask = asking_github(answer)
    await ask.tags()
    told = ask.github.rate_limit

    if prefix == "ratelimit":
        assert told is None
    else:
        assert told is not None
        assert (told.limit, told.remaining) == (5_000, 4_987)


async def test_a_limit_that_ends_in_an_hour_ends_the_crawl() -> None:
    at = int(START.timestamp()) + 3_000
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(at)}
    body = {"message": "API rate limit exceeded for user ID 7."}
    ask = asking_github(lambda _: httpx.Response(403, json=body, headers=headers))

    with pytest.raises(RateLimited) as limited:
        await ask.tags()

    assert limited.value.retry_after == 15 * 60
    assert len(ask.api.requests) == 1


async def test_a_redirect_leaves_the_token_at_its_host() -> None:
    """A renamed organisation is one."""

    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.host == "elsewhere.example":
            return httpx.Response(200, content=json.dumps([a_row(1, "a")]))
        place = "https://elsewhere.example/versions?page=1"
        return httpx.Response(301, headers={"location": place})

    ask = asking_github(handler, credential=OWNER)

    await ask.tags()

    shown = [(r.url.host, r.headers.get("authorization")) for r in ask.api.requests]
    assert shown == [
        ("api.github.com", "Bearer correct horse"),
        ("elsewhere.example", None),
    ]


def packages(request: httpx.Request) -> httpx.Response:
    """Two pages of acme's, none of another owner's."""
    if not request.url.path.startswith("/orgs/acme/"):
        return httpx.Response(404, json={"message": "Not Found"})
    number = page_of(request)
    name = f"app{number}"
    row = {"name": name, "package_type": "container", "owner": {"login": "Acme"}}
    link = f'<{API}/organizations/9/packages?package_type=container&page=2>; rel="next"'
    headers = {"link": link} if number == 1 else {}
    return httpx.Response(200, json=[row], headers=headers)


async def test_packages_are_found_page_by_page() -> None:
    ask = asking_github(packages)

    assert await ask.repositories() == ["acme/app1", "acme/app2"]
    query = "/orgs/acme/packages?package_type=container&per_page=100&page="
    assert ask.api.paths == [f"{query}1", f"{query}2"]


async def test_an_owner_that_is_not_found_keeps_no_other_from_being_listed() -> None:
    ask = asking_github(packages, owners={"gone": "users", "acme": "orgs"})
    found: list[str] = []

    async def read() -> None:
        async for page in ask.github.repositories():
            found.extend(page.names)

    with pytest.raises(NotFound):
        await read()

    assert found == ["acme/app1", "acme/app2"]


async def test_without_owners_it_is_said_what_to_write() -> None:
    ask = asking_github(registry=lambda _: httpx.Response(401), owners={})

    with pytest.raises(ListingError) as nothing:
        await ask.repositories()

    assert nothing.value.code == "no_namespaces"
    assert "organizations" in nothing.value.hint


CHALLENGE = (
    'Bearer realm="https://registry.example/token",service="ghcr.io",'
    'scope="repository:user/image:pull"'
)


async def test_a_ping_without_credentials_asks_for_no_token() -> None:
    answer = httpx.Response(401, headers={"www-authenticate": CHALLENGE})
    ask = asking_github(registry=lambda _: answer)

    await ask.github.ping()

    assert ask.registry.paths == ["/v2/"]


async def test_the_api_is_never_shown_an_identity_token_of_docker() -> None:
    ask = asking_github(in_pages([a_row(1, "a")]), credential=IDENTITY)

    assert await ask.tags() == ["a"]

    assert ask.api.sent("authorization") == [None]


async def test_the_scope_of_the_challenge_to_a_ping_is_never_asked_for() -> None:
    def registry(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/token":
            return httpx.Response(200, json={"token": "djE6Z28"})
        if request.headers.get("authorization") == "Bearer djE6Z28":
            return httpx.Response(200, json={"name": "acme/app", "tags": ["a"]})
        return httpx.Response(401, headers={"www-authenticate": CHALLENGE})

    ask = asking_github(registry=registry, credential=OWNER, owners={})

    await ask.github.ping()
    await ask.tags()

    tokens = [r.url for r in ask.registry.requests if r.url.path == "/token"]
    assert [dict(url.params) for url in tokens] == [
        {"service": "ghcr.io"},
        {"service": "ghcr.io", "scope": "repository:acme/app:pull"},
    ]


def an_access(rates: list[float | None], settings: RegistrySettings) -> KindAccess:
    def gate_of(part: str, most_per_second: float | None = None, /) -> None:
        rates.append(most_per_second)

    return KindAccess(Telemetry(), Clock(), gate_of, settings=settings)


@pytest.mark.parametrize(
    ("url", "api_url", "rate"),
    [
        ("https://ghcr.io", None, API_REQUESTS_PER_SECOND),
        ("https://containers.corp.ghe.com", None, API_REQUESTS_PER_SECOND),
        ("https://r.example", "https://corp.example", None),
    ],
)
async def test_the_api_is_asked_no_more_often_than_github_allows(
    url: str, api_url: str | None, rate: float | None
) -> None:
    auth = AuthSettings(username="bot", password=Secret("x"))
    settings = GHCRSettings(
        name="g", kind="ghcr", auth=auth, users=("octo",), url=url, api_url=api_url
    )
    rates: list[float | None] = []

    opened = open_ghcr(
        an_endpoint(url=url, credential=OWNER), an_access(rates, settings)
    )
    await opened.aclose()

    assert rates == [rate]
