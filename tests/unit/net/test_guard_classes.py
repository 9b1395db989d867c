"""The classes of addresses, range by range, edges included."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.errors import AddressRefused
from weighbridge.net.guard.addresses import Reach, classify, reach_of_host

_NEVER = [
    "0.0.0.0",
    "0.255.255.255",
    "100.100.100.200",
    "168.63.129.16",
    "169.254.0.0",
    "169.254.169.254",
    "169.254.170.2",
    "169.254.255.255",
    "192.0.0.0",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.0",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.255",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::7f00:1",
    "::127.0.0.1",
    "::2",
    "64:ff9b:1::1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::0",
    "100::1",
    "2001::1",
    "2001:0:7f00:1::",
    "2001:1ff::1",
    "2001:db8::1",
    "2002:a9fe:a9fe::",
    "2002::",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fd00:ec2::254",
    "fe80::1",
    "febf::1",
    "fec0::1",
    "ff02::1",
    "1::1",
    "::ffff:169.254.169.254",
    "::ffff:0.0.0.0",
    "::ffff:100.100.100.200",
    "::ffff:224.0.0.1",
]
_CLASSES = {
    Reach.LOOPBACK: (
        "127.0.0.1 127.255.255.255 127.0.0.0 ::1 ::ffff:127.0.0.1 ::ffff:7f00:1 "
        "64:ff9b::7f00:1 2002:7f00:1::"
    ),
    Reach.PRIVATE: (
        "10.0.0.0 10.255.255.255 100.64.0.1 100.127.255.255 172.16.0.1 172.31.255.255 "
        "192.168.0.1 fc00::1 fd12:3456::1 fdff:ffff::1 ::ffff:10.0.0.1 "
        "64:ff9b::a00:1 2002:a00:1:: 100.100.100.199"
    ),
    Reach.PUBLIC: (
        "1.1.1.1 9.255.255.255 11.0.0.0 93.184.216.34 100.63.255.255 100.128.0.0 "
        "126.255.255.255 128.0.0.0 168.63.129.17 172.15.255.255 172.32.0.0 "
        "192.0.1.0 192.169.0.0 198.17.255.255 198.20.0.0 223.255.255.255 "
        "2000::1 2001:200::1 2606:4700::1111 3ffe::1 ::ffff:93.184.216.34 "
        "64:ff9b::5db8:d822 2002:5db8:d822::1"
    ),
}


@pytest.mark.parametrize("address", _NEVER)
def test_an_address_that_is_never_reached_is_refused(address: str) -> None:
    with pytest.raises(AddressRefused):
        classify(address)


@pytest.mark.parametrize(
    ("address", "reach"),
    [(text, reach) for reach, texts in _CLASSES.items() for text in texts.split()],
)
def test_an_address_has_its_class(address: str, reach: Reach) -> None:
    assert classify(address) is reach


@pytest.mark.parametrize("text", ["fe80::1%eth0", "2606:4700::1%lo", "::1%1"])
def test_an_address_bound_to_an_interface_is_refused(text: str) -> None:
    with pytest.raises(AddressRefused, match="interface"):
        classify(text)


@given(st.text(max_size=40))
def test_any_text_has_a_class_or_is_refused(text: str) -> None:
    try:
        reach = classify(text)
    except AddressRefused:
        return

    assert reach in Reach


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_wrapped_in_ipv6_is_judged_as_itself(address: object) -> None:
    def judged(text: str) -> Reach | str:
        try:
            return classify(text)
        except AddressRefused:
            return "refused"

    assert judged(f"::ffff:{address}") == judged(str(address))
    assert judged(f"64:ff9b::{address}") == judged(str(address))


@pytest.mark.parametrize(
    ("host", "reach"),
    [
        ("127.0.0.1", Reach.LOOPBACK),
        ("[::1]", Reach.LOOPBACK),
        ("localhost", Reach.LOOPBACK),
        ("LocalHost.", Reach.LOOPBACK),
        ("2130706433", Reach.LOOPBACK),
        ("0x7f.1", Reach.LOOPBACK),
        ("10.1.2.3", Reach.PRIVATE),
        ("[fd12::1]", Reach.PRIVATE),
        ("93.184.216.34", Reach.PUBLIC),
        ("registry.example", None),
        ("notlocalhost", None),
        ("127.0.0.1.example", None),
        ("", None),
        ("a" * 70 + ".example", None),
    ],
)
def test_a_literal_or_localhost_says_its_own_class(
    host: str, reach: Reach | None
) -> None:
    assert reach_of_host(host) is reach


def test_a_literal_that_is_never_reached_cannot_be_a_registry() -> None:
    with pytest.raises(AddressRefused):
        reach_of_host("169.254.169.254")
