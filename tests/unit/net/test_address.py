"""The parts of a URL are those that httpx finds, however they were found."""

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.net.guard.addresses import Address, address_of

_ORIGINS = st.sampled_from(
    [
        "http://127.0.0.1:5000",
        "https://r.example",
        "https://R.Example:443",
        "http://[::1]:80",
        "http://h",
        "ftp://h",
        "http://u:p@h",
        "http://999.1.1.1",
        "http:///",
        "https://bücher.example",
        "http://a..b",
        "http://h:99999",
        "HTTP://h",
    ]
)
_TARGETS = st.lists(
    st.sampled_from(
        [*"/?#.%:@=&~-_ ;,!'\"<>|\\[]", "v2", "a", "..", "manifests", "sha256:0", "%2F"]
    )
    | st.characters(codec="utf-8"),
    max_size=10,
).map("".join)


def _as_httpx_reads(text: str) -> tuple[object, ...] | None:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        return None
    port = {"http": 80, "https": 443}.get(url.scheme, 0)
    if port and url.port is not None:
        port = url.port
    return url.scheme, url.raw_host, port, url.netloc, url.raw_path


def _parts(text: str) -> tuple[object, ...] | None:
    try:
        address = address_of(text)
    except httpx.InvalidURL:
        return None
    host = address.host.encode()
    return address.scheme, host, address.port, address.netloc, address.target


@given(st.tuples(_ORIGINS, _TARGETS).map("".join))
def test_any_url_has_the_parts_that_httpx_finds(text: str) -> None:
    expected = _as_httpx_reads(text)

    if expected is None or expected[0] in ("http", "https"):
        assert _parts(text) == expected


@pytest.mark.parametrize(
    "target",
    [
        "/v2/",
        "/v2/library/python/manifests/3.12-slim",
        "/v2/a/blobs/sha256:0123",
        "/v2/_catalog?n=1000&last=a/b",
        "/v2/a/../b",
        "/v2/./a",
        "/v2//a",
        "/a%2fb?c=%7e",
    ],
)
def test_paths_of_registries_have_the_parts_that_httpx_finds(target: str) -> None:
    url = f"https://r.example:5000{target}"

    assert _parts(url) == _as_httpx_reads(url)


def test_messages_name_the_origin_and_never_the_path() -> None:
    address = address_of("https://r.example/v2/a?token=canary")

    assert address.shown == "https://r.example:443"
    assert address.origin == ("https", "r.example", 443)


def test_an_address_is_read_back_from_its_own_text() -> None:
    text = "https://r.example/v2/a/tags/list?n=1000"

    address = address_of(text)

    assert address == Address(
        text,
        "https",
        "r.example",
        443,
        b"r.example",
        b"/v2/a/tags/list?n=1000",
    )
    assert str(httpx.URL(address.text)) == text
