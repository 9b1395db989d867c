"""A gate asks a service for limits: what it shows it, and what it believes."""

import asyncio
from pathlib import Path

import pytest

from support.certificates import an_authority
from support.recording_server import RecordingServer, recording_server
from weighbridge.bootstrap.one_image.service_limits import limits_of_service, service_at
from weighbridge.domain.text.printable import Secret
from weighbridge.errors import (
    AddressRefused,
    DocumentError,
    RegistryError,
    TransportError,
    UsageError,
    WeighbridgeError,
)

REF = "ghcr.io/acme/app:pr-7&x=1"
LIMITS = "/api/v1/limits"


async def error_of(server: RecordingServer, path: str = "") -> WeighbridgeError:
    service = service_at(server.origin + path, Secret("wb_read_abc"))
    with pytest.raises(WeighbridgeError) as caught:
        await limits_of_service(service, REF)
    assert "wb_read_abc" not in f"{caught.value.message} {caught.value.hint}"
    return caught.value


def test_it_shows_the_token_and_asks_for_one_reference() -> None:
    async def run() -> None:
        async with recording_server() as server:
            await error_of(server, "/behind/")

        (seen,) = server.seen
        assert seen.target == (
            "/behind/api/v1/limits?ref=ghcr.io%2Facme%2Fapp%3Apr-7%26x%3D1"
        )
        assert seen.fields["authorization"] == "Bearer wb_read_abc"

    asyncio.run(run())


def test_an_answer_that_is_none_is_refused() -> None:
    async def run() -> None:
        async with recording_server() as server:
            error = await error_of(server)

        assert isinstance(error, DocumentError)
        assert error.code == "invalid_json"
        assert "check that" in error.hint

    asyncio.run(run())


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        (401, "WEIGHBRIDGE_TOKEN or --token-file"),
        (403, "WEIGHBRIDGE_TOKEN or --token-file"),
        (404, "check that this is the address of a Weighbridge"),
        (503, "again later"),
    ],
)
def test_a_refusal_says_what_to_do(status: int, hint: str) -> None:
    async def run() -> None:
        async with recording_server() as server:
            server.routes[LIMITS] = (status, {})
            error = await error_of(server)

        assert isinstance(error, RegistryError)
        assert (error.code, error.retryable) == ("server_refused", status >= 500)
        assert hint in error.hint

    asyncio.run(run())


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_it_follows_nobody_to_another_place(status: int) -> None:
    async def run() -> None:
        async with recording_server() as other, recording_server() as server:
            server.redirect(LIMITS, f"{other.origin}/api/v1/limits", status)
            error = await error_of(server)

        assert error.code == "server_refused"
        assert other.connections == 0

    asyncio.run(run())


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("http://169.254.169.254", AddressRefused),
        ("http://[fd00:ec2::254]", AddressRefused),
        ("http://127.0.0.1:1", TransportError),
    ],
)
def test_no_address_that_is_never_reached(
    url: str, kind: type[WeighbridgeError]
) -> None:
    with pytest.raises(kind):
        asyncio.run(limits_of_service(service_at(url, plain_http=True), REF))


def test_its_certificate_is_checked_against_the_authority_that_is_named(
    tmp_path: Path,
) -> None:
    authority = an_authority(tmp_path)

    async def run() -> None:
        tls = authority.server("127.0.0.1")
        async with recording_server(tls=tls) as server:
            with pytest.raises(TransportError) as caught:
                await limits_of_service(service_at(server.origin), REF)
            assert caught.value.code == "tls_error"
            assert server.seen == []
            trusted = service_at(server.origin, None, authority.ca_file)
            with pytest.raises(DocumentError):
                await limits_of_service(trusted, REF)
            assert len(server.seen) == 1

    asyncio.run(run())


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "weighbridge.example",
            "ftp://a",
            "http://",
            "http://a?x=1",
            "http://a#b",
        ),
        *("http://user:s3cret@a", "http://[::1", "javascript:alert(1)"),
        *("http://user:s3cret@a:port", "https://user:s3/cret@a"),
    ],
)
def test_what_is_no_address_of_a_service_is_refused(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        service_at(url)

    assert caught.value.code == "invalid_server"
    assert "s3cret" not in caught.value.message


@pytest.mark.parametrize("host", ["weighbridge.example", "10.0.0.5:8080", "[fd00::5]"])
def test_a_service_beyond_loopback_is_asked_without_tls_only_where_that_is_said(
    host: str,
) -> None:
    with pytest.raises(UsageError) as caught:
        service_at(f"http://{host}", Secret("wb_read_abc"))

    assert caught.value.code == "invalid_server"
    assert "--plain-http" in caught.value.hint
    assert service_at(f"http://{host}", plain_http=True).url == f"http://{host}"
    for loopback in ("127.0.0.1:8080", "localhost:8080", "[::1]:8080"):
        assert service_at(f"http://{loopback}").url == f"http://{loopback}"


@pytest.mark.parametrize("token", ["", "a b", "a\r\nX: y", "é", "x" * 513])
def test_a_token_that_no_request_can_carry_is_refused(token: str) -> None:
    with pytest.raises(UsageError) as caught:
        service_at("http://127.0.0.1:8080", Secret(token))

    assert caught.value.code == "invalid_server"
