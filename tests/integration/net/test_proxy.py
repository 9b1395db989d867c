"""Connections through a proxy: what it sees, what the server sees, and what becomes of
a proxy that does not do its part."""

import base64
from pathlib import Path

import pytest

from support.asking import a_request, open_until_done
from support.certificates import an_authority
from support.proxies import OPENED, ScriptedProxy, scripted_proxy
from support.recording_server import recording_server
from support.resolvers import ScriptedResolver
from weighbridge.domain.text.printable import Secret
from weighbridge.errors import AddressRefused, ConfigError, TransportError
from weighbridge.net.connection.connect import client_tls
from weighbridge.net.connections import Connections, PoolRules
from weighbridge.net.guard.addresses import Proxy, Reach
from weighbridge.net.transport import follow

CANARY = "c4nary:of p@ss"


def login() -> tuple[str, Secret]:
    return "ann", Secret(CANARY)


def through(
    proxy: ScriptedProxy,
    ca_file: str | None = None,
    *,
    connect_s: float = 10.0,
) -> Connections:
    return Connections(
        tls=client_tls(ca_file) if ca_file else None,
        rules=PoolRules(connect_s=connect_s),
        proxy=Proxy("127.0.0.1", proxy.port, login),
    )


async def test_tls_stays_end_to_end_and_the_proxy_learns_the_name_alone(
    tmp_path: Path,
) -> None:
    authority = an_authority(tmp_path)
    tls = authority.server("r.example")
    async with recording_server(tls=tls) as server, scripted_proxy() as proxy:
        place = f"r.example:{server.port}"
        ask = a_request(
            f"https://{place}/v2/secret-path",
            secret_headers=(("Authorization", "Bearer canary"),),
            ceiling=Reach.PUBLIC,
        )
        async with open_until_done(through(proxy, authority.ca_file)) as connections:
            answers = [(await follow(connections, ask))[0].body for _ in range(3)]

    assert answers == [b"hello"] * 3
    pair = base64.b64encode(f"ann:{CANARY}".encode()).decode()
    # A connection rests between two requests: another may have been opened.
    assert set(proxy.heads) == {
        f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n"
        f"Proxy-Authorization: Basic {pair}\r\n\r\n"
    }
    assert b"secret-path" not in proxy.passed
    assert b"canary" not in proxy.passed
    assert len(server.seen) == 3
    for seen in server.seen:
        assert "proxy-authorization" not in seen.fields
        assert seen.fields["authorization"] == "Bearer canary"


async def test_plain_http_goes_through_a_tunnel_too() -> None:
    async with recording_server() as server, scripted_proxy() as proxy:
        ask = a_request(f"http://r.example:{server.port}/v2/", ceiling=Reach.PUBLIC)
        async with open_until_done(through(proxy)) as connections:
            assert (await follow(connections, ask))[0].body == b"hello"

    assert [head.split(" ")[0] for head in proxy.heads] == ["CONNECT"]
    assert [seen.target for seen in server.seen] == ["/v2/"]
    assert "proxy-authorization" not in server.seen[0].fields
    assert b"Proxy-" not in proxy.passed


async def test_a_redirect_goes_through_the_same_proxy() -> None:
    async with (
        recording_server() as server,
        recording_server() as storage,
        scripted_proxy() as proxy,
    ):
        server.redirect("/blob", f"http://s3.example:{storage.port}/x")
        ask = a_request(f"http://r.example:{server.port}/blob", ceiling=Reach.PUBLIC)
        async with open_until_done(through(proxy)) as connections:
            assert (await follow(connections, ask))[0].body == b"hello"

    assert [head.split(" ")[1] for head in proxy.heads] == [
        f"r.example:{server.port}",
        f"s3.example:{storage.port}",
    ]
    assert len(storage.seen) == 1


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "0x7f.1", "2130706433", "10.0.0.1", "registry", "a.internal"]
)
async def test_a_redirect_to_a_near_host_is_refused_before_the_proxy_is_asked(
    host: str,
) -> None:
    async with recording_server() as server, scripted_proxy() as proxy:
        server.redirect("/blob", f"http://{host}:{server.port}/inside")
        ask = a_request(f"http://r.example:{server.port}/blob", ceiling=Reach.PUBLIC)
        async with open_until_done(through(proxy)) as connections:
            with pytest.raises(AddressRefused) as refused:
                await follow(connections, ask)

    assert refused.value.code == "redirect_refused"
    assert len(proxy.heads) == 1


async def test_variables_of_the_environment_name_no_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with recording_server() as server, scripted_proxy() as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
            monkeypatch.setenv(name.lower(), proxy.url)
        async with open_until_done(Connections()) as connections:
            await follow(connections, a_request(f"{server.origin}/v2/"))
        monkeypatch.setenv("NO_PROXY", "*")
        async with open_until_done(through(proxy)) as connections:
            await follow(connections, a_request(f"{server.origin}/v2/"))

    # Only the one that was configured, and NO_PROXY does not take it away.
    assert len(proxy.heads) == 1


