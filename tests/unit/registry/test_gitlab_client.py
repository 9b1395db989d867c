"""What GitLab's two hosts are asked, in which order, and with what."""

import asyncio
import json
from collections.abc import Callable

import httpx
import pytest

from support.gitlab_client import API, asking_gitlab
from support.registry_client import (
    IDENTITY,
    OWNER,
    REGISTRY_URL,
    error_answer,
    json_answer,
)
from weighbridge.domain.text.printable import Secret
from weighbridge.errors import (
    AuthError,
    DocumentError,
    ListingError,
    NotFound,
    RateLimited,
    RegistryError,
)
from weighbridge.registry.kinds.gitlab.gitlab_api import Listed
from weighbridge.registry.kinds.gitlab.gitlab_registry import api_credential
from weighbridge.registry.login.credentials import Credential

TOKEN = Credential(token=Secret("glpat-canary"))
ONE = f"sha256:{'1' * 64}"
OWN = "/gitlab/v1/repositories/acme/shop/api/tags/list/?n=1000"
Handler = Callable[[httpx.Request], httpx.Response]


def own_page(*names: str, link: str = "") -> httpx.Response:
    body = json.dumps([{"name": name, "digest": ONE} for name in names])
    return json_answer(body, link=link) if link else json_answer(body)


def repositories(*paths: str, **headers: str) -> httpx.Response:
    entries = [{"id": n + 7, "project_id": 3, "path": p} for n, p in enumerate(paths)]
    return json_answer(json.dumps(entries), **headers)


def without_database(request: httpx.Request) -> httpx.Response:
    """The registry has no list of its own; by the protocol it has one tag."""
    if request.url.path.startswith("/gitlab/"):
        return httpx.Response(404)
    return json_answer('{"name":"acme/shop/api","tags":["plain"]}')


def graph_page(start: int, count: int, cursor: str | None) -> httpx.Response:
    nodes = [{"name": f"t{n:03}", "digest": ONE} for n in range(start, start + count)]
    info = {"hasNextPage": cursor is not None, "endCursor": cursor}
    tags = {"nodes": nodes, "pageInfo": info}
    return json_answer(
        json.dumps({"data": {"containerRepository": {"tagsCount": 21, "tags": tags}}})
    )


async def test_the_registry_s_own_list_is_asked_a_thousand_a_page() -> None:
    following = f"{REGISTRY_URL}{OWN}&last=b"
    before = f"{REGISTRY_URL}{OWN}&before=a"

    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.params.get("last") == "b":
            return own_page("c", link=f'<{before}>; rel="previous"')
        return own_page("a", "b", link=f'<{following}>; rel="next"')

    ask = asking_gitlab(registry=handler)

    assert await ask.tags() == ["a", "b", "c"]
    assert ask.of_registry.paths == [OWN, f"{OWN}&last=b"]


def test_the_api_is_shown_a_person_s_password_and_no_identity_token() -> None:
    person = Credential("ann", TOKEN.token)

    assert api_credential(None, person) == TOKEN
    assert api_credential(None, IDENTITY) is None
    assert api_credential(TOKEN.token, IDENTITY) == TOKEN


async def test_whether_there_is_such_a_list_is_asked_once() -> None:
    ask = asking_gitlab(registry=without_database, has_api=False)

    for _ in range(3):
        assert await ask.tags() == ["plain"]

    assert ask.of_registry.paths == [OWN, *["/v2/acme/shop/api/tags/list?n=1000"] * 3]


@pytest.mark.parametrize("status", [400, 404, 405, 501])
async def test_a_registry_without_that_list_is_read_by_the_protocol(
    status: int,
) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        made = without_database(request)
        return made if made.status_code == 200 else httpx.Response(status)

    assert await asking_gitlab(registry=handler, has_api=False).tags() == ["plain"]


async def test_what_passes_is_no_sign_that_the_list_is_not_there() -> None:
    answers = iter([httpx.Response(503)] * 5 + [own_page("a")])
    ask = asking_gitlab(registry=lambda _: next(answers))

    with pytest.raises(Exception, match="503"):
        await ask.tags()
    assert await ask.tags() == ["a"]


