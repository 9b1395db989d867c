"""Listings of Docker Hub's API: page by page, on its own host, to their end."""

import json
from collections.abc import Callable

import httpx
import pytest

from support.hub_client import API, asking_hub, page_asked
from support.registry_client import json_answer
from weighbridge.domain.limits import PAGE_BODY_BYTES
from weighbridge.engine.crawl.registry.after_crawls import answers
from weighbridge.errors import (
    DocumentError,
    ListingError,
    NotFound,
    RegistryError,
    TransportError,
)

TAGS = "/v2/namespaces/library/repositories/python/tags"


def a_page(
    names: list[str], *, more: bool = False, total: int | None = None, link: str = ""
) -> httpx.Response:
    following = link or f"{API}{TAGS}?page=9&page_size=100"
    body = {
        "count": len(names) if total is None else total,
        "next": following if more else None,
        "results": [{"name": name} for name in names],
    }
    return json_answer(json.dumps(body))


def in_pages(*pages: httpx.Response) -> Callable[[httpx.Request], httpx.Response]:
    """Each page by its number."""
    return lambda request: pages[page_asked(request) - 1]


async def names_of(handler: Callable[[httpx.Request], httpx.Response]) -> list[str]:
    listing = asking_hub(handler).listings.tags("library/python")
    return [name async for page in listing for name in page.names]


async def test_pages_of_a_hundred_are_asked_by_their_numbers() -> None:
    pages = in_pages(a_page(["a"], more=True, total=2), a_page(["b"], total=2))
    ask = asking_hub(pages)

    got = [page.names async for page in ask.listings.tags("library/python")]

    assert got == [("a",), ("b",)]
    assert ask.api.paths == [
        f"{TAGS}?page=1&page_size=100",
        f"{TAGS}?page=2&page_size=100",
    ]
    assert ask.api.sent("authorization") == [None, None]


@pytest.mark.parametrize(
    "link",
    [
        "http://127.0.0.1:1/x",
        "https://hub.example.evil/v2/x?page=2",
        "http://hub.example/v2/x?page=2",
        "https://hub.example:8443/v2/x?page=2",
        "https://user@hub.example/v2/x?page=2",
        "//evil.example/x",
        "https://hub.example\\@evil.example/",
        "http://[::1",
    ],
)
async def test_registry_list_003_a_next_elsewhere_ends_the_listing(link: str) -> None:
    ask = asking_hub(in_pages(a_page(["a"], more=True, link=link)))
    pages = ask.listings.tags("library/python")

    first = await anext(pages)
    with pytest.raises(ListingError) as refused:
        await anext(pages)

    assert first.names == ("a",)
    assert refused.value.code == "link_refused"
    assert len(ask.api.requests) == 1


async def test_registry_list_004_a_page_that_comes_again_ends_the_listing() -> None:
    with pytest.raises(ListingError) as refused:
        await names_of(lambda _: a_page(["a", "b"], more=True))

    assert refused.value.code == "pagination_loop"


async def test_a_path_of_its_own_in_next_does_not_lead_there() -> None:
    link = f"{API}/v2/repositories/other/secret/tags?page=2"
    pages = in_pages(a_page(["a"], more=True, link=link), a_page(["b"]))

    assert await names_of(pages) == ["a", "b"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        # Of a b c d: `a` is deleted, `c` moves up to the page that has been read.
        ((["a", "b"], 4), (["d"], 3)),
        # `d` is pushed again: it comes first, and all others come one later.
        ((["a", "b"], 4), (["b", "c"], 4)),
        # Of a b c d e: `e` is pushed again, and another tag that is new.
        ((["a", "b", "c"], 5), (["b", "c", "d"], 6)),
        # `a` is deleted and `d` pushed again.
        ((["a", "b"], 4), (["c"], 3)),
        # The pages come to an end before the entries do.
        ((["a", "b"], 4), ([], 4)),
        (([], 4), ([], 4)),
    ],
    ids=["deleted", "pushed", "pushed two", "both", "too few pages", "nothing at all"],
)
async def test_a_tag_that_moved_to_a_page_that_was_read_is_not_gone(
    first: tuple[list[str], int], second: tuple[list[str], int]
) -> None:
    pages = in_pages(
        a_page(first[0], more=True, total=first[1]), a_page(second[0], total=second[1])
    )

    with pytest.raises(ListingError) as broken:
        await names_of(pages)

    assert broken.value.code == "listing_changed"
    assert broken.value.retryable


async def test_repeated_tags_that_nobody_has_counted_are_doubted() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        number = page_asked(request)
        names = [{"name": "a"}, {"name": "b"}] if number == 1 else [{"name": "b"}]
        following = f"{API}{TAGS}?page=2" if number == 1 else None
        return json_answer(json.dumps({"next": following, "results": names}))

    with pytest.raises(ListingError) as broken:
        await names_of(handler)

    assert broken.value.code == "listing_changed"


