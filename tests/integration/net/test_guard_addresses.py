"""No spelling and no answer of a resolver brings a connection to a victim."""

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from support.asking import asked, open_until_done
from support.listening import listening
from support.recording_server import RecordingServer, recording_server
from support.resolvers import ScriptedResolver
from weighbridge.domain.limits import CONNECT_DEADLINE_S
from weighbridge.errors import AddressRefused
from weighbridge.net.connection.connect import open_socket
from weighbridge.net.connections import Connections
from weighbridge.net.failure.request_failures import AddressNotAllowed
from weighbridge.net.guard.addresses import CheckedAddress, Reach

_LOOPBACK_SPELLINGS = (
    "127.0.0.1",
    "127.0.0.1.",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "017700000001",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "0",
    "0.0.0.0",
    "[::]",
    "①②⑦.⓪.⓪.①",
    "127。0。0。1",
    "\uff11\uff12\uff17.0.0.1",
)


@pytest.fixture
async def victim() -> AsyncIterator[RecordingServer]:
    """Listens on both loopback addresses, and counts."""
    async with (
        recording_server() as server,
        listening(server.serve, "::1", server.port),
    ):
        yield server


@pytest.mark.parametrize("host", _LOOPBACK_SPELLINGS)
async def test_a_public_ceiling_keeps_every_spelling_from_loopback(
    host: str, victim: RecordingServer
) -> None:
    async with open_until_done(Connections()) as connections:
        with pytest.raises((AddressNotAllowed, httpx.ConnectError, httpx.InvalidURL)):
            await asked(
                connections, f"http://{host}:{victim.port}/", ceiling=Reach.PUBLIC
            )

    assert victim.connections == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost", "2130706433"])
async def test_a_loopback_registry_is_reached_at_loopback(
    host: str, victim: RecordingServer
) -> None:
    async with open_until_done(Connections()) as connections:
        response = await asked(connections, f"http://{host}:{victim.port}/")

    assert response.content == b"hello"


@pytest.mark.parametrize(
    ("answers", "ceiling"),
    [
        (["93.184.216.34", "127.0.0.1"], Reach.PUBLIC),
        (["127.0.0.1", "169.254.169.254"], Reach.LOOPBACK),
        (["127.0.0.1"] * 65, Reach.LOOPBACK),
        ([], Reach.LOOPBACK),
    ],
)
async def test_one_bad_address_keeps_the_good_ones_from_being_dialled(
    answers: list[str], ceiling: Reach, victim: RecordingServer
) -> None:
    resolver = ScriptedResolver(answers)

    async with open_until_done(Connections(resolver=resolver)) as connections:
        with pytest.raises(AddressNotAllowed):
            await asked(
                connections, f"http://r.example:{victim.port}/", ceiling=ceiling
            )

    assert victim.connections == 0


async def test_a_name_that_is_bound_anew_is_refused_at_its_next_connection(
    victim: RecordingServer,
) -> None:
    """A first answer that passes does not vouch for the second."""
    resolver = ScriptedResolver(["127.0.0.1"], ["169.254.169.254"])
    url = f"http://r.example:{victim.port}/"
    victim.routes["/"] = (200, {"Connection": "close"})

    async with open_until_done(Connections(resolver=resolver)) as connections:
        await asked(connections, url)
        with pytest.raises(AddressNotAllowed):
            await asked(connections, url)

    # One look-up for each connection: what was checked is what was dialled.
    assert resolver.asked == ["r.example", "r.example"]
    assert victim.connections == 1


async def test_a_kept_connection_is_not_lent_to_a_request_with_a_lower_ceiling(
    victim: RecordingServer,
) -> None:
    url = f"{victim.origin}/"

    async with open_until_done(Connections()) as connections:
        await asked(connections, url, ceiling=Reach.LOOPBACK)
        with pytest.raises(AddressNotAllowed):
            await asked(connections, url, ceiling=Reach.PUBLIC)

    assert len(victim.seen) == 1


async def test_a_kept_connection_needs_no_second_look_up(
    victim: RecordingServer,
) -> None:
    resolver = ScriptedResolver(["127.0.0.1"])

    async with open_until_done(Connections(resolver=resolver)) as connections:
        for _ in range(6):
            await asked(connections, f"http://r.example:{victim.port}/")

    assert len(victim.seen) == 6
    assert len(resolver.asked) <= 2


async def test_the_host_field_is_the_name_and_not_the_address(
    victim: RecordingServer,
) -> None:
    resolver = ScriptedResolver(["127.0.0.1"])

    async with open_until_done(Connections(resolver=resolver)) as connections:
        await asked(connections, f"http://r.example:{victim.port}/")

    assert victim.seen[0].fields["host"] == f"r.example:{victim.port}"


@pytest.mark.parametrize("port", [0, 99_999])
async def test_a_port_out_of_range_reaches_nobody(port: int) -> None:
    async with open_until_done(Connections()) as connections:
        with pytest.raises((AddressNotAllowed, httpx.UnsupportedProtocol)):
            await asked(connections, f"http://127.0.0.1:{port}/")


def _address(text: str, port: int) -> CheckedAddress:
    return CheckedAddress(ipaddress.ip_address(text), port)


async def test_the_next_address_is_tried_where_the_first_refuses(
    victim: RecordingServer,
) -> None:
    addresses = [_address("127.0.0.2", 1), _address("127.0.0.1", victim.port)]

    with await open_socket(addresses) as connected:
        assert connected.getpeername() == ("127.0.0.1", victim.port)


@contextmanager
def _hanging() -> Iterator[CheckedAddress]:
    """An address that neither answers nor refuses: its queue is full."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.2", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield _address(*listener.getsockname())


async def test_a_hanging_address_costs_a_quarter_of_a_second(
    victim: RecordingServer,
) -> None:
    with _hanging() as hanging:
        loop = asyncio.get_running_loop()
        began = loop.time()

        with await open_socket([hanging, _address("127.0.0.1", victim.port)]) as sock:
            took_s = loop.time() - began

            assert sock.getpeername()[1] == victim.port
            # And not all of the time that there is for connecting.
            assert 0.2 < took_s < CONNECT_DEADLINE_S / 2


async def test_a_peer_that_is_not_what_was_checked_is_refused(
    victim: RecordingServer,
) -> None:
    # The kernel connects 0.0.0.0 to loopback. The lists refuse it long before; this
    # is the second check, after the connection.
    with pytest.raises(AddressRefused, match=r"127\.0\.0\.1"):
        await open_socket([_address("0.0.0.0", victim.port)])


async def test_where_no_address_answers_the_first_reason_is_given() -> None:
    addresses = [_address("127.0.0.1", 1), _address("127.0.0.2", 1)]

    with pytest.raises(ConnectionRefusedError):
        await open_socket(addresses)
