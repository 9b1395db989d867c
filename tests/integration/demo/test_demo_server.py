"""The demo registry on a real port, asked by a plain HTTP client."""

import hashlib
import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import closing, suppress
from urllib.parse import urlsplit

import pytest

from weighbridge.demo.content.stored_documents import RegistryContent
from weighbridge.demo.http.server import DemoServer, RunningDemo
from weighbridge.demo.story import demo_content

MANIFEST = "/v2/shop/api/manifests/latest"


@pytest.fixture
def registry() -> Iterator[RunningDemo]:
    running = RunningDemo(demo_content())
    yield running
    running.close()


def connect(registry: RunningDemo) -> http.client.HTTPConnection:
    host = urlsplit(registry.url).netloc
    return http.client.HTTPConnection(host, timeout=10)


def said(registry: RunningDemo, raw: bytes) -> bytes:
    """Everything that the server says to these bytes until it closes."""
    parts = urlsplit(registry.url)
    address = (str(parts.hostname), int(str(parts.port)))
    with socket.create_connection(address, timeout=10) as client:
        client.sendall(raw)
        return b"".join(iter(lambda: client.recv(65_536), b""))


def test_one_connection_answers_one_request_after_another(
    registry: RunningDemo,
) -> None:
    with closing(connect(registry)) as client:
        for _ in range(3):
            client.request("GET", MANIFEST)
            reply = client.getresponse()
            body = reply.read()
            assert reply.getheader("Docker-Distribution-API-Version") == "registry/2.0"
            digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
            assert reply.getheader("Docker-Content-Digest") == digest

    assert registry.server.requests == {"get_manifest": 3}


def test_head_tells_the_length_and_sends_no_body(registry: RunningDemo) -> None:
    with closing(connect(registry)) as client:
        client.request("HEAD", MANIFEST)
        head = client.getresponse()
        assert head.read() == b""
        client.request("GET", MANIFEST)
        body = client.getresponse().read()

    assert head.getheader("Content-Length") == str(len(body))


def test_the_tail_of_a_large_layer_is_a_gzip_trailer(registry: RunningDemo) -> None:
    with closing(connect(registry)) as client:
        client.request("GET", MANIFEST)
        manifest = json.loads(client.getresponse().read())
        layer = max(manifest["layers"], key=lambda layer: int(layer["size"]))
        total = int(layer["size"])
        client.request(
            "GET",
            f"/v2/shop/api/blobs/{layer['digest']}",
            headers={"Range": f"bytes={total - 8}-{total - 1}"},
        )
        reply = client.getresponse()
        tail = reply.read()

    assert (reply.status, len(tail)) == (206, 8)
    assert int.from_bytes(tail[4:], "little") == 1_338_900_480


def test_a_whole_layer_is_streamed_to_its_length(registry: RunningDemo) -> None:
    with closing(connect(registry)) as client:
        client.request("GET", MANIFEST)
        layer = json.loads(client.getresponse().read())["layers"][1]
        client.request("GET", f"/v2/shop/api/blobs/{layer['digest']}")
        content = client.getresponse().read()

    assert len(content) == layer["size"] == 5_163_370


def test_requests_that_come_together_are_answered_in_order(
    registry: RunningDemo,
) -> None:
    one = b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n"
    last = b"HEAD /v2/no HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

    reply = said(registry, one * 50 + last)

    assert reply.count(b"HTTP/1.1 200 OK") == 50
    assert reply.rindex(b"HTTP/1.1 404") > reply.rindex(b"HTTP/1.1 200")


def test_a_request_in_pieces_is_one_request(registry: RunningDemo) -> None:
    parts = urlsplit(registry.url)
    address = (str(parts.hostname), int(str(parts.port)))
    with socket.create_connection(address, timeout=10) as client:
        for piece in (b"GET /v2/ HT", b"TP/1.0\r\nHost: x\r", b"\n\r\n"):
            client.sendall(piece)
        reply = b"".join(iter(lambda: client.recv(65_536), b""))

    assert reply.startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01", b"400"),
        (b"GET /v2/\r\n\r\n", b"400"),
        (b"GET /v2/ HTTP/2\r\n\r\n", b"400"),
        (b"GET /v2/ HTTP/1.1\r\nX: " + b"a" * 20_000, b"431"),
        (b"POST /v2/ HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", b"405"),
        (b"GET /v2/ HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", b"200"),
    ],
    ids=["tls", "no-version", "http-2", "long-head", "post", "body"],
)
def test_what_is_no_plain_get_is_answered_and_the_connection_closed(
    registry: RunningDemo, raw: bytes, status: bytes
) -> None:
    reply = said(registry, raw)

    assert reply.startswith(b"HTTP/1.1 " + status)
    assert b"Connection: close" in reply


def test_accept_may_be_spread_over_several_lines(registry: RunningDemo) -> None:
    index = b"application/vnd.oci.image.index.v1+json"
    raw = (
        b"GET /v2/shop/web/manifests/latest HTTP/1.1\r\nAccept: " + index
        + b"\r\nAccept: text/plain\r\nConnection: close\r\n\r\n"
    )  # fmt: skip

    assert said(registry, raw).startswith(b"HTTP/1.1 200")


def test_the_content_can_be_replaced_under_the_same_address(
    registry: RunningDemo,
) -> None:
    registry.server.content = demo_content(0)

    reply = said(registry, b"HEAD /v2/shop/api/manifests/1.5.0 HTTP/1.0\r\n\r\n")

    assert reply.startswith(b"HTTP/1.1 404")


def test_close_drops_connections_that_are_idle(registry: RunningDemo) -> None:
    with closing(connect(registry)) as client:
        client.request("GET", "/v2/")
        client.getresponse().read()

        registry.close()

        assert client.sock is not None
        with suppress(ConnectionError):
            assert client.sock.recv(1) == b""


def test_a_port_that_is_taken_is_an_error_of_start(registry: RunningDemo) -> None:
    port = urlsplit(registry.url).port
    assert port is not None

    with pytest.raises(OSError, match="address"):
        RunningDemo(demo_content(), port)


async def test_the_async_server_starts_and_closes_twice() -> None:
    content: RegistryContent = demo_content()
    server = DemoServer(content)
    await server.start()

    assert server.url.startswith("http://127.0.0.1:")
    await server.close()
    await server.close()


def test_a_server_that_was_not_started_has_no_url() -> None:
    with pytest.raises(RuntimeError, match="not been started"):
        _ = DemoServer(demo_content()).url