async def test_a_new_tag_between_two_pages_only_repeats_another() -> None:
    pages = in_pages(
        a_page(["a", "b"], more=True, total=3), a_page(["b", "c"], total=4)
    )

    assert await names_of(pages) == ["a", "b", "b", "c"]


async def test_a_namespace_may_count_repositories_that_we_do_not_see() -> None:
    body = {"count": 3, "next": None, "results": [{"name": "app"}]}
    ask = asking_hub(lambda _: json_answer(json.dumps(body)), namespaces=("acme",))

    got = [page.names async for page in ask.hub.repositories()]

    assert got == [("acme/app",)]


async def test_registry_list_009_a_second_page_that_fails_leaves_the_first() -> None:
    ask = asking_hub(in_pages(a_page(["a"], more=True), httpx.Response(500)))
    pages = ask.listings.tags("library/python")

    await anext(pages)
    with pytest.raises(ListingError) as broken:
        await anext(pages)

    assert broken.value.code == "registry_error"
    assert broken.value.retryable


async def test_registry_list_007_an_unknown_repository_is_not_found() -> None:
    missing = httpx.Response(404, json={"message": "object not found"})

    with pytest.raises(NotFound):
        await names_of(lambda _: missing)


async def test_registry_list_020_a_page_beyond_the_cap_ends_the_listing() -> None:
    with pytest.raises(ListingError) as broken:
        await names_of(lambda _: json_answer(b" " * (PAGE_BODY_BYTES + 1)))

    assert broken.value.code == "too_large"


async def test_registry_http_018_a_page_for_people_is_no_empty_listing() -> None:
    html = httpx.Response(200, html="<html>Sign in</html>")

    with pytest.raises(RegistryError) as refused:
        await names_of(lambda _: html)

    assert refused.value.code == "not_a_registry"


@pytest.mark.parametrize("header", ["Retry-After", "X-Retry-After"])
async def test_f03_a_time_to_come_back_at_is_kept(header: str) -> None:
    """registry_http-013: Unix time, and a body for people."""
    again_at: dict[str, str] = {}

    def handler(request: httpx.Request) -> httpx.Response:
        if len(ask.api.requests) == 1:
            again_at[header] = str(int(ask.time.clock.now().timestamp()) + 60)
            return httpx.Response(429, headers=again_at, html="<h1>429</h1>")
        return a_page(["a"])

    ask = asking_hub(handler)

    got = [page.names async for page in ask.listings.tags("library/python")]

    assert got == [("a",)]
    assert 59 <= ask.time.elapsed <= 61


async def test_an_api_with_nothing_left_is_not_asked_to_hear_it_once_more() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        number = page_asked(request)
        answer = a_page([f"t{number}"], more=number == 1)
        answer.headers["X-RateLimit-Remaining"] = "0" if number == 1 else "179"
        reset = ask.time.clock.now().timestamp() + 30
        answer.headers["X-RateLimit-Reset"] = str(int(reset))
        return answer

    ask = asking_hub(handler)

    got = [name async for p in ask.listings.tags("library/python") for name in p.names]

    assert got == ["t1", "t2"]
    assert 29 <= ask.time.elapsed <= 31


async def test_namespaces_come_one_after_the_other_and_a_failing_one_last() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if "/acme/" in request.url.path:
            return httpx.Response(404, json={})
        body = {"next": None, "results": [{"name": "python"}]}
        return json_answer(json.dumps(body))

    pages = asking_hub(handler, namespaces=("acme", "library")).hub.repositories()

    assert (await anext(pages)).names == ("library/python",)
    with pytest.raises(NotFound):
        await anext(pages)


async def test_a_namespace_that_cannot_be_read_does_not_keep_others_from_it() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if "/acme/" in request.url.path:
            return json_answer("[]")
        body = {"next": None, "results": [{"name": "python"}]}
        return json_answer(json.dumps(body))

    pages = asking_hub(handler, namespaces=("acme", "library")).hub.repositories()

    assert (await anext(pages)).names == ("library/python",)
    with pytest.raises(DocumentError):
        await anext(pages)


@pytest.mark.parametrize("status", [200, 404, 401])
async def test_without_a_namespace_there_is_nothing_to_discover(status: int) -> None:
    ask = asking_hub(lambda _: httpx.Response(status, json={}))

    with pytest.raises(ListingError) as refused:
        await anext(ask.hub.repositories())

    assert refused.value.code == "no_namespaces"


async def test_f01_who_asks_whether_the_hub_is_there_hears_that_it_is_not() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise TransportError("nobody answers", code="connect_error")

    assert await answers(asking_hub(lambda _: a_page([])).hub)
    assert not await answers(asking_hub(handler).hub)
