"""What Quay is shown of us, and what its refusals mean."""

import httpx
import pytest

from support.data import documents
from support.quay_client import TOKEN, AskingQuay, asking_quay
from support.registry_client import OWNER
from weighbridge.errors import (
    AuthError,
    InvalidReference,
    ListingError,
    RateLimited,
    TransportError,
    WeighbridgeError,
)
from weighbridge.registry.kinds.quay.quay_api import LIST_BYTES

TAGS = documents("quay_pages")["tags"]
REFUSED = documents("quay_pages")["a refusal"]
NOTHING: dict[str, object] = {"repositories": []}


def status(number: int, body: object = None) -> httpx.Response:
    return httpx.Response(number, json=body)


async def names_of(asking: AskingQuay, seen: list[str] | None = None) -> list[str]:
    """seen: gets them, also where an error ends the listing"""
    names: list[str] = [] if seen is None else seen
    async for page in asking.quay.repositories():
        names += page.names
    return names


async def tags_of(asking: AskingQuay, repository: str = "acme/api") -> list[str]:
    pages = [page async for page in asking.quay.tags(repository)]
    return [tag.name for page in pages for tag in page.tags]


def lists(name: str, *, knows_token: bool) -> AskingQuay:
    """One repository is shown, to whomever."""

    def answer(request: httpx.Request) -> httpx.Response:
        if "starred" in request.url.params:
            return status(200 if knows_token else 400, NOTHING)
        return status(200, {"repositories": [{"namespace": "acme", "name": name}]})

    return asking_quay(answer, token=TOKEN)


async def test_the_token_is_shown_to_the_api_and_the_password_is_not() -> None:
    asking = asking_quay(lambda _: status(200, TAGS), token=TOKEN, credential=OWNER)

    await tags_of(asking)

    assert asking.api.sent("authorization") == [f"Bearer {TOKEN.reveal()}"]


async def test_nobody_shows_nothing() -> None:
    asking = asking_quay(lambda _: status(200, TAGS), credential=OWNER)

    assert await tags_of(asking) == ["latest", "3.12"]
    assert asking.api.sent("authorization") == [None]


async def test_the_token_does_not_follow_to_another_host() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "other.example":
            return status(200, TAGS)
        return httpx.Response(302, headers={"Location": "https://other.example/tags"})

    asking = asking_quay(answer, token=TOKEN)

    await tags_of(asking)

    assert asking.api.sent("authorization") == [f"Bearer {TOKEN.reveal()}", None]


async def test_a_listing_ends_with_the_question_whether_the_token_is_known() -> None:
    asking = lists("api", knows_token=True)

    assert await names_of(asking) == ["acme/api"]
    assert asking.api.paths == [
        "/api/v1/repository?namespace=acme&public=true&popularity=true",
        "/api/v1/repository?starred=true",
    ]


async def test_a_token_that_is_not_known_is_told_after_what_everybody_sees() -> None:
    asking, seen = lists("api", knows_token=False), list[str]()

    with pytest.raises(AuthError) as caught:
        await names_of(asking, seen)

    assert seen == ["acme/api"]
    assert caught.value.code == "unauthorized"
    assert "api_token" in caught.value.hint


async def test_a_namespace_that_shows_nothing_is_no_empty_one() -> None:
    asking = asking_quay(lambda _: status(200, NOTHING))

    with pytest.raises(ListingError) as caught:
        await names_of(asking)

    assert caught.value.code == "empty_listing"


async def test_one_namespace_does_not_hide_another() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.params["namespace"] == "acme":
            return status(200, NOTHING)
        return status(200, {"repositories": [{"namespace": "shop", "name": "cart"}]})

    asking, seen = asking_quay(answer, listed=["acme", "shop"]), list[str]()

    with pytest.raises(ListingError):
        await names_of(asking, seen)

    assert seen == ["shop/cart"]


async def test_where_nobody_is_named_the_error_says_what_to_write() -> None:
    asking = asking_quay(lambda _: status(200, NOTHING), listed=())

    with pytest.raises(ListingError) as caught:
        await names_of(asking)

    assert caught.value.code == "no_namespaces"
    assert "`namespaces`" in caught.value.hint


