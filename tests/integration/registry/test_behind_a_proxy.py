"""A real registry with TLS of an authority of its own, on a port of its own, through a
real proxy that wants a password."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.certificates import an_authority
from support.channel_sink import message_sink
from support.channels import a_channel
from support.docker_registry import DockerRegistry, docker_registry, htpasswd
from support.images_oci import Pusher, made_image, made_layer
from support.proxies import TinyProxy, scripted_proxy, tinyproxy
from support.receivers import refused
from support.tolds import a_message
from weighbridge.cli.main import run

Capture = pytest.CaptureFixture[str]
OWNER, SECRET = "ann", "c4nary-of-registry"
ASKER, PROXY_SECRET = "bob", "c4nary-of-proxy"
IMAGE = made_image(made_layer("app", b"one layer" * 50))


@dataclass(frozen=True, slots=True)
class Behind:
    registry: DockerRegistry
    proxy: TinyProxy
    ca_file: str

    @property
    def asked(self) -> int:
        """How many connections the proxy was asked for."""
        return self.proxy.log.count(f"CONNECT {self.registry.address}")


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    folder = tmp_path_factory.mktemp("behind")
    authority = an_authority(folder)
    guard = htpasswd(folder, OWNER, SECRET)
    with docker_registry(
        folder / "registry", auth=guard, authority=authority
    ) as registry:
        signed_in = (OWNER, SECRET)
        with Pusher(registry.url, auth=signed_in, verify=registry.verify) as pusher:
            pusher.push("shop/app", IMAGE, "1.0", "1.1")
        with tinyproxy(folder / "proxy", ASKER, PROXY_SECRET, registry.port) as proxy:
            yield Behind(registry, proxy, str(authority.ca_file))


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))


def configured(behind: Behind, password: str = PROXY_SECRET, **keys: object) -> None:
    Path("proxy-password").write_text(f"{password}\n")
    proxy = {
        "url": behind.proxy.url,
        "username": ASKER,
        "password_file": "proxy-password",
    }
    entry = {
        "name": "hub",
        "url": behind.registry.url,
        "ca_file": behind.ca_file,
        "auth": {"username": OWNER, "password": SECRET},
        "proxy": proxy,
    }
    text = {"database_url": "sqlite:///w.db", "registries": [entry | keys]}
    Path("weighbridge.yaml").write_text(json.dumps(text))


def told(capsys: Capture, *arguments: str, code: int = 0) -> tuple[str, str]:
    assert run([*arguments]) == code
    out, err = capsys.readouterr()
    for secret in (SECRET, PROXY_SECRET):
        assert secret not in out + err
        for file in Path().glob("w.db*"):
            assert secret.encode() not in file.read_bytes()
    return out, err


def test_a_port_of_its_own_and_a_private_authority_are_crawled(
    behind: Behind, capsys: Capture
) -> None:
    configured(behind, proxy=None)
    before = behind.asked

    out, _ = told(capsys, "crawl", "-o", "json")

    found = json.loads(out)
    assert (found["tags"], found["errors"]) == (2, [])
    assert behind.asked == before


def test_a_private_authority_that_is_not_named_is_not_trusted(
    behind: Behind, capsys: Capture
) -> None:
    configured(behind, ca_file=None)

    out, err = told(capsys, "crawl", code=3)

    err += out
    assert "its certificate is not trusted" in err
    assert "ca_file" in err


def test_it_is_crawled_through_the_proxy(behind: Behind, capsys: Capture) -> None:
    configured(behind)
    before = behind.asked

    out, _ = told(capsys, "crawl", "-o", "json")

    found = json.loads(out)
    assert (found["tags"], found["images"], found["errors"]) == (2, 1, [])
    assert behind.asked > before


def test_it_is_checked_through_the_proxy(behind: Behind, capsys: Capture) -> None:
    configured(behind)
    before = behind.asked

    out, _ = told(capsys, "registry", "check", "hub", "-o", "json")

    found = json.loads(out)
    assert {step["result"] for step in found["steps"]} == {"fine"}
    assert found["certified_until"] > "2026"
    assert behind.asked > before


def test_a_wrong_password_is_said_of_the_proxy(behind: Behind, capsys: Capture) -> None:
    configured(behind, password="wr0ng-c4nary")

    out, err = told(capsys, "crawl", code=3)

    err += out
    assert f"the proxy {behind.proxy.url} answers 401" in err
    assert "password_file of this proxy" in err
    assert "wr0ng-c4nary" not in err


def test_variables_lead_no_crawl_through_a_proxy(
    behind: Behind, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    configured(behind, proxy=None)

    out, _ = told(capsys, "crawl", "-o", "json")

    assert json.loads(out)["errors"] == []


def test_the_configuration_is_shown_without_the_password(
    behind: Behind, capsys: Capture
) -> None:
    proxy = {"url": behind.proxy.url, "username": ASKER, "password": PROXY_SECRET}
    configured(behind, proxy=proxy)

    out, _ = told(capsys, "config", "show")

    assert behind.proxy.url in out


@pytest.mark.parametrize(
    ("proxy", "words"),
    [
        (f"http://bob:{PROXY_SECRET}@p.example:3128", "must be a mapping"),
        (
            {"url": f"http://bob:{PROXY_SECRET}@p.example:3128"},
            "use username and password_file beside it",
        ),
        ({"url": "http://p.example"}, "must name its port"),
        ({"url": "https://p.example:3128"}, "must start with http://"),
        ({"url": "http://p.example:3128/x"}, "no path"),
        ({"url": "http://p.example:3128", "username": "bob"}, "password_file  is miss"),
        ({"url": "http://p.example:3128", "password": "x"}, "username  is missing"),
        ({"username": "bob", "password": "x"}, "url  is missing"),
    ],
)
def test_a_proxy_that_is_none_is_told(
    behind: Behind, capsys: Capture, proxy: object, words: str
) -> None:
    configured(behind, proxy=proxy)

    out, err = told(capsys, "config", "check", code=2)

    assert words in out + err
    assert "proxy" in out + err


@pytest.mark.parametrize("kind", ["webhook", "slack"])
async def test_a_message_goes_through_the_proxy(tmp_path: Path, kind: str) -> None:
    authority = an_authority(tmp_path)
    tls = authority.server("127.0.0.1")
    (tmp_path / "proxy-password").write_text(PROXY_SECRET)
    async with message_sink(tls=tls) as sink, scripted_proxy() as proxy:
        keys: dict[str, object] = {
            "kind": kind,
            "url": sink.url,
            "ca_file": authority.ca_file,
            "proxy": {
                "url": proxy.url,
                "username": ASKER,
                "password_file": "proxy-password",
            },
        }
        async with a_channel(tmp_path, **keys) as channel:
            await channel.send(a_message())

            assert len(sink.taken) == len(proxy.heads) == 1
            assert "proxy-authorization" not in sink.taken[0].fields
            assert b"SECRET" not in proxy.passed
            assert "SECRET" not in proxy.heads[0]

            proxy.answer = b"HTTP/1.1 407 Who\r\n\r\n"
            error = await refused(channel.send(a_message()))

    assert error.code == "proxy_auth"
    assert "answers 407" in error.message
    assert "password_file" in error.hint
    assert "SECRET" not in error.message + error.hint
    assert PROXY_SECRET not in error.message + error.hint


async def test_variables_lead_no_message_through_a_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with message_sink() as sink, scripted_proxy() as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
            monkeypatch.setenv(name.lower(), proxy.url)
        async with a_channel(tmp_path, kind="webhook", url=sink.url) as channel:
            await channel.send(a_message())

    assert len(sink.taken) == 1
    assert proxy.heads == []
