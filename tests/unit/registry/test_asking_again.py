"""What is tried again, how often, and what the metrics and errors then say."""

from collections.abc import Iterator

import httpx
import pytest

from support.registry_client import Asking, asking, error_answer, json_answer
from weighbridge.domain.registry.listing import TagPage, TagSeen
from weighbridge.errors import (
    AuthError,
    NotFound,
    RateLimited,
    RegistryError,
    TransportError,
    WeighbridgeError,
)
from weighbridge.net.failure.request_failures import (
    AddressNotAllowed,
    EncodingRefused,
    HandshakeFailed,
    NameNotFound,
)
from weighbridge.ports.protocols import CRAWL_COST, RequestCost

GOOD = b'{"name":"shop/cart","tags":["v1"]}'
Step = httpx.Response | Exception


def scripted(*steps: Step) -> Asking:
    """Answers with these, one after the other; the last one for ever."""
    left: Iterator[Step] = iter(steps)
    last = steps[-1]

    def handler(request: httpx.Request) -> httpx.Response:
        step = next(left, last)
        if isinstance(step, Exception):
            raise step
        return httpx.Response(
            step.status_code, headers=step.headers, content=step.content
        )

    return asking(handler)


async def tag_pages(ask: Asking) -> list[TagPage]:
    return [page async for page in ask.registry.tags("shop/cart")]


async def refused(ask: Asking) -> WeighbridgeError:
    with pytest.raises(WeighbridgeError) as caught:
        await tag_pages(ask)
    return caught.value


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(httpx.Response(500), id="500"),
        pytest.param(httpx.Response(502), id="502"),
        pytest.param(httpx.Response(503), id="503"),
        pytest.param(httpx.Response(504), id="504"),
        pytest.param(httpx.Response(408), id="408"),
        pytest.param(httpx.Response(429), id="429"),
        pytest.param(httpx.ReadError("reset"), id="registry_http-021 reset"),
        pytest.param(httpx.RemoteProtocolError("cut"), id="not HTTP"),
    ],
)
async def test_passing_trouble_is_waited_out(trouble: Step) -> None:
    ask = scripted(trouble, trouble, trouble, trouble, json_answer(GOOD))

    pages = await tag_pages(ask)

    assert pages == [TagPage((TagSeen("v1"),))]
    assert ask.time.sleeps == [0.5, 1.0, 2.0, 4.0]


@pytest.mark.parametrize(
    ("trouble", "code", "attempts"),
    [
        pytest.param(
            httpx.Response(503), "registry_error", 5, id="registry_http-016 503"
        ),
        pytest.param(
            httpx.ReadError("reset"), "connection_reset", 5, id="registry_http-021"
        ),
        pytest.param(httpx.Response(429), "rate_limited", 5, id="429"),
        pytest.param(
            httpx.Response(429, headers={"retry-after": "1"}),
            "rate_limited",
            15,
            id="f03 429 that says when",
        ),
        pytest.param(httpx.ConnectError("refused"), "connect_error", 3, id="refused"),
        pytest.param(NameNotFound("no such name"), "dns_error", 2, id="name"),
        pytest.param(
            httpx.ReadTimeout("60 s"), "deadline", 1, id="registry_http-011 drip"
        ),
        pytest.param(
            HandshakeFailed("expired"), "tls_error", 1, id="registry_http-023"
        ),
        pytest.param(
            EncodingRefused("gzip"),
            "content_encoding_refused",
            1,
            id="registry_http-009",
        ),
        pytest.param(AddressNotAllowed("no"), "address_refused", 1, id="guard"),
        pytest.param(httpx.Response(501), "registry_error", 1, id="501"),
        pytest.param(httpx.Response(403), "denied", 1, id="403"),
        pytest.param(httpx.Response(204), "registry_error", 1, id="204"),
        pytest.param(httpx.Response(206, content=GOOD), "registry_error", 1, id="206"),
    ],
)
async def test_no_request_is_sent_more_often_than_it_can_help(
    trouble: Step, code: str, attempts: int
) -> None:
    ask = scripted(trouble)

    error = await refused(ask)

    assert error.code == code
    assert len(ask.connections.requests) == attempts


async def test_retry_after_is_waited_once_by_the_clock_registry_http_013() -> None:
    at = int(scripted(httpx.Response(200)).time.clock.now().timestamp()) + 60
    later = httpx.Response(429, headers={"retry-after": str(at)})
    ask = scripted(later, json_answer(GOOD))

    await tag_pages(ask)

    assert ask.time.sleeps == [pytest.approx(60.0)]
    assert ask.sample("weighbridge_registry_throttled_seconds_total") == 60.0
    assert ask.registry.cost.throttled == 1