async def test_a_repository_that_the_registry_does_not_know_is_not_found() -> None:
    ask = asking_gitlab(registry=lambda _: error_answer(404, "NAME_UNKNOWN"))

    for _ in range(2):
        with pytest.raises(NotFound) as missing:
            await ask.tags()
        assert missing.value.code == "name_unknown"
    assert ask.of_registry.paths == [OWN, OWN]


async def test_a_list_that_is_withdrawn_says_nothing_of_the_repository() -> None:
    answers = iter([own_page("a"), httpx.Response(404), own_page("b")])
    ask = asking_gitlab(registry=lambda _: next(answers))
    await ask.tags()

    with pytest.raises(ListingError) as broken:
        await ask.tags()

    assert broken.value.code == "not_found"
    assert await ask.tags() == ["b"]


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/gitlab/v1/x",
        f"{REGISTRY_URL}/gitlab/v1/repositories/other/tags/list/?n=1000&last=a",
        f"{REGISTRY_URL.replace('https', 'http')}{OWN}&last=a",
    ],
)
async def test_a_next_page_elsewhere_is_not_asked_for(link: str) -> None:
    ask = asking_gitlab(registry=lambda _: own_page("a", link=f'<{link}>; rel="next"'))

    with pytest.raises(ListingError) as refused:
        await ask.tags()

    assert refused.value.code == "link_refused"
    assert len(ask.of_registry.requests) == 1


async def test_a_page_that_comes_again_ends_the_listing() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        last = f"{request.url.params.get('last', '')}x"
        return own_page("a", link=f'<{OWN}&last={last}>; rel="next"')

    with pytest.raises(ListingError) as refused:
        await asking_gitlab(registry=handler).tags()

    assert refused.value.code == "pagination_loop"


async def test_groups_and_projects_are_asked_with_their_paths_in_one_piece() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if b"/groups/" in request.url.raw_path:
            return repositories("acme/tools/a", "acme/tools/a/b")
        return repositories("beta/c")

    listed = (Listed("groups", "acme/tools"), Listed("projects", "Beta/c"))
    ask = asking_gitlab(handler, token=TOKEN, credential=OWNER, listed=listed)

    found = [n async for page in ask.registry.repositories() for n in page.names]

    assert found == ["acme/tools/a", "acme/tools/a/b", "beta/c"]
    tail = "/registry/repositories?per_page=100&page=1"
    assert ask.of_api.paths == [
        f"/api/v4/groups/acme%2Ftools{tail}",
        f"/api/v4/projects/Beta%2Fc{tail}",
    ]
    assert ask.of_api.sent("private-token") == ["glpat-canary"] * 2
    assert ask.of_api.sent("authorization") == [None] * 2


async def test_pages_of_repositories_are_followed_by_their_number() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.params["page"] == "1":
            return repositories("acme/a", x_total="2", x_next_page="2")
        return repositories("acme/b", x_total="2", x_next_page="")

    ask = asking_gitlab(handler)

    listing = ask.api.repositories(Listed("groups", "acme"))
    assert [name async for page in listing for name in page.names] == [
        "acme/a",
        "acme/b",
    ]


@pytest.mark.parametrize(
    ("first", "second", "code"),
    [
        ("3", "3", "listing_changed"),
        ("3", "2", "listing_changed"),
        ("", "x", "invalid_listing"),
    ],
)
async def test_pages_of_repositories_that_do_not_add_up_are_doubted(
    first: str, second: str, code: str
) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.params["page"] == "1":
            return repositories("acme/a", x_total=first, x_next_page="2")
        following = "no number" if second == "x" else ""
        return repositories("acme/b", x_total=second, x_next_page=following)

    listing = asking_gitlab(handler).api.repositories(Listed("groups", "acme"))

    with pytest.raises((ListingError, DocumentError)) as doubted:
        _ = [page async for page in listing]
    assert doubted.value.code == code


async def test_a_group_without_repositories_is_an_error_after_the_others() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        return repositories(*(["beta/a"] if b"beta" in request.url.raw_path else []))

    listed = (Listed("groups", "acme"), Listed("groups", "beta"))
    found = asking_gitlab(handler, listed=listed).registry.repositories()

    assert (await anext(found)).names == ()
    assert (await anext(found)).names == ("beta/a",)
    with pytest.raises(ListingError) as empty:
        await anext(found)
    assert empty.value.code == "empty_listing"
    assert "acme" in empty.value.message


