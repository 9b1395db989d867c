"""`auth: ambient` at Azure: workload identity of Kubernetes."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from support.entra_replica import CLIENT, Entra, entra_replica
from support.fake_clock import FakeClock
from support.quay_replica.content import three_repositories
from support.sign_in_replicas import TENANT, SignInReplica, azure, sign_in_replica
from support.vendor_hosts import Request, hearing
from weighbridge.cli.main import run
from weighbridge.registry.kinds.acr.acr_registry import WorkloadIdentity
from weighbridge.registry.login.given_login import GivenLogin

ASSERTION, NEXT = "kube.c4nary.one", "kube.c4nary.two"
CANARY: Final = "c4nary"
Capture = pytest.CaptureFixture[str]


@contextmanager
def azure_cloud() -> Iterator[tuple[Entra, SignInReplica]]:
    replica = azure(three_repositories())
    replica.entra_tokens.add("of nobody")
    with (
        sign_in_replica(replica),
        entra_replica(Entra({ASSERTION}, replica.entra_tokens)) as entra,
    ):
        yield entra, replica


@pytest.fixture
def token_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "azure-identity-token"
    path.write_text(ASSERTION)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AZURE_TENANT_ID", TENANT)
    monkeypatch.setenv("AZURE_CLIENT_ID", CLIENT)
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(path))
    return path


def crawled(
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
    entra: Entra,
    replica: SignInReplica,
    code: int = 0,
) -> dict[str, Any]:
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", f"{entra.url}/")
    entry = {"name": "azure", "kind": "acr", "url": replica.url, "auth": "ambient"}
    text = {"database_url": "sqlite:///w.db", "registries": [entry]}
    Path("weighbridge.yaml").write_text(json.dumps(text))
    assert run(["crawl", "-o", "json"]) == code
    out, err = capsys.readouterr()
    assert CANARY not in out + err
    assert all(CANARY.encode() not in f.read_bytes() for f in Path().glob("w.db*"))
    found: dict[str, Any] = json.loads(out)
    return found


def test_a_pod_signs_in_by_its_own_token_and_shows_each_to_whom_it_is_for(
    token_file: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hearing() as heard, azure_cloud() as (entra, replica):
        done = crawled(capsys, monkeypatch, entra, replica)
        counts = replica.take_counts()

    assert done["tags"] == 254
    assert (entra.asked, counts["exchange"]) == (1, 1)
    # One for the catalog and one for each repository.
    assert counts["token_post"] == 4
    assert _shown(heard, ASSERTION) == {f"/{TENANT}/oauth2/v2.0/token"}
    assert _shown(heard, "entra.c4nary") == {"/oauth2/exchange"}
    assert _shown(heard, "refresh.c4nary") == {"/oauth2/token"}


def test_a_check_of_the_registry_signs_in_lists_and_weighs(
    token_file: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with azure_cloud() as (entra, replica):
        crawled(capsys, monkeypatch, entra, replica)

        assert run(["registry", "check", "azure"]) == 0
    out, err = capsys.readouterr()

    assert "signs in with: the credentials of this machine" in out
    assert CANARY not in out + err


def test_the_token_of_kubernetes_is_read_again_for_each_new_one(
    token_file: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with azure_cloud() as (entra, replica):
        crawled(capsys, monkeypatch, entra, replica)
        entra.assertions = {NEXT}
        token_file.write_text(NEXT)

        done = crawled(capsys, monkeypatch, entra, replica)

    assert (done["errors"], entra.asked) == ([], 2)


async def test_one_client_reads_the_file_again_for_its_next_token(
    tmp_path: Path,
) -> None:
    path = tmp_path / "token"
    path.write_text(ASSERTION)
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.content.decode())
        return httpx.Response(
            200, json={"access_token": "a", "refresh_token": f"r{len(asked)}"}
        )

    def client() -> httpx.AsyncClient:
        transport = httpx.MockTransport(answer)
        return httpx.AsyncClient(transport=transport, base_url="https://h.example")

    environ = {
        "AZURE_TENANT_ID": TENANT,
        "AZURE_CLIENT_ID": CLIENT,
        "AZURE_FEDERATED_TOKEN_FILE": str(path),
    }
    identity = WorkloadIdentity(environ, "h.example", client(), client())
    clock = FakeClock()
    login = GivenLogin(identity, identity.ask, clock.clock, identity.refused)

    first = await login.credential(None)
    path.write_text(NEXT)
    clock.advance(3_599)
    same = await login.credential(None)
    clock.advance(2)
    second = await login.credential(None)
    await identity.aclose()

    assert first == same != second
    assert [ASSERTION in asked[0], NEXT in asked[2]] == [True, True]
    assert len(asked) == 4


def test_a_token_that_ended_removes_nothing_and_says_what_to_do(
    token_file: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with azure_cloud() as (entra, replica):
        crawled(capsys, monkeypatch, entra, replica)
        entra.assertions.clear()

        failed = crawled(capsys, monkeypatch, entra, replica, code=3)
        entra.assertions.add(ASSERTION)
        again = crawled(capsys, monkeypatch, entra, replica)

    assert {error["code"] for error in failed["errors"]} == {"unauthorized"}
    error = failed["errors"][0]
    assert "it answered 401 (AADSTS700024)" in error["message"]
    assert f"workload identity {CLIENT} of Azure" in error["message"]
    assert (again["tags"], again["errors"]) == (254, [])


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("AZURE_CLIENT_ID", "", "AZURE_CLIENT_ID not set"),
        ("AZURE_TENANT_ID", "a/../b", "is no id"),
        ("AZURE_FEDERATED_TOKEN_FILE", "absent", "absent"),
    ],
)
def test_what_lacks_in_the_environment_is_named_and_nobody_is_asked(
    token_file: Path,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str,
    words: str,
) -> None:
    monkeypatch.setenv(name, value)
    with azure_cloud() as (entra, replica):
        failed = crawled(capsys, monkeypatch, entra, replica, code=3)

    assert words in failed["errors"][0]["message"]
    assert entra.asked == 0
    assert "exchange" not in replica.counts


@pytest.mark.parametrize(
    "url", ["http://login.example.com", "https://", "https://a@login.example.com", "::"]
)
def test_an_entra_that_is_no_https_address_is_not_asked(
    token_file: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    with azure_cloud() as (entra, replica):
        entra.url = url
        failed = crawled(capsys, monkeypatch, entra, replica, code=3)

    assert "AZURE_AUTHORITY_HOST is no https address" in json.dumps(failed["errors"])


def _shown(heard: list[Request], secret: str) -> set[str]:
    """Where it was sent to, in any part of a request."""
    return {
        asked.target
        for asked in heard
        if secret in f"{asked.target} {asked.headers} {asked.body.decode()}"
    }
