"""The quota of pulls: read from what is free, never spent beyond what is ours."""

import asyncio
from dataclasses import dataclass, field

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.hub_client import AskingHub, asking_hub
from support.registry_client import error_answer
from weighbridge.domain.image.digest import digest_of
from weighbridge.errors import NotFound, QuotaSpent, RateLimited

MANIFEST = b'{"schemaVersion":2}'
DIGEST = digest_of(MANIFEST)
SPENT = "You have reached your unauthenticated pull rate limit. https://www.docker.com"


@dataclass(slots=True)
class Server:
    """Gives a manifest for each pull that is left; `limit` None says nothing of it."""

    limit: int | None = 100
    left: int = 100
    window: str = ";w=21600"
    pulls: int = 0
    heads: int = 0
    refusals: list[httpx.Response] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "HEAD":
            self.heads += 1
        elif self.refusals:
            return self.refusals.pop()
        else:
            self.pulls += 1
            self.left -= 1
        headers = {"docker-content-digest": DIGEST, "content-type": "text/plain"}
        if self.limit is not None:
            headers["ratelimit-limit"] = f"{self.limit}{self.window}"
            headers["ratelimit-remaining"] = f"{self.left}{self.window}"
        content = b"" if request.method == "HEAD" else MANIFEST
        return httpx.Response(200, content=content, headers=headers)


async def pull(ask: AskingHub, times: int = 1, name: str = "library/app") -> None:
    for _ in range(times):
        await ask.hub.get_manifest(name, DIGEST)


async def test_what_is_left_is_asked_by_head_before_the_first_pull() -> None:
    server = Server(left=60)
    ask = asking_hub(registry=server)

    await pull(ask, 3)

    assert (server.heads, server.pulls) == (1, 3)
    assert ask.registry.requests[0].method == "HEAD"


async def test_no_pull_is_begun_that_would_be_of_what_is_kept() -> None:
    server = Server(left=60)
    ask = asking_hub(registry=server)

    with pytest.raises(QuotaSpent) as spent:
        await pull(ask, 100)

    assert server.left == 50
    assert len(ask.registry.requests) == 11
    assert spent.value.retry_after == 21_600
    assert not spent.value.retryable


async def test_pulls_that_are_under_way_count_as_spent() -> None:
    server = Server(left=55)
    ask = asking_hub(registry=server)

    results = await asyncio.gather(
        *(pull(ask) for _ in range(20)), return_exceptions=True
    )

    assert server.left >= 50
    assert server.pulls + sum(isinstance(r, QuotaSpent) for r in results) == 20


async def test_the_end_of_a_window_is_told_from_the_first_pull() -> None:
    server = Server(left=52)
    ask = asking_hub(registry=server)
    await pull(ask, 2)

    ask.time.advance(1_600)
    with pytest.raises(QuotaSpent) as spent:
        await pull(ask)

    assert spent.value.retry_after == 20_000


async def test_what_others_spent_comes_back_nobody_knows_when() -> None:
    server = Server(left=50)
    ask = asking_hub(registry=server)

    with pytest.raises(QuotaSpent) as spent:
        await pull(ask)

    assert spent.value.retry_after is None
    assert server.pulls == 0


async def test_without_the_headers_there_is_no_limit() -> None:
    server = Server(limit=None)
    ask = asking_hub(registry=server)
    assert ask.hub.has_quota

    await pull(ask, 200)

    assert server.pulls == 200
    assert server.heads == 1
    assert not ask.hub.has_quota


async def test_one_repository_without_a_limit_says_nothing_of_another() -> None:
    server = Server(limit=None)
    ask = asking_hub(registry=server)
    await pull(ask, name="library/free")

    server.limit, server.left = 100, 50
    with pytest.raises(QuotaSpent):
        await pull(ask, name="library/app")
    await pull(ask, name="library/free")

    assert server.pulls == 2
    assert ask.hub.has_quota


async def test_a_limit_that_is_told_late_holds_from_then_on() -> None:
    """An answer out of a cache has no figures."""
    server = Server(limit=None, left=60)
    ask = asking_hub(registry=server)
    await pull(ask)

    server.limit = 100
    with pytest.raises(QuotaSpent):
        await pull(ask, 100)

    assert server.left == 50


async def test_of_two_windows_neither_is_spent_of_what_is_kept() -> None:
    server = Server(left=60)
    ask = asking_hub(registry=server)
    server.window = ";w=21600, 1000;w=86400"  # of the second, 1000 are left

    with pytest.raises(QuotaSpent):
        await pull(ask, 100)

    assert server.left == 50


