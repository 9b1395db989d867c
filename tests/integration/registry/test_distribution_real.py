"""Our client against the registry that most people run."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.docker_registry import DockerRegistry, docker_registry, htpasswd
from support.images_oci import (
    OCI_INDEX,
    OCI_MANIFEST,
    Pusher,
    made_image,
    made_layer,
)
from support.real_registry import a_loopback_endpoint, connected
from weighbridge.domain.image.digest import Digest, digest_of
from weighbridge.domain.text.printable import Secret
from weighbridge.errors import AuthError, NotFound
from weighbridge.ports.protocols import RangeAnswer
from weighbridge.registry.kinds.distribution.distribution_registry import (
    DistributionRegistry,
)
from weighbridge.registry.login.credentials import Credential

IMAGE = made_image(
    made_layer("base", b"base " * 5000), made_layer("app", b"app " * 5000)
)
ARM = made_image(made_layer("base", b"arm " * 5000), architecture="arm64")
TAGS = [f"v{number}" for number in range(150)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    with docker_registry(tmp_path_factory.mktemp("registry")) as running:
        with Pusher(running.url) as pusher:
            pusher.push("shop/cart", IMAGE, *TAGS)
            pusher.push_index("shop/cart", "multi", [IMAGE, ARM])
            for number in range(120):
                pusher.push(f"many/r{number:03}", made_image(label=str(number)), "v1")
        yield running


async def tags_of(registry: DistributionRegistry, repository: str) -> list[str]:
    return [t.name async for page in registry.tags(repository) for t in page.tags]


async def test_the_catalog_is_read_to_its_end(server: DockerRegistry) -> None:
    async with connected(a_loopback_endpoint(server.url)) as registry:
        names = [n async for page in registry.repositories() for n in page.names]

    assert len(names) == len(set(names)) == 121
    assert "shop/cart" in names


async def test_all_tags_are_listed(server: DockerRegistry) -> None:
    async with connected(a_loopback_endpoint(server.url)) as registry:
        tags = await tags_of(registry, "shop/cart")

    assert sorted(tags) == sorted([*TAGS, "multi"])


async def test_head_and_get_agree_on_every_tag(server: DockerRegistry) -> None:
    async with connected(a_loopback_endpoint(server.url)) as registry:
        heads = await asyncio.gather(
            *(registry.head_manifest("shop/cart", tag) for tag in TAGS)
        )
        answer = await registry.get_manifest("shop/cart", "v0")
        by_digest = await registry.get_manifest("shop/cart", IMAGE.digest)

    assert set(heads) == {IMAGE.digest}
    assert answer.content == by_digest.content == IMAGE.manifest
    assert answer.digest == answer.claimed_digest == IMAGE.digest
    assert answer.content_type == OCI_MANIFEST
    assert registry.cost.by_operation == {"manifest_head": 150, "manifest_get": 2}


async def test_an_index_comes_as_an_index_and_not_as_one_of_its_images(
    server: DockerRegistry,
) -> None:
    async with connected(a_loopback_endpoint(server.url)) as registry:
        answer = await registry.get_manifest("shop/cart", "multi")

    assert answer.content_type == OCI_INDEX
    assert ARM.digest.encode() in answer.content


async def test_a_config_is_read_whole(server: DockerRegistry) -> None:
    digest = digest_of(IMAGE.config)
    async with connected(a_loopback_endpoint(server.url)) as registry:
        content = await registry.get_blob(
            "shop/cart", digest, len(IMAGE.config), 4_194_304
        )

    assert content == IMAGE.config


@pytest.mark.parametrize("wanted_bytes", [1, 8, 72])
async def test_the_tail_of_a_layer_costs_only_its_bytes(
    server: DockerRegistry, wanted_bytes: int
) -> None:
    layer = IMAGE.layers[0]
    last = len(layer) - 1
    async with connected(a_loopback_endpoint(server.url)) as registry:
        tail = await registry.get_range(
            "shop/cart", digest_of(layer), last - wanted_bytes + 1, last
        )

    assert tail == RangeAnswer(layer[-wanted_bytes:], len(layer))
    assert registry.cost.bytes_read == wanted_bytes


async def test_a_range_that_does_not_exist_says_how_long_the_blob_is(
    server: DockerRegistry,
) -> None:
    layer = IMAGE.layers[0]
    beyond = len(layer) + 100
    async with connected(a_loopback_endpoint(server.url)) as registry:
        answer = await registry.get_range(
            "shop/cart", digest_of(layer), beyond, beyond + 7
        )

    assert answer == RangeAnswer(b"", len(layer))


async def test_a_head_says_how_long_a_layer_is(server: DockerRegistry) -> None:
    layer = IMAGE.layers[0]
    async with connected(a_loopback_endpoint(server.url)) as registry:
        length = await registry.blob_length("shop/cart", digest_of(layer))

    assert length == len(layer)
    assert registry.cost.by_operation == {"blob_head": 1}


async def test_what_is_not_there_is_told_apart(server: DockerRegistry) -> None:
    nothing = Digest("sha256:" + "0" * 64)
    async with connected(a_loopback_endpoint(server.url)) as registry:
        with pytest.raises(NotFound) as no_repository:
            await tags_of(registry, "shop/gone")
        with pytest.raises(NotFound) as no_tag:
            await registry.get_manifest("shop/cart", "gone")
        with pytest.raises(NotFound) as no_blob:
            await registry.get_blob("shop/cart", nothing, 10, 100)

    assert no_repository.value.code == "name_unknown"
    assert no_tag.value.code == "manifest_unknown"
    assert no_blob.value.code == "blob_unknown"


async def test_a_registry_that_wants_shorter_pages_is_listed_all_the_same(
    tmp_path: Path,
) -> None:
    settings = {"catalog": {"maxentries": 2}}
    with docker_registry(tmp_path, settings=settings) as server:
        with Pusher(server.url) as pusher:
            for name in "abcde":
                pusher.push(name, IMAGE, "v1")
        async with connected(a_loopback_endpoint(server.url)) as registry:
            pages = [page.names async for page in registry.repositories()]

    assert [name for names in pages for name in names] == list("abcde")


async def test_a_repository_whose_tags_are_gone_is_empty(tmp_path: Path) -> None:
    with docker_registry(tmp_path) as server:
        with Pusher(server.url) as pusher:
            pusher.delete_manifest("shop/cart", pusher.push("shop/cart", IMAGE, "v1"))
        async with connected(a_loopback_endpoint(server.url)) as registry:
            tags = await tags_of(registry, "shop/cart")

    assert tags == []


async def test_htpasswd_lets_the_right_user_in_and_no_other(tmp_path: Path) -> None:
    auth = htpasswd(tmp_path, "owner", "correct horse")
    with docker_registry(tmp_path, auth=auth) as server:
        with Pusher(server.url, auth=("owner", "correct horse")) as pusher:
            pusher.push("shop/cart", IMAGE, "v1")
        owner = Credential("owner", Secret("correct horse"))
        stranger = Credential("owner", Secret("wrong"))

        async with connected(a_loopback_endpoint(server.url, owner)) as registry:
            tags = await tags_of(registry, "shop/cart")
            head = await registry.head_manifest("shop/cart", "v1")
        for credential in (stranger, None):
            endpoint = a_loopback_endpoint(server.url, credential)
            async with connected(endpoint) as registry:
                with pytest.raises(AuthError) as refused:
                    await tags_of(registry, "shop/cart")
            assert refused.value.code == "unauthorized"

    assert (tags, head) == (["v1"], IMAGE.digest)
