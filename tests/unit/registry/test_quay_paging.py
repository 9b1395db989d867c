"""The pages of a listing of tags, each tag on one of them, while tags change."""

import json
from dataclasses import dataclass
from typing import Final

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.quay_client import asking_quay
from weighbridge.domain import limits
from weighbridge.domain.registry.listing import TagSeen
from weighbridge.errors import DocumentError, ListingError, WeighbridgeError
from weighbridge.registry.kinds.quay.quay_api import MOST_TAGS

DIGEST: Final = "sha256:" + "1" * 64


@dataclass(slots=True)
class Tags:
    """A listing, the newest first, that changes once before a page is answered."""

    names: list[str]
    before_page: int = 0
    deleted: str = ""
    pushed: str = ""
    asked: int = 0

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        if self.asked == self.before_page:
            self.names = [n for n in self.names if n not in (self.deleted, self.pushed)]
            if self.pushed:
                self.names.insert(0, self.pushed)
        params = request.url.params
        limit, page = int(params["limit"]), int(params["page"])
        assert params["onlyActiveTags"] == "true"
        assert limit == MOST_TAGS
        start = limit * (page - 1)
        body = {
            "tags": [an_entry(n) for n in self.names[start : start + limit]],
            "page": page,
            "has_additional": len(self.names) > start + limit,
        }
        return httpx.Response(200, json=body)


def an_entry(name: str) -> dict[str, object]:
    return {"name": name, "manifest_digest": DIGEST, "is_manifest_list": True}


def some_names(count: int) -> list[str]:
    return [f"t{n:05}" for n in range(count)]


async def listed(tags: Tags) -> list[str]:
    quay = asking_quay(tags.answer).quay
    seen: list[TagSeen] = []
    async for page in quay.tags("acme/api"):
        seen += page.tags
    return [tag.name for tag in seen]


@pytest.mark.parametrize(
    ("count", "requests"),
    [(0, 1), (1, 1), (100, 1), (101, 2), (1_000, 10), (1_001, 11), (10_000, 100)],
)
async def test_every_tag_is_read_once(count: int, requests: int) -> None:
    tags = Tags(some_names(count))

    assert await listed(tags) == some_names(count)
    assert tags.asked == requests


@given(
    count=st.integers(101, 450),
    before=st.integers(2, 5),
    what=st.sampled_from(["deleted", "pushed again", "new"]),
    data=st.data(),
)
async def test_a_change_while_pages_are_read_hides_one_tag_at_most(
    count: int, before: int, what: str, data: st.DataObject
) -> None:
    names = some_names(count)
    tags = Tags(list(names), before_page=before)
    name = data.draw(st.sampled_from(names))
    if what == "deleted":
        tags.deleted = name
    else:
        tags.pushed = "new" if what == "new" else name

    try:
        seen = set(await listed(tags))
    except ListingError:  # the next crawl reads it again
        return

    hidden = set(names) - seen - {tags.deleted}
    assert len(hidden) <= (1 if what == "deleted" else 0)


async def test_a_deletion_between_two_pages_hides_the_first_tag_of_the_next() -> None:
    """So what is on no page is asked for before it counts as deleted."""
    names = some_names(250)
    tags = Tags(list(names), before_page=2, deleted="t00003")
    quay = asking_quay(tags.answer).quay

    pages = [page async for page in quay.tags("acme/api")]

    seen = {tag.name for page in pages for tag in page.tags}
    assert set(names) - seen == {"t00100"}
    assert all(page.tags_may_move for page in pages)


async def test_a_push_between_two_pages_is_noticed() -> None:
    with pytest.raises(ListingError) as caught:
        await listed(Tags(some_names(250), before_page=2, pushed="new"))

    assert caught.value.code == "listing_changed"
    assert caught.value.retryable


async def test_pages_that_never_end_end_with_the_most_tags_of_a_repository() -> None:
    asked = 0

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        entries = [an_entry(f"p{asked}-{n}") for n in range(MOST_TAGS)]
        body = {"tags": entries, "page": asked, "has_additional": True}
        return httpx.Response(200, json=body)

    quay = asking_quay(answer).quay

    with pytest.raises(ListingError) as caught:
        _ = [page async for page in quay.tags("acme/api")]

    assert caught.value.code == "too_many_tags"
    assert asked == limits.TAGS_PER_REPOSITORY // MOST_TAGS + 1


def a_page(count: int, page: int, *, has_additional: bool) -> dict[str, object]:
    entries = [an_entry(name) for name in some_names(count)]
    return {"tags": entries, "page": page, "has_additional": has_additional}


@pytest.mark.parametrize(
    "body",
    [
        a_page(99, 1, has_additional=True),
        a_page(101, 1, has_additional=False),
        a_page(100, 2, has_additional=True),
        a_page(100, 0, has_additional=False),
    ],
    ids=["short, with a next one", "too long", "another", "none"],
)
async def test_a_page_that_was_not_asked_for_is_refused(
    body: dict[str, object],
) -> None:
    quay = asking_quay(lambda _: httpx.Response(200, json=body)).quay

    with pytest.raises(DocumentError) as caught:
        await anext(aiter(quay.tags("acme/api")))

    assert caught.value.code == "invalid_listing"


async def test_a_page_that_comes_again_ends_the_listing() -> None:
    """A cache that looks at no query gives the first page for every one."""
    first = a_page(100, 1, has_additional=True)
    del first["page"]
    quay = asking_quay(lambda _: httpx.Response(200, json=first)).quay

    with pytest.raises(WeighbridgeError) as caught:
        _ = [page async for page in quay.tags("acme/api")]

    assert caught.value.code == "pagination_loop"


async def test_repositories_are_followed_by_what_the_page_calls_the_next_one() -> None:
    asked: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params.get("next_page"))
        number = len(asked)
        body: dict[str, object] = {
            "repositories": [{"namespace": "acme", "name": f"r{number}"}]
        }
        if number < 3:
            body["next_page"] = f"gA+/={number}"
        return httpx.Response(200, content=json.dumps(body))

    quay = asking_quay(answer, listed=[""]).quay

    names = [name async for page in quay.repositories() for name in page.names]

    assert names == ["acme/r1", "acme/r2", "acme/r3"]
    assert asked == [None, "gA+/=1", "gA+/=2"]


async def test_repositories_that_come_again_end_the_listing() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        given = request.url.params.get("next_page", "x")
        body = {
            "repositories": [{"namespace": "acme", "name": "api"}],
            "next_page": f"{given}x",
        }
        return httpx.Response(200, json=body)

    quay = asking_quay(answer, listed=[""]).quay

    with pytest.raises(ListingError) as caught:
        _ = [page async for page in quay.repositories()]

    assert caught.value.code == "pagination_loop"