@pytest.mark.parametrize(
    ("number", "expected", "code"),
    [
        (401, AuthError, "unauthorized"),
        (403, AuthError, "denied"),
        (429, RateLimited, "rate_limited"),
    ],
)
async def test_refusals_of_the_api_are_our_errors(
    number: int, expected: type[WeighbridgeError], code: str
) -> None:
    asking = asking_quay(lambda _: status(number, REFUSED), token=TOKEN)

    with pytest.raises(expected) as caught:
        await tags_of(asking)

    assert caught.value.code == code
    assert "Requires authentication" in caught.value.message
    assert TOKEN.reveal() not in caught.value.message
    assert "{" not in caught.value.message


@pytest.mark.parametrize("has_token", [True, False])
async def test_a_refusal_says_what_to_do_next(has_token: bool) -> None:
    token = TOKEN if has_token else None
    asking = asking_quay(lambda _: status(401, REFUSED), token=token)

    with pytest.raises(AuthError) as caught:
        await tags_of(asking)

    expected = "may not read it" if has_token else "need `api_token`"
    assert expected in caught.value.hint


async def test_a_robot_without_a_token_asks_the_registry() -> None:
    asking = asking_quay(
        lambda _: status(401, REFUSED),
        lambda _: status(200, {"name": "acme/api", "tags": ["1", "2"]}),
        credential=OWNER,
    )

    assert await tags_of(asking) == ["1", "2"]
    assert asking.registry.paths == ["/v2/acme/api/tags/list?n=1000"]


async def test_a_robot_that_is_refused_is_told_after_what_everybody_sees() -> None:
    asking = asking_quay(
        lambda _: status(200, {"repositories": [{"namespace": "acme", "name": "api"}]}),
        lambda _: status(401),
        credential=OWNER,
    )
    seen: list[str] = []

    with pytest.raises(AuthError):
        await names_of(asking, seen)

    assert seen == ["acme/api"]


async def test_a_namespace_that_only_the_catalog_shows_is_no_empty_one() -> None:
    asking = asking_quay(
        lambda _: status(200, NOTHING),
        lambda _: status(200, {"repositories": ["acme/api", "shop/cart"]}),
        credential=OWNER,
    )

    assert await names_of(asking) == ["acme/api", "shop/cart"]
    assert asking.registry.paths == ["/v2/", "/v2/_catalog?n=1000"]


async def test_a_token_that_is_refused_is_no_reason_to_ask_for_each_tag() -> None:
    """A thousand HEADs would each be written to the log as a pull."""
    asking = asking_quay(lambda _: status(401, REFUSED), token=TOKEN, credential=OWNER)

    with pytest.raises(AuthError):
        await tags_of(asking)


async def test_a_name_that_is_none_comes_into_no_address() -> None:
    with pytest.raises(InvalidReference):
        await tags_of(asking_quay(), "acme/../api?x=")


async def test_a_listing_longer_than_any_is_an_error() -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=b" " * (LIST_BYTES + 1))

    with pytest.raises(ListingError) as caught:
        await names_of(asking_quay(answer))

    assert caught.value.code == "too_large"


async def test_whether_it_is_there_is_asked_of_the_api_alone_by_nobody() -> None:
    """The registry lets nobody in who names no repository."""
    asking = asking_quay(lambda _: status(200, NOTHING))

    await asking.quay.ping()

    assert asking.api.paths == [
        "/api/v1/repository?namespace=library&public=true&popularity=true"
    ]


async def test_whether_it_lets_us_in_is_asked_with_each_credential() -> None:
    asking = asking_quay(
        lambda _: status(200, NOTHING),
        lambda _: status(200, True),
        token=TOKEN,
        credential=OWNER,
    )

    await asking.quay.ping()

    assert asking.api.paths == ["/api/v1/repository?starred=true"]
    assert asking.registry.paths == ["/v2/"]


async def test_a_host_that_is_down_is_told_whatever_is_asked() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("down", request=request)

    with pytest.raises(TransportError):
        await names_of(asking_quay(answer, listed=()))


async def test_both_are_closed() -> None:
    asking = asking_quay()

    await asking.quay.aclose()

    assert asking.api.is_closed
    assert asking.registry.is_closed


async def test_a_404_of_the_api_is_believed_only_if_the_registry_says_so_too() -> None:
    """A proxy that passes on `/v2/` alone has a page of its own for the rest."""

    def listing(_: httpx.Request) -> httpx.Response:
        return status(200, {"name": "acme/api", "tags": ["1"]})

    asking = asking_quay(lambda _: status(404), listing, token=TOKEN)

    assert await tags_of(asking) == ["1"]
