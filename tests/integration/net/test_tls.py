"""TLS: who is trusted, and that nothing is sent to who is not."""

import asyncio
import ssl
from pathlib import Path

import pytest

from support.asking import a_request, open_until_done
from support.certificates import Authority, an_authority
from support.hostile_server import with_length
from support.listening import listening
from support.recording_server import RecordingServer, recording_server
from support.resolvers import ScriptedResolver
from weighbridge.errors import ConfigError, TransportError
from weighbridge.net.connection.connect import client_tls
from weighbridge.net.connections import Connections
from weighbridge.net.transport import follow


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return an_authority(tmp_path)


def _transport(ca_file: str | None) -> Connections:
    """Every name leads to loopback."""
    return Connections(
        tls=client_tls(ca_file), resolver=ScriptedResolver(["127.0.0.1"])
    )


async def _ask(port: int, host: str, ca_file: str | None) -> bytes:
    async with open_until_done(_transport(ca_file)) as connections:
        ask = a_request(
            f"https://{host}:{port}/v2/",
            secret_headers=(("Authorization", "Bearer canary"),),
        )
        return (await follow(connections, ask))[0].body


@pytest.mark.parametrize("host", ["r.example", "r.example.", "127.0.0.1"])
async def test_a_server_that_the_authority_vouches_for_is_trusted(
    host: str, authority: Authority
) -> None:
    tls = authority.server("r.example", "127.0.0.1")
    async with recording_server(tls=tls) as server:
        assert await _ask(server.port, host, authority.ca_file) == b"hello"


async def test_the_server_learns_the_name_and_is_offered_http_1_only(
    authority: Authority,
) -> None:
    tls = authority.server("r.example")
    tls.set_alpn_protocols(["h2", "http/1.1"])
    names: list[str | None] = []
    chosen: list[str | None] = []

    def note(sock: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        names.append(name)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        chosen.append(writer.get_extra_info("ssl_object").selected_alpn_protocol())
        writer.write(with_length(b"hello"))
        await reader.read()

    tls.sni_callback = note
    async with listening(serve, tls=tls) as port:
        await _ask(port, "r.example", authority.ca_file)

    assert names == ["r.example"]
    assert chosen == ["http/1.1"]


async def _refused(
    server: RecordingServer, host: str, ca_file: str | None, words: str = ""
) -> str:
    with pytest.raises(TransportError) as refused:
        await _ask(server.port, host, ca_file)
    assert server.seen == []
    assert words in refused.value.message
    assert "_ssl" not in refused.value.message
    return refused.value.code


async def test_registry_http_023_another_name_is_refused(authority: Authority) -> None:
    async with recording_server(tls=authority.server("r.example")) as server:
        code = await _refused(
            server, "other.example", authority.ca_file, "is for another name"
        )

    assert code == "tls_error"


async def test_registry_http_023_an_expired_certificate_is_refused(
    authority: Authority,
) -> None:
    tls = authority.server("r.example", expired=True)
    async with recording_server(tls=tls) as server:
        code = await _refused(server, "r.example", authority.ca_file, "has expired")

    assert code == "tls_error"


async def test_registry_http_023_an_unknown_authority_is_refused(
    authority: Authority, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    stranger = an_authority(tmp_path / "other")
    async with recording_server(tls=stranger.server("r.example")) as server:
        assert await _refused(server, "r.example", authority.ca_file) == "tls_error"
        code = await _refused(server, "r.example", None, "certificate is not trusted")

    assert code == "tls_error"


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
async def test_registry_http_023_an_old_version_is_refused(
    version: ssl.TLSVersion, authority: Authority
) -> None:
    tls = authority.server("r.example")
    tls.set_ciphers("ALL:@SECLEVEL=0")
    tls.minimum_version = ssl.TLSVersion.TLSv1
    tls.maximum_version = version
    async with recording_server(tls=tls) as server:
        assert await _refused(server, "r.example", authority.ca_file) == "tls_error"


async def test_registry_http_023_a_plain_server_hears_no_request(
    authority: Authority,
) -> None:
    heard = bytearray()

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.extend(await reader.read(4_096))
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        heard.extend(await reader.read())

    async with listening(plain) as port:
        with pytest.raises(TransportError) as refused:
            await _ask(port, "r.example", authority.ca_file)

    assert refused.value.code == "tls_error"
    assert refused.value.message.endswith("it uses plain HTTP, not HTTPS")
    assert heard
    assert b"HTTP" not in heard
    assert b"canary" not in heard


async def test_a_reset_during_the_handshake_is_a_tls_error(
    authority: Authority,
) -> None:
    async def hang_up(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.read(1)
        writer.transport.abort()

    async with listening(hang_up) as port:
        with pytest.raises(TransportError) as refused:
            await _ask(port, "r.example", authority.ca_file)

    assert refused.value.code == "tls_error"


async def test_a_body_cut_without_notice_is_marked_as_unproven(
    authority: Authority,
) -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nhalf")
        await writer.drain()
        await asyncio.sleep(0.02)
        writer.transport.abort()

    tls = authority.server("r.example")
    async with (
        listening(cut, tls=tls) as port,
        open_until_done(_transport(authority.ca_file)) as connections,
    ):
        answer, _ = await follow(connections, a_request(f"https://r.example:{port}/"))

    assert answer.body == b"half"
    assert answer.framing == "close"


@pytest.mark.parametrize("content", [None, "no certificate here"])
def test_a_ca_file_that_holds_no_certificate_is_a_fault_of_the_configuration(
    content: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)

    with pytest.raises(ConfigError, match=r"ca\.pem") as refused:
        client_tls(str(path))

    assert refused.value.code == "ca_file"
