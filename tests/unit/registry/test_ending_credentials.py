"""Credentials that end, where a registry wants HTTP Basic."""

import httpx
import pytest
from msgspec.structs import replace

from support.registry_client import an_endpoint, asking
from weighbridge.domain.text.printable import Secret
from weighbridge.errors import AuthError
from weighbridge.registry.login.credentials import Credential


class CountedLogin:
    """A new password each time; the one at hand until it is refused."""

    def __init__(self) -> None:
        self.given: list[Credential] = []

    def __str__(self) -> str:
        return "the owner of counted passwords"

    async def credential(self, refused: Secret | None) -> Credential:
        if not self.given or self.given[-1].basic() == refused:
            number = len(self.given) + 1
            self.given.append(Credential("counted", Secret(f"password-{number}")))
        return self.given[-1]


class BasicRegistry:
    """Takes one password at a time; None: none."""

    def __init__(self) -> None:
        self.valid: str | None = "password-1"
        self.refusals = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        valid = self.valid and Credential("counted", Secret(self.valid)).basic()
        if valid and request.headers.get("authorization") == valid.reveal():
            return httpx.Response(200, json={"name": "shop/cart", "tags": ["v1"]})
        self.refusals += 1
        challenge = {"www-authenticate": 'Basic realm="shop"'}
        return httpx.Response(401, headers=challenge)


async def read(registry: BasicRegistry, login: CountedLogin, times: int = 1) -> None:
    client = asking(registry, replace(an_endpoint(), login=login)).registry
    for _ in range(times):
        assert [page.tags[0].name async for page in client.tags("shop/cart")]
        if times > 1:
            registry.valid = f"password-{len(login.given) + 1}"
    await client.aclose()


async def test_a_credential_is_asked_for_once_a_request_needs_it() -> None:
    registry, login = BasicRegistry(), CountedLogin()

    await read(registry, login)

    assert (len(login.given), registry.refusals) == (1, 1)


async def test_one_that_has_ended_is_replaced_and_the_request_repeated() -> None:
    registry, login = BasicRegistry(), CountedLogin()

    await read(registry, login, times=3)

    assert (len(login.given), registry.refusals) == (3, 3)


async def test_a_registry_that_takes_none_is_not_asked_for_ever() -> None:
    registry, login = BasicRegistry(), CountedLogin()
    registry.valid = None

    with pytest.raises(AuthError) as caught:
        await read(registry, login)

    assert caught.value.code == "unauthorized"
    assert "as the owner of counted passwords" in caught.value.message
    assert len(login.given) <= 4
