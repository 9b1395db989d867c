"""The client of Harbor over handlers: who it says that it is, where, and what it makes
of refusals."""

from collections.abc import Callable

import httpx
import pytest
from prometheus_client import Gauge

from support.fake_clock import FakeClock
from support.handler_connections import HandlerConnections
from support.registry_client import IDENTITY, OWNER, REGISTRY_URL, an_endpoint
from weighbridge.domain.image.digest import digest_of
from weighbridge.errors import (
    AuthError,
    DocumentError,
    ListingError,
    NotFound,
    RegistryError,
)
from weighbridge.registry.kinds.harbor.harbor_registry import (
    HarborRegistry,
    open_harbor_api,
)
from weighbridge.registry.login.credentials import Credential
from weighbridge.telemetry import Telemetry

Answering = Callable[[httpx.Request], httpx.Response]


class Asking:
    """A client of Harbor, and what its API and its registry were asked."""

    def __init__(
        self, answering: Answering, credential: Credential | None, telemetry: Telemetry
    ) -> None:
        self.api, self.connections = (HandlerConnections(answering) for _ in range(2))
        self.telemetry, time = telemetry, FakeClock()
        endpoint = an_endpoint(credential=credential)
        listings = open_harbor_api(endpoint, self.api, self.telemetry, time.clock)
        self.harbor = HarborRegistry(
            endpoint, self.connections, self.telemetry, time.clock, listings
        )

    async def repositories(self) -> list[str]:
        return [
            name async for page in self.harbor.repositories() for name in page.names
        ]

    async def tags(self, repository: str) -> list[str]:
        pages = self.harbor.tags(repository)
        return [tag.name async for page in pages for tag in page.tags]


def asking(
    answering: Answering,
    credential: Credential | None = OWNER,
    telemetry: Telemetry | None = None,
) -> Asking:
    return Asking(answering, credential, telemetry or Telemetry())


def a_list(*entries: object) -> httpx.Response:
    fields = {"x-total-count": str(len(entries))}
    return httpx.Response(200, json=list(entries), headers=fields)


def a_quota(name: str) -> dict[str, object]:
    return {"ref": {"name": name}, "used": {"storage": 5}, "hard": {"storage": 9}}


def refused(status: int, code: str) -> httpx.Response:
    return httpx.Response(status, json={"errors": [{"code": code, "message": "no"}]})


def answers(**by_path: httpx.Response) -> Answering:
    """By the last word of the path."""

    def answer(request: httpx.Request) -> httpx.Response:
        return by_path[request.url.path.rpartition("/")[2]]

    return answer


async def test_a_password_is_shown_unasked_with_every_request_to_the_api() -> None:
    ask = asking(
        answers(
            projects=a_list({"name": "shop"}),
            current=refused(412, "PRECONDITION"),
            repositories=a_list({"name": "shop/api"}),
            quotas=refused(403, "FORBIDDEN"),
        )
    )

    assert await ask.repositories() == ["shop/api"]

    assert ask.api.paths == [
        "/api/v2.0/projects?with_detail=false&sort=name&page=1&page_size=100",
        "/api/v2.0/users/current",
        "/api/v2.0/quotas?reference=project&page=1&page_size=100",
        "/api/v2.0/projects/shop/repositories?sort=name&page=1&page_size=100",
    ]
    assert set(ask.api.sent("authorization")) == {OWNER.basic().reveal()}
    assert ask.connections.requests == []
    assert ask.harbor.cost.by_operation == {"bulk": 3, "token": 1}


@pytest.mark.parametrize("credential", [None, IDENTITY], ids=["nobody", "identity"])
async def test_nobody_shows_nothing_and_is_not_asked_who_he_is(
    credential: Credential | None,
) -> None:
    """Nor does who has only an identity token of docker: it is for token servers."""
    ask = asking(
        answers(projects=a_list({"name": "shop"}), repositories=a_list()), credential
    )

    assert await ask.repositories() == []

    assert ask.api.sent("authorization") == [None, None]