@pytest.mark.parametrize("value", ["0", "abc", "-5", "1.5", "", "9" * 20])
@pytest.mark.parametrize("status", [429, 503])
async def test_a_retry_after_that_is_no_wait_leaves_the_pauses_growing(
    status: int, value: str
) -> None:
    refused_so = httpx.Response(status, headers={"retry-after": value})
    ask = scripted(refused_so)

    await refused(ask)

    assert ask.time.sleeps == [0.5, 1.0, 2.0, 4.0]


async def test_a_short_retry_after_does_not_shorten_the_growing_pauses() -> None:
    soon = httpx.Response(429, headers={"retry-after": "1"})
    ask = scripted(soon, soon, soon, soon, soon, json_answer(GOOD))

    await tag_pages(ask)

    assert ask.time.sleeps == [1.0, 1.0, 2.0, 4.0, 4.0]


@pytest.mark.parametrize("value", ["86400", "Fri, 31 Dec 9999 00:00:00 GMT"])
async def test_a_wait_beyond_the_cap_is_told_and_not_slept(value: str) -> None:
    ask = scripted(httpx.Response(429, headers={"retry-after": value}))

    error = await refused(ask)

    assert isinstance(error, RateLimited)
    assert error.retry_after == 900.0
    assert ask.time.sleeps == []
    assert len(ask.connections.requests) == 1


async def test_while_a_registry_wants_rest_nothing_is_sent() -> None:
    ask = scripted(httpx.Response(503, headers={"retry-after": "9999"}))
    await refused(ask)

    error = await refused(ask)

    assert isinstance(error, RateLimited)
    assert len(ask.connections.requests) == 1


async def test_a_spent_quota_of_pulls_is_not_asked_again() -> None:
    message = "You have reached your pull rate limit. https://docker.example/limit"
    ask = scripted(error_answer(429, "TOOMANYREQUESTS", message))

    error = await refused(ask)

    assert isinstance(error, RateLimited)
    assert "registry behind it" in error.hint
    assert len(ask.connections.requests) == 1


async def test_an_error_in_a_200_is_no_empty_repository_registry_http_017() -> None:
    busy = json_answer(b'{"errors":[{"code":"TOOMANYREQUESTS","message":"slow"}]}')
    ask = scripted(busy)

    error = await refused(ask)

    assert isinstance(error, RateLimited)
    assert error.retryable
    assert ask.registry.cost.throttled == 5


@pytest.mark.parametrize(
    ("code", "kind", "ours"),
    [
        ("NAME_UNKNOWN", NotFound, "name_unknown"),
        ("DENIED", AuthError, "denied"),
        ("SOMETHING_ELSE", RegistryError, "registry_error"),
    ],
)
async def test_other_errors_in_a_200_count_by_their_code(
    code: str, kind: type[WeighbridgeError], ours: str
) -> None:
    error = await refused(scripted(error_answer(200, code)))

    assert isinstance(error, kind)
    assert error.code == ours


@pytest.mark.parametrize("content_type", ["text/html", "Text/HTML; charset=utf-8"])
async def test_a_sign_in_page_is_no_registry_registry_http_018(
    content_type: str,
) -> None:
    page = httpx.Response(
        200, content=b"<html>Sign in", headers={"content-type": content_type}
    )
    ask = scripted(page)

    error = await refused(ask)

    assert error.code == "not_a_registry"
    assert ask.sample(
        "weighbridge_registry_request_failures_total", operation="tags", reason="parse"
    )


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (error_answer(404, "NAME_UNKNOWN"), "name_unknown"),
        (error_answer(404, "MANIFEST_UNKNOWN"), "manifest_unknown"),
        (httpx.Response(404), "not_found"),
        (httpx.Response(404, text="<html>nginx</html>"), "not_found"),
    ],
)
async def test_404_says_what_is_unknown_registry_list_007(
    answer: httpx.Response, code: str
) -> None:
    error = await refused(scripted(answer))

    assert isinstance(error, NotFound)
    assert error.code == code


