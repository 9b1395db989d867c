"""Tokens, against a registry that really checks them."""

import asyncio
from pathlib import Path

import pytest

from support.docker_registry import docker_registry
from support.images_oci import Pusher, made_image
from support.real_registry import a_loopback_endpoint, connected
from support.scripted_registry import Reply, scripted_registry
from support.token_server import SERVICE, TokenIssuer
from weighbridge.domain.text.printable import Secret
from weighbridge.errors import AuthError
from weighbridge.registry.exchange.endpoint import Endpoint
from weighbridge.registry.kinds.distribution.distribution_registry import (
    DistributionRegistry,
)
from weighbridge.registry.login.credentials import Credential

IMAGE = made_image()
OWNER = Credential("owner", Secret("correct horse"))
REPOSITORY = "/token?service=test+registry&scope=repository%3Ashop%2Fcart%3Apull"
CATALOG = "/token?service=test+registry&scope=registry%3Acatalog%3A%2A"


def filled(folder: Path, *tags: str) -> None:
    """A registry's folder with one image in it."""
    with docker_registry(folder) as open_registry, Pusher(open_registry.url) as pusher:
        pusher.push("shop/cart", IMAGE, *tags)


async def tags_of(registry: DistributionRegistry) -> list[str]:
    return [tag.name async for page in registry.tags("shop/cart") for tag in page.tags]


def endpoint_of(url: str, port: int, credential: Credential | None = OWNER) -> Endpoint:
    hosts = frozenset((f"127.0.0.1:{port}",))
    return a_loopback_endpoint(url, credential, trusted_realm_hosts=hosts)


async def test_catalog_and_tags_are_read_with_tokens_for_just_that(
    tmp_path: Path,
) -> None:
    assert SERVICE == "test registry"
    filled(tmp_path / "registry", "v1")
    issuer = TokenIssuer(tmp_path, basic=OWNER.basic().reveal())
    async with scripted_registry() as tokens:
        tokens.on("GET", CATALOG, issuer.reply, times=1)
        tokens.on("GET", REPOSITORY, issuer.reply, times=1)
        auth = issuer.auth_section(f"{tokens.url}/token")
        with docker_registry(tmp_path / "registry", auth=auth) as server:
            endpoint = endpoint_of(server.url, tokens.port)
            async with connected(endpoint) as registry:
                names = [
                    n async for page in registry.repositories() for n in page.names
                ]
                tags = await tags_of(registry)
                await registry.get_manifest("shop/cart", "v1")

    assert (names, tags) == (["shop/cart"], ["v1"])
    assert issuer.scopes == ["registry:catalog:*", "repository:shop/cart:pull"]


async def test_a_token_that_ends_during_a_crawl_is_replaced_registry_auth_017(
    tmp_path: Path,
) -> None:
    tags = [f"v{number}" for number in range(30)]
    filled(tmp_path / "registry", *tags)
    # The registry takes a token 60 s longer than it says, so it begins expired.
    issuer = TokenIssuer(tmp_path, basic=OWNER.basic().reveal())
    async with scripted_registry() as tokens:
        tokens.on("GET", REPOSITORY, issuer.reply)
        auth = issuer.auth_section(f"{tokens.url}/token")
        with docker_registry(tmp_path / "registry", auth=auth) as server:
            endpoint = endpoint_of(server.url, tokens.port)
            async with connected(endpoint) as registry:
                issuer.lasts_s = -56
                listed = await tags_of(registry)
                await asyncio.sleep(4.5)  # the registry's clock cannot be moved
                issuer.lasts_s = 300
                digests = await asyncio.gather(
                    *(registry.head_manifest("shop/cart", tag) for tag in listed)
                )

    assert sorted(listed) == sorted(tags)
    assert digests == [IMAGE.digest] * len(tags)
    assert len(issuer.scopes) == 2


async def test_a_token_server_that_is_not_trusted_sees_nothing_registry_auth_002(
    tmp_path: Path,
) -> None:
    issuer = TokenIssuer(tmp_path)
    async with scripted_registry() as tokens:
        auth = issuer.auth_section(f"{tokens.url}/token")
        with docker_registry(tmp_path / "registry", auth=auth) as server:
            for credential in (OWNER, None):
                endpoint = a_loopback_endpoint(server.url, credential)
                async with connected(endpoint) as registry:
                    with pytest.raises(AuthError) as refused:
                        await tags_of(registry)
                assert refused.value.code == "realm_refused"
                assert f"'127.0.0.1:{tokens.port}'" in refused.value.hint

        assert tokens.connections == 0


async def test_a_wrong_password_is_refused_by_the_token_server(tmp_path: Path) -> None:
    issuer = TokenIssuer(tmp_path, basic=OWNER.basic().reveal())
    stranger = Credential("owner", Secret("wrong"))
    async with scripted_registry() as tokens:
        rule = tokens.on("GET", REPOSITORY, issuer.reply)
        auth = issuer.auth_section(f"{tokens.url}/token")
        with docker_registry(tmp_path / "registry", auth=auth) as server:
            endpoint = endpoint_of(server.url, tokens.port, stranger)
            async with connected(endpoint) as registry:
                with pytest.raises(AuthError) as refused:
                    await tags_of(registry)

    assert refused.value.code == "unauthorized"
    assert rule.hits == 1


async def test_a_realm_at_the_registry_itself_is_asked_registry_auth_012() -> None:
    async with scripted_registry() as server:
        challenge = f'Bearer realm="{server.url}/token",service="s"'
        server.on(
            "GET",
            "/v2/shop/cart/tags/list?n=1000",
            Reply(401, (("WWW-Authenticate", challenge),)),
            shows="",
        )
        server.on(
            "GET",
            "/token?service=s&scope=repository%3Ashop%2Fcart%3Apull",
            Reply(body=b'{"access_token":"abc"}'),
            shows=OWNER.basic().reveal(),
        )
        server.on(
            "GET",
            "/v2/shop/cart/tags/list?n=1000",
            Reply(body=b'{"name":"shop/cart","tags":["v1"]}'),
            shows="Bearer abc",
        )
        async with connected(a_loopback_endpoint(server.url, OWNER)) as registry:
            tags = await tags_of(registry)

    assert tags == ["v1"]
