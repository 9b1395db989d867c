"""A credential in a file that is replaced while a client is open."""

from pathlib import Path

import httpx
import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from support.registry_client import an_endpoint, asking
from weighbridge.config.file.regular_file import SeenFiles, read_secret_file
from weighbridge.domain.text.printable import Secret
from weighbridge.errors import AuthError
from weighbridge.registry.login.credentials import Credential
from weighbridge.registry.login.kept_login import KeptLogin

CHALLENGES = {
    "basic": 'Basic realm="shop"',
    "bearer": 'Bearer realm="https://registry.example/token",service="shop"',
}


class Guarded:
    """Takes what is valid: by Basic, by a token for Basic, or a token as it is."""

    def __init__(self, challenge: str) -> None:
        self.challenge = challenge
        self.valid = ""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        shown = request.headers.get("authorization")
        if request.url.path == "/token":
            if shown != self.valid:
                return httpx.Response(401)
            return httpx.Response(200, json={"token": "t", "expires_in": 60})
        if shown == ("Bearer t" if "Bearer" in self.challenge else self.valid):
            return httpx.Response(200, json={"name": "shop/cart", "tags": ["v1"]})
        return httpx.Response(401, headers={"www-authenticate": self.challenge})


def kept(path: Path, *, is_token: bool = False) -> KeptLogin:
    def read() -> Credential:
        secret = read_secret_file(path)
        return Credential(token=secret) if is_token else Credential("ann", secret)

    return KeptLogin(read(), SeenFiles.of([path]), read)


async def tags(registry: Guarded, login: KeptLogin) -> list[str]:
    now = await login.credential(None)
    endpoint = replace(an_endpoint(credential=now), login=login)
    client = asking(registry, endpoint).registry
    try:
        return [t.name async for page in client.tags("shop/cart") for t in page.tags]
    finally:
        await client.aclose()


@pytest.mark.parametrize("way", ["basic", "bearer", "token"])
async def test_a_secret_that_was_replaced_is_read_once_the_old_one_is_refused(
    way: str, tmp_path: Path
) -> None:
    path = tmp_path / "secret"
    path.write_text("old")
    login = kept(path, is_token=way == "token")
    path.write_text("a-new-one")
    registry = Guarded(CHALLENGES.get(way, CHALLENGES["basic"]))
    secret = Secret("a-new-one")
    shown = Credential(token=secret) if way == "token" else Credential("ann", secret)
    registry.valid = shown.authorization().reveal()

    assert await tags(registry, login) == ["v1"]


@pytest.mark.parametrize("then", ["absent", "empty", "unchanged"])
@pytest.mark.parametrize("way", ["basic", "bearer"])
async def test_a_file_that_cannot_be_used_leaves_the_refusal_and_is_told_once(
    way: str, then: str, tmp_path: Path
) -> None:
    path = tmp_path / "secret"
    path.write_text("old-canary")
    login = kept(path)
    if then == "absent":
        path.unlink()
    elif then == "empty":
        path.write_text("")

    with capture_logs() as told:
        for _ in range(2):
            with pytest.raises(AuthError) as refused:
                await tags(Guarded(CHALLENGES[way]), login)

    assert refused.value.code == "unauthorized"
    events = [entry["event"] for entry in told]
    assert events == ["credential_not_read_again"] * (then != "unchanged")
    assert "canary" not in repr(told)


def test_a_link_that_leads_elsewhere_is_a_change(tmp_path: Path) -> None:
    for state in ("one", "two"):
        (tmp_path / state).mkdir()
        (tmp_path / state / "password").write_text("same")
    link = tmp_path / "..data"
    link.symlink_to("one")
    seen = SeenFiles.of([link / "password"])

    before = seen.have_changed()
    link.unlink()
    absent = seen.have_changed()
    link.symlink_to("two")

    assert (before, absent, seen.have_changed()) == (False, False, True)
