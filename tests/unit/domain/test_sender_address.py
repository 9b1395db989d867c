"""Who sends, where a proxy hands on what others sent it."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.access.roles import parse_network, sender_address
from weighbridge.errors import UsageError

PROXIES = (ip_network("10.0.0.0/8"), ip_network("127.0.0.1/32"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "sender"),
    [
        # Who is no proxy of ours is believed nothing.
        ("192.0.2.7", ["198.51.100.9"], "192.0.2.7"),
        ("127.0.0.1", ["198.51.100.9"], "198.51.100.9"),
        # What the sender has written itself stands in front.
        ("127.0.0.1", ["203.0.113.1, 198.51.100.9"], "198.51.100.9"),
        ("127.0.0.1", ["203.0.113.1", "198.51.100.9, 10.1.1.1"], "198.51.100.9"),
        ("10.1.1.1", [], "10.1.1.1"),
        ("127.0.0.1", ["unknown"], "127.0.0.1"),
        ("127.0.0.1", ["198.51.100.9:4711"], "198.51.100.9"),
        ("127.0.0.1", ["[2001:db8:1:2::9]:4711"], "2001:db8:1:2::/64"),
        ("::ffff:127.0.0.1", ["198.51.100.9"], "198.51.100.9"),
        ("2001:db8:1:2:3::4", [], "2001:db8:1:2::/64"),
        ("", ["198.51.100.9"], ""),
    ],
)
def test_the_last_address_that_no_trusted_proxy_has_is_the_senders(
    peer: str, forwarded: list[str], sender: str
) -> None:
    assert sender_address(peer, forwarded, PROXIES) == sender


def test_without_trusted_proxies_the_peer_is_the_sender() -> None:
    assert sender_address("127.0.0.1", ["198.51.100.9"], ()) == "127.0.0.1"


@given(
    forged=st.lists(st.text(), max_size=4),
    hops=st.lists(st.sampled_from(["10.0.0.1", "10.9.9.9"]), max_size=4),
)
def test_nothing_that_a_sender_writes_makes_it_another_one(
    forged: list[str], hops: list[str]
) -> None:
    forwarded = [*forged, ", ".join(["198.51.100.9", *hops])]

    assert sender_address("127.0.0.1", forwarded, PROXIES) == "198.51.100.9"


@pytest.mark.parametrize("text", ["", "proxy", "10.0.0.1/8", "0.0.0.0/0", "::/0"])
def test_what_is_no_network_of_proxies_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_network(text)

    assert caught.value.code == "invalid_network"
