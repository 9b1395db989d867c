"""What a name may resolve to: one look-up, and every answer counts."""

import pytest

from support.resolvers import ScriptedResolver
from weighbridge.errors import AddressRefused
from weighbridge.net.guard.addresses import Reach, checked


async def _dialled(*answers: str, ceiling: Reach) -> list[str]:
    resolver = ScriptedResolver(answers)
    addresses = await checked(resolver, "registry.example", 443, ceiling)
    assert resolver.asked == ["registry.example"]
    return [str(address.ip) for address in addresses]


async def test_every_address_below_the_ceiling_may_be_dialled() -> None:
    answers = ("93.184.216.34", "10.0.0.1", "2606:4700::1111")

    assert await _dialled(*answers, ceiling=Reach.PRIVATE) == list(answers)


async def test_a_mapped_address_is_dialled_as_the_one_inside() -> None:
    dialled = await _dialled("::ffff:127.0.0.1", ceiling=Reach.LOOPBACK)

    assert dialled == ["127.0.0.1"]


@pytest.mark.parametrize(
    ("answers", "ceiling"),
    [
        (("93.184.216.34", "127.0.0.1"), Reach.PUBLIC),
        (("93.184.216.34", "10.0.0.1"), Reach.PUBLIC),
        (("10.0.0.1", "127.0.0.1"), Reach.PRIVATE),
        (("127.0.0.1", "169.254.169.254"), Reach.LOOPBACK),
        (("127.0.0.1", "fe80::1%2"), Reach.LOOPBACK),
        (("127.0.0.1", "not an address"), Reach.LOOPBACK),
    ],
)
async def test_one_bad_address_refuses_the_name(
    answers: tuple[str, ...], ceiling: Reach
) -> None:
    with pytest.raises(AddressRefused):
        await _dialled(*answers, ceiling=ceiling)


async def test_64_addresses_are_the_most() -> None:
    many = [f"93.184.216.{number}" for number in range(65)]

    assert len(await _dialled(*many[:64], ceiling=Reach.PUBLIC)) == 64
    with pytest.raises(AddressRefused, match="65 addresses"):
        await _dialled(*many, ceiling=Reach.PUBLIC)


async def test_a_name_without_an_address_is_refused() -> None:
    with pytest.raises(AddressRefused, match="0 addresses"):
        await _dialled(ceiling=Reach.PUBLIC)


@pytest.mark.parametrize("port", [0, -1, 65_536, 99_999])
async def test_a_port_out_of_range_is_refused_before_a_look_up(port: int) -> None:
    resolver = ScriptedResolver(["93.184.216.34"])

    with pytest.raises(AddressRefused, match="port"):
        await checked(resolver, "registry.example", port, Reach.PUBLIC)

    assert resolver.asked == []


async def test_a_refusal_names_the_host_the_address_and_both_classes() -> None:
    with pytest.raises(AddressRefused) as refused:
        await _dialled("10.0.0.1", ceiling=Reach.PUBLIC)

    for part in ("registry.example", "10.0.0.1", "private", "public"):
        assert part in refused.value.message
