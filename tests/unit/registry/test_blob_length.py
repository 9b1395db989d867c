"""How long a blob is: one HEAD, and one byte by GET where that does not say it."""

from collections.abc import Callable

import httpx
import pytest

from support.registry_client import OWNER, an_endpoint, asking
from weighbridge.domain.image.digest import digest_of
from weighbridge.errors import AuthError, NotFound, RegistryError, TransportError

DIGEST = digest_of(b"three million bytes")
TOTAL = 3_000_000
Handler = Callable[[httpx.Request], httpx.Response]


def by_head(status: int, **headers: str) -> Handler:
    """HEAD is answered so; one byte by GET as it should be."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "HEAD":
            return httpx.Response(status, headers=given)
        assert request.headers["range"] == "bytes=0-0"
        one = {"content-range": f"bytes 0-0/{TOTAL}"}
        return httpx.Response(206, content=b"\x1f", headers=one)

    return answer


async def test_a_head_says_how_long_a_blob_is() -> None:
    ask = asking(by_head(200, content_length=str(TOTAL)))

    length = await ask.registry.blob_length("shop/cart", DIGEST)

    assert length == TOTAL
    assert ask.registry.cost.by_operation == {"blob_head": 1}
    assert ask.registry.cost.bytes_read == 0


@pytest.mark.parametrize(
    "handler",
    [
        pytest.param(by_head(405), id="no HEAD"),
        pytest.param(by_head(501), id="HEAD not implemented"),
        pytest.param(by_head(400), id="a bad request"),
        pytest.param(by_head(200), id="no length"),
        pytest.param(by_head(200, content_length="0"), id="0 for everything"),
        pytest.param(by_head(200, content_length="-1"), id="no number"),
        pytest.param(by_head(200, content_length=str(2**44 + 1)), id="beyond any"),
    ],
)
async def test_where_head_does_not_say_it_one_byte_is_read(handler: Handler) -> None:
    ask = asking(handler)

    length = await ask.registry.blob_length("shop/cart", DIGEST)

    assert length == TOTAL
    assert ask.registry.cost.by_operation == {"blob_head": 1, "blob_range": 1}
    assert ask.registry.cost.bytes_read == 1


async def test_storage_that_is_signed_for_get_alone_is_asked_by_get() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "storage.example":
            if request.method == "HEAD":
                return httpx.Response(403)
            one = {"content-range": f"bytes 0-0/{TOTAL}"}
            return httpx.Response(206, content=b"\x1f", headers=one)
        return httpx.Response(307, headers={"location": "https://storage.example/b"})

    ask = asking(answer, an_endpoint(credential=OWNER))

    length = await ask.registry.blob_length("shop/cart", DIGEST)

    assert length == TOTAL
    assert [r.method for r in ask.connections.requests] == [
        "HEAD",
        "HEAD",
        "GET",
        "GET",
    ]
    away = [r for r in ask.connections.requests if r.url.host == "storage.example"]
    assert not any("authorization" in request.headers for request in away)


@pytest.mark.parametrize(
    ("by_get", "length"),
    [
        pytest.param(httpx.Response(400), None, id="no ranges"),
        pytest.param(httpx.Response(416), None, id="refused without a length"),
        pytest.param(
            httpx.Response(416, headers={"content-range": "bytes */70"}), 70, id="416"
        ),
        pytest.param(
            httpx.Response(206, content=b"x", headers={"content-range": "bytes 0-0/*"}),
            None,
            id="a total that is not known",
        ),
        pytest.param(httpx.Response(200, content=bytes(TOTAL)), TOTAL, id="all of it"),
    ],
)
async def test_what_one_byte_by_get_says(
    by_get: httpx.Response, length: int | None
) -> None:
    ask = asking(lambda r: httpx.Response(405) if r.method == "HEAD" else by_get)

    assert await ask.registry.blob_length("shop/cart", DIGEST) == length


@pytest.mark.parametrize(
    ("status", "error"), [(404, NotFound), (403, AuthError), (500, RegistryError)]
)
async def test_a_refusal_is_no_length(status: int, error: type[RegistryError]) -> None:
    ask = asking(lambda _: httpx.Response(status))

    with pytest.raises(error):
        await ask.registry.blob_length("shop/cart", DIGEST)


async def test_a_head_is_not_redirected_to_plain_http() -> None:
    to = {"location": "http://registry.example/other"}
    ask = asking(lambda _: httpx.Response(307, headers=to))

    with pytest.raises(TransportError) as refused:
        await ask.registry.blob_length("shop/cart", DIGEST)

    assert refused.value.code == "redirect_refused"


async def test_the_length_of_a_sign_in_page_is_no_blobs() -> None:
    page = {"content-type": "text/html; charset=utf-8", "content-length": "1234"}
    ask = asking(lambda _: httpx.Response(200, headers=page))

    with pytest.raises(RegistryError) as refused:
        await ask.registry.blob_length("shop/cart", DIGEST)

    assert refused.value.code == "not_a_registry"
