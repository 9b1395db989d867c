"""What is asked of a proxy, and what its answer to CONNECT may be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.errors import AddressRefused
from weighbridge.net.failure.request_failures import ProxyFailed
from weighbridge.net.guard.addresses import Proxy, Reach, check_beyond_proxy
from weighbridge.net.proxy.tunnel import check_answer

PROXY = Proxy("p.example", 3128, lambda: None)


@pytest.mark.parametrize(
    ("host", "reach"),
    [
        ("r.example", Reach.PUBLIC),
        ("r.example.", Reach.PUBLIC),
        ("93.184.216.34", Reach.PUBLIC),
        ("10.1.2.3", Reach.PRIVATE),
        ("10.1.2.3.", Reach.PRIVATE),
        ("registry", Reach.PRIVATE),
        ("registry.", Reach.PRIVATE),
        ("r.corp.internal", Reach.PRIVATE),
        ("r.LOCAL", Reach.PRIVATE),
        ("127.0.0.1", Reach.LOOPBACK),
        ("127.1", Reach.LOOPBACK),
        ("0x7f.1", Reach.LOOPBACK),
        ("2130706433", Reach.LOOPBACK),
        ("017700000001", Reach.LOOPBACK),
        ("::1", Reach.LOOPBACK),
        ("::ffff:127.0.0.1", Reach.LOOPBACK),
        ("localhost", Reach.LOOPBACK),
        ("a.localhost.", Reach.LOOPBACK),
        ("localhost.localdomain", Reach.LOOPBACK),
        ("64:ff9b::7f00:1", Reach.LOOPBACK),
        ("2002:7f00:1::", Reach.LOOPBACK),
    ],
)
def test_a_host_is_as_near_as_it_says(host: str, reach: Reach) -> None:
    check_beyond_proxy(host, 443, reach)

    if reach is not Reach.PUBLIC:
        with pytest.raises(AddressRefused):
            check_beyond_proxy(host, 443, Reach(reach - 1))


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "0xa9fea9fe",
        "fd00:ec2::254",
        "0",
        "fe80::1%eth0",
        "::ffff:a9fe:a9fe",
        "metadata.google.internal",
        "METADATA.google.internal.",
        "metadata.goog",
        "metadata",
        "instance-data.ec2.internal",
        "127%2e0.0.1",
        "127.0.0.1 x",
        "127.0.0.1\r\nX: y",
        "\uff11\uff12\uff17.0.0.1",
        "[::1]",
        "1.2.3.4.5",
        "r.example\r\nX: y",
        "",
        "a" * 254,
    ],
)
def test_no_ceiling_lets_these_through(host: str) -> None:
    with pytest.raises(AddressRefused):
        check_beyond_proxy(host, 443, Reach.LOOPBACK)


@pytest.mark.parametrize("port", [0, 65_536, 99_999])
def test_a_port_that_is_none_is_refused(port: int) -> None:
    with pytest.raises(AddressRefused):
        check_beyond_proxy("r.example", port, Reach.LOOPBACK)


@given(
    st.text(max_size=300)
    | st.builds(
        "{}{}".format, st.sampled_from(["127.0.0.1", "::1", "r.example"]), st.text()
    ),
    st.sampled_from([Reach.PUBLIC, Reach.PRIVATE, Reach.LOOPBACK]),
)
def test_any_host_is_allowed_or_refused(host: str, ceiling: Reach) -> None:
    try:
        check_beyond_proxy(host, 443, ceiling)
    except AddressRefused:
        return
    # What is written into the request is one word.
    assert host.isascii()
    assert not set(host) & set(" \r\n\t/@%")


@given(st.binary(max_size=300), st.booleans())
def test_any_answer_opens_the_tunnel_or_is_a_failure_of_the_proxy(
    rest: bytes, has_more: bool
) -> None:
    for head in (rest, b"HTTP/1.1 " + rest + b"\r\n\r\n"):
        try:
            check_answer(PROXY, head, "r.example:443", has_more=has_more)
        except ProxyFailed:
            continue
        assert head.startswith(b"HTTP/1.1 2")
        assert not has_more