async def test_without_groups_the_catalog_is_asked_and_closed_to_most() -> None:
    ask = asking_gitlab(registry=lambda _: error_answer(401, "UNAUTHORIZED"))

    with pytest.raises(ListingError) as refused:
        _ = [page async for page in ask.registry.repositories()]

    assert refused.value.code == "no_namespaces"
    assert "groups" in refused.value.hint


async def test_graphql_is_asked_for_no_more_than_it_shows() -> None:
    """`first: 100` would be answered by twenty and a cursor beyond the hundredth."""

    def handler(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return repositories("acme/shop/api")
        after = json.loads(request.content)["variables"].get("after")
        return graph_page(0, 20, "MjA=+&") if after is None else graph_page(20, 1, None)

    ask = asking_gitlab(handler, without_database, token=TOKEN)

    assert len(await ask.tags()) == 21
    _, *posts = ask.of_api.requests
    assert [str(post.url) for post in posts] == [f"{API}/api/graphql"] * 2
    sent = [json.loads(post.content) for post in posts]
    assert all("tags(first: 20, after: $after)" in body["query"] for body in sent)
    gid = "gid://gitlab/ContainerRepository/7"
    assert [body["variables"] for body in sent] == [
        {"id": gid},
        {"id": gid, "after": "MjA=+&"},
    ]
    assert ask.of_api.sent("private-token") == ["glpat-canary"] * 3


async def test_a_gitlab_below_a_path_is_asked_below_it_alone() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return repositories("acme/shop/api")
        after = json.loads(request.content)["variables"].get("after")
        return graph_page(0, 20, "MjA=") if after is None else graph_page(20, 1, None)

    url = f"{API}/gitlab"
    ask = asking_gitlab(handler, without_database, token=TOKEN, api_url=url)

    assert len(await ask.tags()) == 21
    listing, *graph = [str(request.url) for request in ask.of_api.requests]
    assert listing.startswith(f"{url}/api/v4/projects/")
    assert graph == [f"{url}/api/graphql"] * 2


async def test_graphql_with_fewer_tags_than_it_counts_is_doubted() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return repositories("acme/shop/api")
        return graph_page(0, 20, None)

    with pytest.raises(ListingError) as doubted:
        await asking_gitlab(handler, without_database).tags()

    assert doubted.value.code == "listing_changed"


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(404, content="<html>", headers={"content-type": "text/html"}),
        json_answer('{"errors":[{"message":"Field does not exist"}]}'),
    ],
)
async def test_where_there_is_no_graphql_rest_is_asked(answer: httpx.Response) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return answer
        if request.url.path.endswith("/tags"):
            return json_answer('[{"name":"a"}]')
        return repositories("acme/shop/api")

    ask = asking_gitlab(handler, without_database)

    assert await ask.tags() == ["a"]
    assert await ask.tags() == ["a"]
    tags = "/api/v4/projects/3/registry/repositories/7/tags?per_page=100"
    assert ask.of_api.paths[1:] == ["/api/graphql", tags, tags]


async def test_a_name_s_project_is_found_from_its_beginning_and_once() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return graph_page(0, 21, None)
        if b"/projects/acme%2Fshop/" in request.url.raw_path:
            return repositories("acme/shop/api/v1", "acme/shop/api")
        return httpx.Response(404, json={"message": "404 Project Not Found"})

    ask = asking_gitlab(handler, without_database)
    await ask.tags("acme/shop/api")
    await ask.api.find_place("acme/shop/api/v1")
    asked = len(ask.of_api.requests)

    for _ in range(2):
        assert await ask.api.find_place("other/a/b") is None

    assert len(ask.of_api.requests) - asked == 2


