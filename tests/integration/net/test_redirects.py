"""Redirects between real servers, judged by what the second server saw."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.asking import a_request, open_until_done
from support.certificates import an_authority
from support.listening import listening
from support.recording_server import RecordingServer, recording_server
from weighbridge.errors import RegistryError, TransportError
from weighbridge.net.connection.connect import client_tls
from weighbridge.net.connections import Connections
from weighbridge.net.transport import follow

_SECRET = (
    ("Authorization", "Bearer canary"),
    ("Cookie", "session=canary"),
    ("X-Registry-Auth", "canary"),
)


@dataclass(slots=True)
class _Sites:
    """A registry and another server, both plain, and a registry with TLS."""

    registry: RecordingServer
    other: RecordingServer
    secure: RecordingServer
    connections: Connections


@pytest.fixture
async def sites(tmp_path: Path) -> AsyncIterator[_Sites]:
    authority = an_authority(tmp_path)
    async with (
        recording_server() as registry,
        recording_server() as other,
        recording_server(tls=authority.server("127.0.0.1")) as secure,
        open_until_done(Connections(tls=client_tls(authority.ca_file))) as connections,
    ):
        yield _Sites(registry, other, secure, connections)


async def test_registry_http_001_credentials_are_not_given_to_a_second_server(
    sites: _Sites,
) -> None:
    sites.registry.redirect("/m", f"{sites.other.origin}/m", 302)
    sites.other.routes["/m"] = (401, {"WWW-Authenticate": 'Basic realm="other"'})

    with pytest.raises(RegistryError) as refused:
        await follow(
            sites.connections,
            a_request(f"{sites.registry.origin}/m", secret_headers=_SECRET),
        )

    assert refused.value.code == "unauthorized"
    assert len(sites.other.seen) == 1
    assert "canary" not in str(sites.other.seen)
    assert "canary" in str(sites.registry.seen)


async def test_registry_http_002_another_port_is_another_server(sites: _Sites) -> None:
    sites.registry.redirect("/m", f"{sites.other.origin}/m", 302)

    await follow(
        sites.connections,
        a_request(
            f"{sites.registry.origin}/m",
            headers=(("Range", "bytes=0-7"), ("X-Team", "shop")),
            secret_headers=_SECRET,
        ),
    )

    told = sites.other.seen[0].fields
    assert told == {
        "host": f"127.0.0.1:{sites.other.port}",
        "accept-encoding": "identity",
        "range": "bytes=0-7",
    }


async def test_registry_http_003_https_never_leads_to_http(sites: _Sites) -> None:
    sites.secure.redirect("/m", f"{sites.other.origin}/m", 302)

    with pytest.raises(TransportError) as refused:
        await follow(sites.connections, a_request(f"{sites.secure.origin}/m"))

    assert refused.value.code == "redirect_refused"
    assert sites.other.connections == 0


async def test_https_may_lead_to_https(sites: _Sites) -> None:
    sites.secure.redirect("/m", "/n")

    answer, _ = await follow(sites.connections, a_request(f"{sites.secure.origin}/m"))

    assert answer.body == b"hello"
    assert [seen.target for seen in sites.secure.seen] == ["/m", "/n"]


async def test_registry_http_007_a_loop_ends_after_five_hops(sites: _Sites) -> None:
    sites.registry.redirect("/loop", "/loop")

    with pytest.raises(TransportError) as refused:
        await follow(sites.connections, a_request(f"{sites.registry.origin}/loop"))

    assert refused.value.code == "too_many_redirects"
    assert len(sites.registry.seen) == 6


async def test_registry_http_007_a_chain_of_fifty_ends_after_five_hops(
    sites: _Sites,
) -> None:
    for number in range(50):
        sites.registry.redirect(f"/{number}", f"/{number + 1}")

    with pytest.raises(TransportError) as refused:
        await follow(sites.connections, a_request(f"{sites.registry.origin}/0"))

    assert refused.value.code == "too_many_redirects"
    assert len(sites.registry.seen) == 6


async def test_a_redirect_home_again_carries_no_credentials(sites: _Sites) -> None:
    sites.registry.redirect("/m", f"{sites.other.origin}/m")
    sites.other.redirect("/m", f"{sites.registry.origin}/back")

    await follow(
        sites.connections,
        a_request(f"{sites.registry.origin}/m", secret_headers=_SECRET),
    )

    back = sites.registry.seen[1]
    assert back.target == "/back"
    assert "canary" not in str(back.fields)


async def test_head_stays_head_on_the_way(sites: _Sites) -> None:
    sites.registry.redirect("/m", f"{sites.other.origin}/m", 303)

    await follow(
        sites.connections, a_request(f"{sites.registry.origin}/m", method="HEAD")
    )

    assert [seen.method for seen in sites.other.seen] == ["HEAD"]


async def test_a_signed_query_reaches_the_second_server_unchanged(
    sites: _Sites,
) -> None:
    target = "/b?X-Amz-Signature=a%2Fb%2B&sig=c+d/e%3D&k=%7E~&p=a%20b"
    sites.registry.redirect("/b", f"{sites.other.origin}{target}")

    await follow(sites.connections, a_request(f"{sites.registry.origin}/b"))

    assert sites.other.seen[0].target == target


async def test_one_deadline_holds_for_all_hops(sites: _Sites) -> None:
    async def slowly(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while await reader.read(4_096):
            await asyncio.sleep(0.15)
            writer.write(
                b"HTTP/1.1 307 So\r\nLocation: /on\r\nContent-Length: 0\r\n\r\n"
            )

    async with listening(slowly) as port:
        with pytest.raises(TransportError) as refused:
            await follow(
                sites.connections,
                a_request(f"http://127.0.0.1:{port}/", deadline_s=0.4),
            )

    # One a hop would have ended by there being too many.
    assert refused.value.code == "deadline"