async def test_a_message_says_what_was_asked_as_whom_and_what_was_said() -> None:
    ask = scripted(error_answer(403, "DENIED", "not for you"))

    error = await refused(ask)

    assert error.message == (
        "GET https://registry.example/v2/shop/cart/tags/list?n=1000 (anonymous) was"
        " answered 403: DENIED not for you"
    )
    assert "docker login" in error.hint


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"\x1b[31mred\x07" + b"x" * 50_000, id="text"),
        pytest.param(
            b'{"errors":[{"message":"\\u001b[31m' + b"y" * 9000 + b'"}]}', id="JSON"
        ),
        pytest.param(b"z" * 50_000_000, id="50 MB"),
        pytest.param(b"\xff\xfe" * 99, id="not UTF-8"),
        pytest.param("\u202egnp.exe\n\n".encode(), id="bidi and lines"),
    ],
)
async def test_an_error_body_is_kept_short_and_printable_registry_http_020(
    body: bytes,
) -> None:
    error = await refused(scripted(httpx.Response(400, content=body)))

    assert error.message.isprintable()
    assert len(error.message) < 256 + 120


async def test_a_secret_in_an_error_body_is_masked_registry_http_020() -> None:
    token = "ghp_" + "Z9" * 18
    body = f"bad token {token} given".encode()

    error = await refused(scripted(httpx.Response(400, content=body)))

    assert token not in error.message


@pytest.mark.parametrize(
    ("content", "is_whole"), [(GOOD, True), (GOOD[:-1], False), (b"", False)]
)
async def test_a_body_that_ends_with_its_connection_counts_only_as_closed_json(
    content: bytes, is_whole: bool
) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=content, extensions={"framing": "close"})

    ask = asking(handler)

    if is_whole:
        assert await tag_pages(ask)
    else:
        error = await refused(ask)
        assert isinstance(error, TransportError)
        assert error.code == "connection_reset"


async def test_answers_and_bytes_are_counted() -> None:
    ask = scripted(httpx.Response(503), json_answer(GOOD))

    await tag_pages(ask)

    cost = ask.registry.cost
    assert (cost.requests, cost.bytes_read) == (2, len(GOOD))
    assert cost.by_operation == {"tags": 2}
    requests = "weighbridge_registry_requests_total"
    assert ask.sample(requests, operation="tags", code="5xx") == 1
    assert ask.sample(requests, operation="tags", code="2xx") == 1
    assert ask.sample("weighbridge_registry_response_bytes_total") == len(GOOD)
    assert ask.sample("weighbridge_registry_request_duration_seconds_count") == 2


async def test_a_crawl_counts_its_own_share() -> None:
    ask = scripted(json_answer(GOOD))
    await tag_pages(ask)
    of_crawl = RequestCost()
    mark = CRAWL_COST.set(of_crawl)

    await tag_pages(ask)

    CRAWL_COST.reset(mark)
    assert (of_crawl.requests, ask.registry.cost.requests) == (1, 2)


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        (httpx.ReadTimeout("late"), "timeout"),
        (httpx.ConnectError("refused"), "connect"),
        (HandshakeFailed("expired"), "tls"),
        (httpx.RemoteProtocolError("odd"), "http"),
        (httpx.Response(200, content=b"no JSON"), "parse"),
        (httpx.Response(401), "auth"),
    ],
)
async def test_failures_are_counted_by_reason(trouble: Step, reason: str) -> None:
    ask = scripted(trouble)

    await refused(ask)

    name = "weighbridge_registry_request_failures_total"
    counted = ask.sample(name, operation="tags", reason=reason)
    assert counted == len(ask.connections.requests)


@pytest.mark.parametrize(
    ("headers", "limit", "remaining", "resets_in"),
    [
        (
            {"ratelimit-limit": "100;w=21600", "ratelimit-remaining": "76;w=21600"},
            100,
            76,
            None,
        ),
        (
            {
                "ratelimit-limit": "2000",
                "ratelimit-remaining": "0",
                "ratelimit-reset": "30",
            },
            2000,
            0,
            30.0,
        ),
        (
            {"ratelimit-limit": "many", "ratelimit-remaining": "\uff11"},
            None,
            None,
            None,
        ),
        ({}, None, None, None),
    ],
)
async def test_a_quota_that_the_registry_tells_is_shown(
    headers: dict[str, str],
    limit: int | None,
    remaining: int | None,
    resets_in: float | None,
) -> None:
    encoded = [(k.encode(), v.encode()) for k, v in headers.items()]
    ask = scripted(httpx.Response(200, content=GOOD, headers=encoded))

    await tag_pages(ask)

    assert ask.sample("weighbridge_registry_ratelimit_limit") == limit
    assert ask.sample("weighbridge_registry_ratelimit_remaining") == remaining
    reset = ask.sample("weighbridge_registry_ratelimit_reset_timestamp_seconds")
    now = ask.time.clock.now().timestamp()
    assert reset == (None if resets_in is None else now + resets_in)


async def test_closing_the_registry_closes_its_connections() -> None:
    ask = scripted(json_answer(GOOD))

    await ask.registry.aclose()

    assert ask.connections.is_closed