async def test_a_repository_that_the_api_no_longer_shows_is_asked_of_the_registry() -> (
    None
):
    """Only the registry says that it is gone."""

    def handler(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return json_answer('{"data":{"containerRepository":null}}')
        return repositories("acme/shop/api")

    assert await asking_gitlab(handler, without_database).tags() == ["plain"]


async def test_a_refused_token_is_shown_once_and_told() -> None:
    ask = asking_gitlab(
        lambda _: httpx.Response(401, json={"message": "401 Unauthorized"}),
        without_database,
        token=TOKEN,
    )

    for _ in range(3):
        with pytest.raises(AuthError) as refused:
            await ask.tags()

    assert len(ask.of_api.requests) == 1
    assert "read_api" in refused.value.hint
    assert "canary" not in str(refused.value)


async def test_a_page_that_leads_to_another_host_is_no_listing() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.host == "lab.example":
            return httpx.Response(302, headers={"location": "https://evil.example/x"})
        return repositories("acme/shop/api")

    ask = asking_gitlab(handler, token=TOKEN)

    with pytest.raises(RegistryError):
        _ = [page async for page in ask.api.repositories(Listed("groups", "acme"))]

    hosts = [request.url.host for request in ask.of_api.requests]
    assert hosts == ["lab.example"]


async def test_the_password_goes_to_no_token_server_but_gitlab_s() -> None:
    challenge = 'Bearer realm="https://evil.example/jwt/auth",service="x"'

    def handler(request: httpx.Request) -> httpx.Response:
        answer = error_answer(401, "UNAUTHORIZED")
        answer.headers["www-authenticate"] = challenge
        return answer

    ask = asking_gitlab(registry=handler, credential=OWNER)

    with pytest.raises(AuthError) as refused:
        await ask.tags()

    assert refused.value.code == "realm_refused"
    assert {request.url.host for request in ask.of_registry.requests} == {
        "registry.example"
    }


async def test_the_end_of_a_limit_that_is_not_reached_is_not_waited_for() -> None:
    """GitLab says it in every answer."""
    said = {
        "ratelimit-limit": "2000",
        "ratelimit-remaining": "1999",
        "ratelimit-reset": "4102444800",
    }
    ask = asking_gitlab(lambda _: httpx.Response(404, headers=said), without_database)

    assert await ask.tags() == ["plain"]
    assert ask.time.sleeps == []
    told = ask.registry.rate_limit
    assert told is not None
    assert (told.limit, told.remaining) == (2_000, 1_999)


async def test_a_429_without_a_time_keeps_away_for_a_minute() -> None:
    answers = iter([httpx.Response(429, content="Retry later\n"), own_page("a")])
    ask = asking_gitlab(registry=lambda _: next(answers))

    assert await ask.tags() == ["a"]
    assert sum(ask.time.sleeps) >= 60


async def test_somebody_without_a_name_may_ask_whether_it_is_there() -> None:
    """GitLab gives no token to those who ask for nothing."""
    ask = asking_gitlab(registry=lambda _: error_answer(403, "DENIED", "forbidden"))
    await ask.registry.ping()

    named = asking_gitlab(
        registry=lambda _: error_answer(403, "DENIED", "forbidden"), credential=OWNER
    )
    with pytest.raises(AuthError):
        await named.registry.ping()


async def test_a_limit_ends_the_listing_of_all_groups() -> None:
    said = {"retry-after": "3600"}
    listed = (Listed("groups", "acme"), Listed("groups", "beta"))
    ask = asking_gitlab(lambda _: httpx.Response(429, headers=said), listed=listed)

    with pytest.raises(RateLimited):
        _ = [page async for page in ask.registry.repositories()]

    assert all(b"acme" in r.url.raw_path for r in ask.of_api.requests)


async def test_many_repositories_learn_from_the_first_what_the_registry_lists() -> None:
    ask = asking_gitlab(
        registry=lambda request: (
            httpx.Response(404)
            if request.url.path.startswith("/gitlab/")
            else json_answer(
                json.dumps({"name": request.url.path[4:-10], "tags": ["plain"]})
            )
        ),
        has_api=False,
    )

    found = await asyncio.gather(*(ask.tags(f"acme/shop/r{n}") for n in range(20)))

    assert found == [["plain"]] * 20
    own = [path for path in ask.of_registry.paths if path.startswith("/gitlab/")]
    assert len(own) == 1
