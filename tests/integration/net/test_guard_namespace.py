"""The guard among public addresses, in a network of its own.

Addresses that the guard calls public lead to servers of the test here, so a public
registry, its storage and its victims can all be real.
"""

import pytest

from support.asking import a_request, asked, open_until_done
from support.namespace import run_in_namespace
from support.recording_server import recording_server
from support.resolvers import ScriptedResolver
from weighbridge.errors import AddressRefused
from weighbridge.net.connections import Connections
from weighbridge.net.failure.request_failures import AddressNotAllowed
from weighbridge.net.guard.addresses import Reach
from weighbridge.net.transport import follow

pytestmark = pytest.mark.netns

_REGISTRY = "93.184.216.34"
_STORAGE = "151.101.2.132"
_REGISTRY6 = "2606:2800:220:1:248:1893:25c8:1946"
_INSIDE = "10.20.30.40"
_CARRIER = "100.64.7.7"
_METADATA = "169.254.169.254"
_NETWORK = (
    f"{_REGISTRY}/32",
    f"{_STORAGE}/32",
    f"{_REGISTRY6}/128",
    f"{_INSIDE}/32",
    f"{_CARRIER}/32",
    f"{_METADATA}/32",
)


def test_a_public_registry_may_redirect_to_public_storage() -> None:
    async def story() -> None:
        async with (
            recording_server(_REGISTRY) as registry,
            recording_server(_STORAGE) as storage,
            open_until_done(Connections()) as connections,
        ):
            registry.redirect("/blob", f"{storage.origin}/signed?sig=a%2Fb")
            ask = a_request(
                f"{registry.origin}/blob",
                ceiling=Reach.PUBLIC,
                secret_headers=(("Authorization", "Bearer canary"),),
            )

            answer, _ = await follow(connections, ask)

            assert answer.body == b"hello"
            assert storage.seen[0].target == "/signed?sig=a%2Fb"
            assert "authorization" not in storage.seen[0].fields

    run_in_namespace(_NETWORK, story)


def test_a_public_registry_over_ipv6_is_reached() -> None:
    async def story() -> None:
        async with (
            recording_server(_REGISTRY6) as registry,
            open_until_done(Connections()) as connections,
        ):
            response = await asked(
                connections, f"{registry.origin}/", ceiling=Reach.PUBLIC
            )

            assert response.content == b"hello"

    run_in_namespace(_NETWORK, story)


@pytest.mark.parametrize(
    ("listens", "named"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "2130706433"),
        ("127.0.0.1", "[::ffff:127.0.0.1]"),
        ("127.0.0.1", "0.0.0.0"),
        ("127.0.0.1", "localhost"),
        ("::1", "[::1]"),
        (_INSIDE, _INSIDE),
        (_CARRIER, _CARRIER),
        (_METADATA, _METADATA),
        (_METADATA, "[::ffff:169.254.169.254]"),
        (_METADATA, "[fd00:ec2::254]"),
    ],
)
def test_registry_http_004_a_public_registry_cannot_send_us_inside(
    listens: str, named: str
) -> None:
    async def story() -> None:
        async with (
            recording_server(_REGISTRY) as registry,
            recording_server(listens) as victim,
            open_until_done(Connections()) as connections,
        ):
            registry.redirect("/v2/", f"http://{named}:{victim.port}/latest/meta-data/")

            with pytest.raises(AddressRefused) as refused:
                await follow(
                    connections,
                    a_request(f"{registry.origin}/v2/", ceiling=Reach.PUBLIC),
                )

            assert refused.value.code == "redirect_refused"
            assert victim.connections == 0

    run_in_namespace(_NETWORK, story)


def test_registry_http_006_a_name_that_turns_inward_is_refused() -> None:
    async def story() -> None:
        resolver = ScriptedResolver([_REGISTRY], ["127.0.0.1"])
        async with (
            recording_server(_REGISTRY) as registry,
            recording_server("127.0.0.1", registry.port) as victim,
            open_until_done(Connections(resolver=resolver)) as connections,
        ):
            name = f"http://r.example:{registry.port}"
            registry.redirect("/v2/", f"http://other.example:{registry.port}/")

            with pytest.raises(AddressRefused) as refused:
                await follow(
                    connections, a_request(f"{name}/v2/", ceiling=Reach.PUBLIC)
                )

            assert refused.value.code == "redirect_refused"
            assert resolver.asked == ["r.example", "other.example"]
            assert registry.connections == 1
            assert victim.connections == 0

    run_in_namespace(_NETWORK, story)


def test_a_private_registry_may_lead_anywhere_but_to_loopback() -> None:
    async def story() -> None:
        async with (
            recording_server(_INSIDE) as registry,
            recording_server(_CARRIER) as private,
            recording_server(_STORAGE) as public,
            recording_server("127.0.0.1") as loopback,
            open_until_done(Connections()) as connections,
        ):
            registry.redirect("/private", f"{private.origin}/")
            registry.redirect("/public", f"{public.origin}/")
            registry.redirect("/loopback", f"{loopback.origin}/")

            for path in ("/private", "/public"):
                ask = a_request(f"{registry.origin}{path}", ceiling=Reach.PRIVATE)
                assert (await follow(connections, ask))[0].body == b"hello"
            with pytest.raises(AddressRefused):
                await follow(
                    connections,
                    a_request(f"{registry.origin}/loopback", ceiling=Reach.PRIVATE),
                )

            assert loopback.connections == 0

    run_in_namespace(_NETWORK, story)


def test_storage_that_the_operator_named_may_be_inside() -> None:
    async def story() -> None:
        async with (
            recording_server(_REGISTRY) as registry,
            recording_server(_INSIDE) as storage,
            open_until_done(Connections()) as connections,
        ):
            registry.redirect("/blob", f"{storage.origin}/")
            ask = a_request(f"{registry.origin}/blob", ceiling=Reach.PUBLIC)

            answer, _ = await follow(connections, ask, frozenset({_INSIDE}))

            assert answer.body == b"hello"

    run_in_namespace(_NETWORK, story)


def test_a_configured_metadata_address_is_refused_under_every_ceiling() -> None:
    async def story() -> None:
        async with (
            recording_server(_METADATA) as victim,
            open_until_done(Connections()) as connections,
        ):
            for ceiling in Reach:
                with pytest.raises(AddressNotAllowed):
                    await asked(connections, f"{victim.origin}/", ceiling=ceiling)

            assert victim.connections == 0

    run_in_namespace(_NETWORK, story)