async def test_a_redirect_is_not_followed_to_where_we_would_be_nobody() -> None:
    away = {"location": "https://away.example/projects"}
    ask = asking(answers(projects=httpx.Response(302, headers=away)))

    with pytest.raises(RegistryError):
        await ask.repositories()

    assert [request.url.host for request in ask.api.requests] == ["registry.example"]


async def test_projects_that_nobody_in_particular_sees_are_not_all_projects() -> None:
    """The password is wrong, which Harbor does not say."""
    ask = asking(
        answers(
            projects=a_list({"name": "public"}), current=refused(401, "UNAUTHORIZED")
        )
    )

    with pytest.raises(AuthError) as error:
        await ask.repositories()

    assert error.value.code == "unauthorized"
    assert "'owner'" in error.value.message
    assert "robot$" in error.value.hint


@pytest.mark.parametrize("credential", [OWNER, None])
async def test_no_project_at_all_is_an_error(credential: Credential | None) -> None:
    ask = asking(
        answers(projects=a_list(), current=httpx.Response(200, json={})), credential
    )

    with pytest.raises(ListingError) as error:
        await ask.repositories()

    assert error.value.code == "empty_listing"


async def test_a_project_that_cannot_be_listed_does_not_hide_the_others() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/projects"):
            return a_list({"name": "closed"}, {"name": "shop"})
        if request.url.path.endswith("/current"):
            return refused(412, "PRECONDITION")
        if "/closed/" in request.url.path:
            return refused(403, "FORBIDDEN")
        return a_list({"name": "shop/api"})

    ask, found = asking(answer), list[str]()

    async def read() -> None:
        async for page in ask.harbor.repositories():
            found.extend(page.names)

    with pytest.raises(AuthError) as error:
        await read()

    assert found == ["shop/api"]
    assert error.value.code == "denied"


@pytest.mark.parametrize(
    ("itself", "expected"),
    [
        (refused(404, "NOT_FOUND"), NotFound),
        (refused(401, "UNAUTHORIZED"), AuthError),
        (refused(403, "FORBIDDEN"), AuthError),
        (httpx.Response(200, json={"artifact_count": 3}), ListingError),
        (httpx.Response(200, json=[]), DocumentError),
    ],
)
async def test_an_empty_listing_is_believed_only_if_the_repository_says_so_too(
    itself: httpx.Response, expected: type[Exception]
) -> None:
    ask = asking(answers(artifacts=a_list(), api=itself))

    with pytest.raises(expected):
        await ask.tags("shop/api")


@pytest.mark.parametrize("body", [{"artifact_count": 0}, {}])
async def test_an_empty_repository(body: dict[str, int]) -> None:
    ask = asking(answers(artifacts=a_list(), api=httpx.Response(200, json=body)))

    assert await ask.tags("shop/api") == []


@pytest.mark.parametrize("name", ["api", "UPPER/api", ""])
async def test_a_name_without_a_project_is_not_asked_for(name: str) -> None:
    ask = asking(answers())

    with pytest.raises(NotFound) as error:
        await ask.tags(name)

    assert error.value.code == "name_unknown"
    assert ask.api.requests == []


async def test_of_a_cache_no_document_and_no_blob_is_asked_for() -> None:
    ask = asking(answers(projects=a_list({"name": "hub-cache", "registry_id": 2})))
    name, digest = "hub-cache/library/nginx", digest_of(b"x")

    for question in (
        ask.harbor.get_manifest(name, "latest"),
        ask.harbor.head_manifest(name, "latest"),
        ask.harbor.get_blob(name, digest, 1, 10),
        ask.harbor.get_range(name, digest, 0, 9),
        ask.harbor.blob_length(name, digest),
    ):
        with pytest.raises(DocumentError) as error:
            await question
        assert error.value.code == "proxy_cache"

    assert ask.connections.requests == []
    assert ask.api.paths == [
        "/api/v2.0/projects?name=hub-cache&with_detail=false&sort=name"
        "&page=1&page_size=100"
    ]