@pytest.mark.parametrize(
    ("answer", "code", "retryable", "words"),
    [
        (b"HTTP/1.1 407 %s\r\n\r\n", "proxy_auth", False, "answers 407"),
        (b"HTTP/1.0 401 No\r\n\r\n", "proxy_auth", False, "answers 401"),
        (b"HTTP/1.1 403 No\r\n\r\nno", "proxy_refused", False, "answers 403"),
        (b"HTTP/1.1 405 No\r\n\r\n", "proxy_refused", False, "answers 405"),
        (b"HTTP/1.1 302 Go\r\nLocation: http://x/\r\n\r\n", "proxy_refused", False, ""),
        (b"HTTP/1.1 502 Bad\r\n\r\n", "proxy_unavailable", True, "answers 502"),
        (b"HTTP/1.1 504 Late\r\n\r\n", "proxy_unavailable", True, "answers 504"),
        (b"HTTP/1.1 429 Busy\r\n\r\n", "proxy_unavailable", True, "answers 429"),
        (b"SSH-2.0-OpenSSH\r\n", "proxy_bad_answer", True, "like HTTP/1.1"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", "proxy_bad_answer", True, "status line"),
        (b"HTTP/1.1 200 OK\n\n\r\n\r\n", "proxy_bad_answer", True, "status line"),
        (b"HTTP/1.1 101 Go\r\n\r\n", "proxy_bad_answer", True, "protocol"),
        (b"HTTP/1.1 100 Go\r\n\r\n", "proxy_bad_answer", True, "with 100"),
        (OPENED + b"HTTP/1.1 200 OK\r\n", "proxy_bad_answer", True, "bytes follow"),
        (
            b"HTTP/1.1 200 OK\r\nX: " + b"x" * 8192 + b"\r\n\r\n",
            "proxy_bad_answer",
            True,
            "more than 8192 bytes",
        ),
        (b"HTTP/1.1 200 OK\r\n", "proxy_closed", True, "ended the connection"),
        (b"", "proxy_closed", True, "ended the connection"),
    ],
)
async def test_a_proxy_that_opens_no_tunnel_is_named(
    answer: bytes, code: str, retryable: bool, words: str
) -> None:
    """Whatever it says, a word of it is not shown: it may say the password."""
    echoed = answer.replace(b"%s", CANARY.encode())
    async with recording_server() as server, scripted_proxy() as proxy:
        proxy.answer = echoed
        ask = a_request(f"http://r.example:{server.port}/v2/", ceiling=Reach.PUBLIC)
        async with open_until_done(through(proxy)) as connections:
            with pytest.raises(TransportError) as failed:
                await follow(connections, ask)

    error = failed.value
    assert (error.code, error.retryable) == (code, retryable)
    assert f"the proxy {proxy.url}" in error.message
    assert words in error.message
    assert error.hint
    assert CANARY not in repr(error) + error.message + error.hint
    assert server.connections == 0


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nX: "])
async def test_a_proxy_that_hangs_is_named(answer: bytes) -> None:
    async with scripted_proxy() as proxy:
        proxy.answer, proxy.hangs = answer, True
        ask = a_request("http://r.example/v2/", ceiling=Reach.PUBLIC)
        hasty = through(proxy, connect_s=0.2)
        async with open_until_done(hasty) as connections:
            with pytest.raises(TransportError) as failed:
                await follow(connections, ask)

    assert (failed.value.code, failed.value.retryable) == ("proxy_timeout", True)
    assert f"the proxy {proxy.url}" in failed.value.message


async def test_a_proxy_that_is_not_there_is_named() -> None:
    async with scripted_proxy() as proxy:
        pass
    ask = a_request("http://r.example/v2/", ceiling=Reach.PUBLIC)
    async with open_until_done(through(proxy)) as connections:
        with pytest.raises(TransportError) as failed:
            await follow(connections, ask)

    assert failed.value.code == "proxy_unreachable"
    assert "nothing listens there" in failed.value.message


async def test_a_proxy_at_an_address_never_reached_is_refused() -> None:
    asked = ScriptedResolver(["169.254.169.254"])
    proxy = Proxy("p.example", 3128, lambda: None)
    ask = a_request("http://r.example/v2/", ceiling=Reach.PUBLIC)
    async with open_until_done(Connections(resolver=asked, proxy=proxy)) as connections:
        with pytest.raises(TransportError, match="never reached") as failed:
            await follow(connections, ask)

    assert failed.value.code == "proxy_unreachable"
    # The registry's name is the proxy's to look up.
    assert asked.asked == ["p.example"]


async def test_a_password_that_cannot_be_read_asks_nobody() -> None:
    def lost() -> tuple[str, Secret]:
        raise ConfigError("the file is gone", code="secret_file")

    async with scripted_proxy() as proxy:
        behind = Proxy("127.0.0.1", proxy.port, lost)
        ask = a_request("http://r.example/v2/", ceiling=Reach.PUBLIC)
        async with open_until_done(Connections(proxy=behind)) as connections:
            with pytest.raises(TransportError, match="the file is gone") as failed:
                await follow(connections, ask)

    assert failed.value.code == "secret_file"
    assert proxy.heads == []
