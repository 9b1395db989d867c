"""Resets, cuts, limits and redirects, on real connections."""

import asyncio

import pytest

from support.real_registry import a_loopback_endpoint, connected
from support.scripted_registry import RESET, Reply, ScriptedRegistry, scripted_registry
from support.wait import wait_until
from weighbridge.domain.image.digest import digest_of
from weighbridge.domain.text.printable import Secret
from weighbridge.errors import (
    DocumentError,
    RegistryError,
    TransportError,
    WeighbridgeError,
)
from weighbridge.ports.protocols import RangeAnswer
from weighbridge.registry.kinds.distribution.distribution_registry import (
    DistributionRegistry,
)
from weighbridge.registry.login.credentials import Credential

TAGS = "/v2/shop/cart/tags/list?n=1000"
PAGE = b'{"name":"shop/cart","tags":["v1","v2"]}'
MANIFEST = b'{"schemaVersion":2,"layers":[]}'
OWNER = Credential("owner", Secret("correct horse"))
BLOB = digest_of(b"blob")


async def tags_of(registry: DistributionRegistry) -> list[str]:
    return [tag.name async for page in registry.tags("shop/cart") for tag in page.tags]


async def refusal_of(server: ScriptedRegistry) -> WeighbridgeError:
    async with connected(a_loopback_endpoint(server.url)) as registry:
        with pytest.raises(WeighbridgeError) as refused:
            await tags_of(registry)
    return refused.value


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(RESET, id="registry_http-021 before any byte"),
        pytest.param(Reply(body=PAGE, body_bytes=0), id="registry_http-021 after head"),
        pytest.param(Reply(body=PAGE, body_bytes=9), id="registry_http-021 in body"),
        pytest.param(Reply(503), id="registry_http-016 503"),
        pytest.param(Reply(429, (("Retry-After", "0"),)), id="registry_http-014 0 s"),
    ],
)
async def test_a_moment_of_trouble_loses_no_tag(trouble: Reply) -> None:
    async with scripted_registry() as server:
        server.on("GET", TAGS, trouble, state="begin", then="well")
        server.on("GET", TAGS, Reply(body=PAGE), state="well")
        async with connected(a_loopback_endpoint(server.url)) as registry:
            tags = await tags_of(registry)

    assert tags == ["v1", "v2"]
    assert len(server.seen) == 2


async def test_a_closed_port_is_a_connect_error() -> None:
    async with scripted_registry() as server:
        pass

    error = await refusal_of(server)

    assert isinstance(error, TransportError)
    assert error.code == "connect_error"


async def test_while_one_is_told_to_wait_the_others_wait_too() -> None:
    async with scripted_registry() as server:
        wait = Reply(429, (("Retry-After", "1"),))
        server.on("GET", TAGS, wait, state="begin", then="well")
        server.on("GET", TAGS, Reply(body=PAGE), state="well")
        async with connected(a_loopback_endpoint(server.url)) as registry:
            first = asyncio.create_task(tags_of(registry))
            await wait_until(lambda: registry.cost.throttled == 1, "a first 429")
            began = asyncio.get_running_loop().time()
            await asyncio.gather(first, *(tags_of(registry) for _ in range(4)))
            waited = asyncio.get_running_loop().time() - began

    assert waited > 0.8
    assert len(server.seen) == 6


async def test_a_manifest_without_end_is_cut_at_4_mib_manifest_027() -> None:
    async with scripted_registry() as server:
        endless = Reply(body=b"0" * 6_000_000)
        server.on("GET", "/v2/shop/cart/manifests/v1", endless, times=1)
        async with connected(a_loopback_endpoint(server.url)) as registry:
            with pytest.raises(DocumentError) as refused:
                await registry.get_manifest("shop/cart", "v1")

    assert refused.value.code == "too_large"
    assert registry.cost.bytes_read == 4 * 1024 * 1024


async def test_a_range_that_is_ignored_is_not_drained_blob_range_001() -> None:
    async with scripted_registry() as server:
        target = f"/v2/shop/cart/blobs/{BLOB}"
        server.on("GET", target, Reply(body=b"0" * 8_000_000), times=1)
        async with connected(a_loopback_endpoint(server.url)) as registry:
            answer = await registry.get_range("shop/cart", BLOB, 7_999_992, 7_999_999)

    assert answer == RangeAnswer(None, 8_000_000)
    assert registry.cost.bytes_read <= 64 * 1024


async def test_a_redirect_carries_no_credential_away_registry_http_001() -> None:
    async with scripted_registry() as server, scripted_registry() as victim:
        away = Reply(302, (("Location", f"{victim.url}/m"),))
        basic = Reply(401, (("WWW-Authenticate", 'Basic realm="x"'),))
        server.on("GET", "/v2/shop/cart/manifests/v1", basic, shows="")
        server.on("GET", "/v2/shop/cart/manifests/v1", away)
        victim.on("GET", "/m", basic)
        endpoint = a_loopback_endpoint(server.url, OWNER)
        async with connected(endpoint) as registry:
            with pytest.raises(RegistryError) as refused:
                await registry.get_manifest("shop/cart", "v1")

    assert refused.value.code == "unauthorized"
    assert [request.authorization for request in victim.seen] == [""]


async def test_a_link_to_another_server_is_never_followed_registry_list_001() -> None:
    async with scripted_registry() as server, scripted_registry() as victim:
        link = ("Link", f'<{victim.url}{TAGS}>; rel="next"')
        server.on("GET", TAGS, Reply(headers=(link,), body=PAGE))

        error = await refusal_of(server)

        assert error.code == "link_refused"
        assert victim.connections == 0


async def test_a_redirect_for_ever_ends_registry_http_007() -> None:
    async with scripted_registry() as server:
        server.on("GET", TAGS, Reply(302, (("Location", TAGS),)))

        error = await refusal_of(server)

    assert error.code == "too_many_redirects"
    assert len(server.seen) == 6