async def test_a_project_that_is_not_listed_is_asked_at_the_registry() -> None:
    """The listing finds names that hold what is asked for."""
    found = a_list({"name": "my-shop", "registry_id": 2})

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.startswith("/v2/"):
            return httpx.Response(200, content=b"{}")
        return found

    ask = asking(answer)

    answered = await ask.harbor.get_manifest("shop/api", "latest")

    assert answered.digest == digest_of(b"{}")
    assert ask.connections.paths == ["/v2/shop/api/manifests/latest"]
    assert ask.connections.requests[0].url.host in REGISTRY_URL


async def test_a_404_that_is_not_harbor_s_says_nothing_of_the_repository() -> None:
    """A proxy that passes on `/v2/` alone has a page of its own for the rest."""
    ask = asking(lambda _: httpx.Response(404, html="<h1>404 Not Found</h1>"))

    with pytest.raises(ListingError) as caught:
        await ask.tags("shop/api")

    assert caught.value.code == "not_a_registry"


async def test_a_figure_that_harbor_tells_no_more_is_not_shown() -> None:
    def quota(name: str, limit: int) -> dict[str, object]:
        return {
            "ref": {"name": name},
            "used": {"storage": 5},
            "hard": {"storage": limit},
        }

    told = [
        a_list(quota("shop", 9), quota("old", 8)),
        a_list(quota("shop", -1)),
        httpx.Response(500, content="no"),
    ]
    by_path = answers(
        projects=a_list({"name": "shop"}),
        current=refused(412, "PRECONDITION"),
        repositories=a_list({"name": "shop/api"}),
    )

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/quotas"):
            return told.pop(0) if len(told) > 1 else told[0]
        return by_path(request)

    ask = asking(answer)

    def shown(gauge: Gauge) -> dict[str, float]:
        (family,) = gauge.collect()
        return {one.labels["project"]: one.value for one in family.samples}

    of = ask.telemetry
    await ask.repositories()
    assert shown(of.project_quota_used) == {"shop": 5, "old": 5}
    assert shown(of.project_quota_limit) == {"shop": 9, "old": 8}
    await ask.repositories()
    assert shown(of.project_quota_used) == {"shop": 5}
    assert shown(of.project_quota_limit) == {}
    assert await ask.repositories() == ["shop/api"]
    assert ask.harbor.project_quotas is None
    assert shown(of.project_quota_used) == {}


async def test_a_later_client_hides_the_figures_that_an_earlier_one_has_shown() -> None:
    """A client lives for minutes, and the next crawl may have another one."""
    told = {"quotas": a_list({"ref": {"name": "shop"}, "used": {"storage": 5}})}
    by_path = {
        "projects": a_list({"name": "shop"}),
        "current": refused(412, "PRECONDITION"),
        "repositories": a_list({"name": "shop/api"}),
    }
    telemetry = Telemetry()
    telemetry.project_quota_used.labels("other", "shop").set(7)

    def shown() -> dict[tuple[str, str], float]:
        (family,) = telemetry.project_quota_used.collect()
        return {
            (one.labels["registry"], one.labels["project"]): one.value
            for one in family.samples
        }

    earlier = asking(answers(**by_path, **told), telemetry=telemetry)
    await earlier.repositories()
    before = shown()
    later = asking(
        answers(**by_path, quotas=refused(403, "FORBIDDEN")), telemetry=telemetry
    )
    await later.repositories()

    assert before == {("other", "shop"): 7, (an_endpoint().name, "shop"): 5}
    assert shown() == {("other", "shop"): 7}


async def test_a_quota_that_cannot_be_read_does_not_end_their_list() -> None:
    """A page with one of these has as many entries as any other."""
    pages = {
        "1": a_list({"ref": None}, *(a_quota(f"p{n}") for n in range(99))),
        "2": a_list(a_quota("last")),
    }
    by_path = answers(
        projects=a_list({"name": "shop"}),
        current=refused(412, "PRECONDITION"),
        repositories=a_list({"name": "shop/api"}),
    )

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/quotas"):
            return pages[request.url.params["page"]]
        return by_path(request)

    ask = asking(answer)
    await ask.repositories()

    assert ask.harbor.project_quotas is not None
    assert [quota.project for quota in ask.harbor.project_quotas][-1] == "last"
