"""The smallest question: is it a registry, and does it let us in?"""

import httpx
import pytest

from support.hub_client import asking_hub
from weighbridge.errors import RegistryError


def a_registry(request: httpx.Request) -> httpx.Response:
    """Docker Hub's: it wants a token, and gives one to everybody."""
    if request.url.path == "/token":
        return httpx.Response(200, json={"token": "t"})
    if request.headers.get("authorization") == "Bearer t":
        return httpx.Response(200, json={})
    realm = f"https://{request.url.host}/token"
    challenge = f'Bearer realm="{realm}?scope=repository:other/one:pull",service="s"'
    return httpx.Response(401, headers={"www-authenticate": challenge})


async def test_docker_hub_is_asked_for_no_image_and_its_api_for_nothing() -> None:
    asking = asking_hub(registry=a_registry)

    await asking.hub.ping()

    asked = [request.url.path for request in asking.registry.requests]
    assert asked == ["/v2/", "/token", "/v2/"]
    assert asking.api.requests == []
    assert asking.hub.cost.by_operation == {"ping": 2, "token": 1}


async def test_the_token_is_for_nothing_in_particular() -> None:
    """Whatever the registry's own challenge names."""
    asking = asking_hub(registry=a_registry)

    await asking.hub.ping()

    (token,) = [
        request for request in asking.registry.requests if request.url.path == "/token"
    ]
    assert dict(token.url.params) == {"service": "s"}


@pytest.mark.parametrize("status", [403, 404, 500])
async def test_whatever_is_not_good_is_an_error(status: int) -> None:
    asking = asking_hub(registry=lambda _: httpx.Response(status))

    with pytest.raises(RegistryError):
        await asking.hub.ping()
