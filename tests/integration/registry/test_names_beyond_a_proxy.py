"""Registries whose names only the proxy knows: whatever is asked without it fails."""

from pathlib import Path
from urllib.parse import urlsplit

from msgspec.structs import replace

from support.docker_registry import docker_registry
from support.images_oci import Pusher, made_image
from support.proxies import scripted_proxy, scripted_proxy_in_thread
from support.quay_replica.configured import crawl_quay, quay_settings
from support.quay_replica.content import LARGE_TAGS, three_repositories
from support.quay_replica.serving import quay_replica
from support.quay_replica.state import a_quay
from support.real_registry import a_loopback_endpoint, connected
from support.scripted_registry import scripted_registry
from support.token_server import TokenIssuer
from weighbridge.domain.text.printable import Secret
from weighbridge.net.guard.addresses import Proxy, Reach
from weighbridge.registry.login.credentials import Credential

PROXY_SECRET = "c4nary-of-proxy"
OWNER = Credential("owner", Secret("correct horse"))
REPOSITORY = "/token?service=test+registry&scope=repository%3Ashop%2Fcart%3Apull"


def renamed(url: str, host: str) -> str:
    return f"http://{host}:{urlsplit(url).port}"


async def test_the_token_server_is_asked_through_the_proxy_too(tmp_path: Path) -> None:
    issuer = TokenIssuer(tmp_path, basic=OWNER.basic().reveal())
    folder, image = tmp_path / "registry", made_image()
    with docker_registry(folder) as filled, Pusher(filled.url) as pusher:
        pusher.push("shop/cart", image, "v1")
    async with scripted_registry() as tokens, scripted_proxy() as proxy:
        tokens.on("GET", REPOSITORY, issuer.reply, times=1)
        realm = renamed(tokens.url, "tokens.example")
        auth = issuer.auth_section(f"{realm}/token")
        with docker_registry(folder, auth=auth) as server:
            url = renamed(server.url, "registry.example")
            trusted = frozenset((urlsplit(realm).netloc,))
            endpoint = replace(
                a_loopback_endpoint(url, OWNER, trusted_realm_hosts=trusted),
                ceiling=Reach.PUBLIC,
                proxy=Proxy("127.0.0.1", proxy.port, lambda: ("bob", Secret("x"))),
            )
            async with connected(endpoint) as registry:
                digest = await registry.head_manifest("shop/cart", "v1")

    assert digest == image.digest
    places = {head.split(" ")[1] for head in proxy.heads}
    assert places == {urlsplit(url).netloc, urlsplit(realm).netloc}
    assert b"Proxy-Authorization" not in proxy.passed


def test_quay_with_its_api_and_its_storage_is_crawled_through_the_proxy(
    tmp_path: Path,
) -> None:
    (tmp_path / "proxy-password").write_text(f"{PROXY_SECRET}\n")
    content = three_repositories()
    with quay_replica(a_quay(content)) as quay, scripted_proxy_in_thread() as proxy:
        quay.url = renamed(quay.url, "quay.example")
        quay.storage_url = renamed(quay.storage_url, "storage.example")
        settings = quay_settings(
            tmp_path,
            quay,
            f"sqlite:///{tmp_path / 'weighbridge.db'}",
            namespaces=["library", "tutorial"],
            has_token=True,
            more={
                "plain_http": True,
                "proxy": {
                    "url": proxy.url,
                    "username": "bob",
                    "password_file": str(tmp_path / "proxy-password"),
                },
            },
        )

        done = crawl_quay(settings, measure=True)

    assert done.faults == ()
    assert done.tags == len(LARGE_TAGS) + 4
    assert quay.violations == []
    assert quay.counts["api"] > 0
    assert {head.split(" ")[1] for head in proxy.heads} == {
        urlsplit(quay.url).netloc,
        urlsplit(quay.storage_url).netloc,
    }
    assert b"Proxy-Authorization" not in proxy.passed