async def test_a_refusal_without_figures_is_not_asked_for_again_and_again() -> None:
    refusals = [error_answer(429, "TOOMANYREQUESTS", SPENT) for _ in range(9)]
    server = Server(limit=None, refusals=refusals)
    ask = asking_hub(registry=server)

    for _ in range(5):
        with pytest.raises(QuotaSpent):
            await pull(ask)
    assert [r.method for r in ask.registry.requests] == ["HEAD", "GET"]

    server.refusals.clear()
    ask.time.advance(60)
    await pull(ask)
    assert server.pulls == 1


async def test_a_window_that_goes_on_is_noticed() -> None:
    server = Server(left=50)
    ask = asking_hub(registry=server)
    with pytest.raises(QuotaSpent):
        await pull(ask)

    server.left = 100
    await ask.hub.head_manifest("library/app", "latest")
    await pull(ask)

    assert server.pulls == 1


async def test_a_client_that_lives_on_looks_again_before_it_refuses() -> None:
    server = Server(left=51)
    ask = asking_hub(registry=server)
    await pull(ask)
    for _ in range(5):
        with pytest.raises(QuotaSpent):
            await pull(ask)
    assert server.heads == 1

    ask.time.advance(60)
    for _ in range(5):
        with pytest.raises(QuotaSpent):
            await pull(ask)
    assert server.heads == 2
    server.left = 52
    ask.time.advance(60)
    await pull(ask, 2)

    assert (server.heads, server.pulls) == (3, 3)


@pytest.mark.parametrize("message", [SPENT, SPENT.replace("unauthenticated ", "")])
async def test_a_pull_that_the_registry_refuses_ends_it_too(message: str) -> None:
    server = Server(left=60, refusals=[error_answer(429, "TOOMANYREQUESTS", message)])
    ask = asking_hub(registry=server)

    for _ in range(3):
        with pytest.raises(QuotaSpent):
            await pull(ask)

    assert [r.method for r in ask.registry.requests] == ["HEAD", "GET"]


async def test_the_limit_on_abuse_is_waited_for_and_is_not_the_quota() -> None:
    refusal = httpx.Response(429, text="Too Many Requests (HAP429)")
    server = Server(left=60, refusals=[refusal])
    ask = asking_hub(registry=server)

    await pull(ask)

    assert server.pulls == 1
    assert ask.time.sleeps


async def test_an_abuse_that_never_ends_is_rate_limited() -> None:
    refusal = httpx.Response(429, text="Too Many Requests (HAP429)")
    ask = asking_hub(registry=Server(left=60, refusals=[refusal] * 50))

    with pytest.raises(RateLimited) as limited:
        await pull(ask)

    assert limited.value.code == "rate_limited"


async def test_a_manifest_that_is_not_there_costs_a_head() -> None:
    missing = error_answer(404, "MANIFEST_UNKNOWN")
    ask = asking_hub(registry=lambda _: missing)

    with pytest.raises(NotFound):
        await pull(ask)

    assert [r.method for r in ask.registry.requests] == ["HEAD"]


async def test_who_keeps_nothing_asks_at_once() -> None:
    server = Server(left=2)
    ask = asking_hub(registry=server, keep=0.0)

    await pull(ask, 2)
    with pytest.raises(QuotaSpent):
        await pull(ask)

    assert (server.heads, server.pulls) == (0, 2)


async def test_an_official_image_is_asked_for_by_its_whole_name() -> None:
    ask = asking_hub(registry=Server())

    await pull(ask, name="python")

    assert {path.split("/manifests")[0] for path in ask.registry.paths} == {
        "/v2/library/python"
    }


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_header_is_a_figure_or_nothing(limit: str, remaining: str) -> None:
    """Nothing but an answer or QuotaSpent comes of it."""
    headers = [
        (b"docker-content-digest", DIGEST.encode()),
        (b"ratelimit-limit", limit.encode("utf-8", "replace")),
        (b"ratelimit-remaining", remaining.encode("utf-8", "replace")),
    ]

    def handler(request: httpx.Request) -> httpx.Response:
        content = b"" if request.method == "HEAD" else MANIFEST
        return httpx.Response(200, content=content, headers=headers)

    async def once() -> None:
        try:
            await pull(asking_hub(registry=handler))
        except QuotaSpent:
            return

    asyncio.run(once())
