"""A real registry below a path: by its own setting, and by a proxy before it that takes
the path away, of which the registry knows nothing."""

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from support.docker_registry import docker_registry
from support.images_oci import Pusher, made_image, made_layer
from support.listening import listening_in_thread
from support.real_registry import a_loopback_endpoint, connected
from support.scripted_registry import Reply, scripted_registry
from weighbridge.cli.main import run
from weighbridge.domain.image.digest import digest_of

Capture = pytest.CaptureFixture[str]
PREFIX = "/Team_1/docker"
REPOSITORIES = [f"shop/app{number}" for number in range(5)]


class _Before:
    """Passes requests on without the prefix, answers 404 to all others, and makes every
    page two entries long."""

    def __init__(self, prefix: bytes, port: int, asked: list[str]) -> None:
        self._prefix = prefix
        self._port = port
        self._asked = asked

    async def __call__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        inner, outer = await asyncio.open_connection("127.0.0.1", self._port)
        back = asyncio.create_task(_copy(inner, writer))
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                method, target, rest = head.split(b" ", 2)
                self._asked.append(target.decode())
                if not target.startswith(self._prefix + b"/"):
                    writer.write(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")
                    continue
                inside = target.removeprefix(self._prefix)
                inside = inside.replace(b"n=1000", b"n=2")
                outer.write(b"%s %s %s" % (method, inside, rest))
        finally:
            back.cancel()
            outer.close()
            with suppress(OSError, asyncio.CancelledError):
                await outer.wait_closed()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture(params=["its own", "a proxy's"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Of a registry with five repositories of one image, below the prefix alone."""
    is_own = request.param == "its own"
    prefix = PREFIX if is_own else ""
    image = made_image(made_layer("app", b"one layer" * 50))
    with docker_registry(tmp_path / "registry", prefix=prefix) as registry:
        with Pusher(registry.url) as pusher:
            for name in REPOSITORIES:
                pusher.push(name, image, "1.0")
        if is_own:
            yield registry.url
            return
        asked: list[str] = []
        before = _Before(PREFIX.encode(), registry.port, asked)
        with listening_in_thread(before) as port:
            yield f"http://127.0.0.1:{port}{PREFIX}"
        # The catalog was really read by pages.
        assert any("last=" in target for target in asked if "_catalog" in target)


def configured(url: str) -> None:
    entry = {"name": "team", "url": url}
    text = {"database_url": "sqlite:///w.db", "registries": [entry]}
    Path("weighbridge.yaml").write_text(json.dumps(text))


def told(capsys: Capture, *arguments: str, code: int = 0) -> str:
    assert run([*arguments]) == code
    out, err = capsys.readouterr()
    return out + err if code else out


def test_a_registry_below_a_prefix_is_crawled_checked_and_weighed(
    url: str, capsys: Capture
) -> None:
    configured(f"{url}/")

    crawled = json.loads(told(capsys, "crawl", "-o", "json"))
    again = json.loads(told(capsys, "crawl", "team", "-o", "json"))
    checked = json.loads(told(capsys, "registry", "check", "team", "-o", "json"))
    weighed = json.loads(told(capsys, "inspect", "team/shop/app3:1.0", "-o", "json"))
    part = json.loads(told(capsys, "crawl", "team/shop/app1", "-o", "json"))

    for found in (crawled, again):
        assert (found["repositories"], found["tags"], found["errors"]) == (5, 5, [])
    assert {step["result"] for step in checked["steps"]} == {"fine"}
    assert checked["kind"] == "distribution"
    assert weighed["repository"] == "shop/app3"
    assert weighed["images"][0]["compressed_bytes"] > 0
    assert (part["repositories"], part["errors"]) == (1, [])
    with closing(sqlite3.connect("w.db")) as connection:
        rows = connection.execute("SELECT address FROM registries").fetchall()
    assert rows == [(url,)]


async def test_realm_and_redirects_of_a_registry_below_a_prefix_are_followed() -> None:
    config = b'{"os":"linux"}'
    digest = digest_of(config)
    async with scripted_registry() as server:
        blob = f"/team/v2/shop/app/blobs/{digest}"
        realm = f'Bearer realm="{server.url}/team/token",service="s"'
        scope = "service=s&scope=repository%3Ashop%2Fapp%3Apull"
        server.on("GET", blob, Reply(401, (("WWW-Authenticate", realm),)), shows="")
        server.on("GET", f"/team/token?{scope}", Reply(body=b'{"token":"abc"}'))
        server.on(
            "GET",
            blob,
            Reply(307, (("Location", "/team/storage/x"),)),
            shows="Bearer abc",
        )
        server.on("GET", "/team/storage/x", Reply(body=config))
        endpoint = a_loopback_endpoint(f"{server.url}/team")
        async with connected(endpoint) as registry:
            content = await registry.get_blob("shop/app", digest, len(config), 1024)

    assert content == config


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("https://r.example/team/v2/", "must end before /v2"),
        ("https://r.example/a/../b", "has a path with more than segments"),
        ("https://r.example/a%2fb", "has a path with more than segments"),
        ("https://r.example/a//b", "has a path with more than segments"),
        ("https://r.example/a?b", "no query"),
        ("https://u:p@r.example/a", "must not hold a user or password"),
        ("https://quay.io/a", "must end after the host"),
        ("https://ghcr.io/a", "must end after the host"),
        ("https://docker.io/a", "must end after the host"),
    ],
)
def test_a_path_that_can_be_no_prefix_is_told(
    capsys: Capture, written: str, words: str
) -> None:
    configured(written)

    assert words in told(capsys, "config", "check", code=2)


def test_two_prefixes_of_a_host_are_two_registries(capsys: Capture) -> None:
    registries = [
        {"name": name, "url": f"https://r.example/{path}"}
        for name, path in (("one", "A"), ("two", "a"), ("three", ""))
    ]
    text = {"database_url": "sqlite:///w.db", "registries": registries}
    Path("weighbridge.yaml").write_text(json.dumps(text))

    told(capsys, "config", "check")
