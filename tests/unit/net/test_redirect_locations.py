"""Where a Location may lead, form by form."""

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.errors import TransportError
from weighbridge.net.transport import next_url

_FROM = httpx.URL("https://r.example/v2/a/blobs/b?x=1")


def _redirect(*locations: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"Location", value) for value in locations]


def _next(location: bytes, url: httpx.URL = _FROM) -> str:
    return str(next_url(url, _redirect(location)))


@pytest.mark.parametrize(
    ("location", "target"),
    [
        (b"https://s.example/blob", "https://s.example/blob"),
        (b"/blob", "https://r.example/blob"),
        (b"../c", "https://r.example/v2/a/c"),
        (b"?y=2", "https://r.example/v2/a/blobs/b?y=2"),
        (b"//s.example/blob", "https://s.example/blob"),
        (b"https://s.example/blob#part", "https://s.example/blob"),
        (b"https://s.example:8443/blob", "https://s.example:8443/blob"),
    ],
)
def test_a_location_is_joined_to_the_url_that_it_came_from(
    location: bytes, target: str
) -> None:
    assert _next(location) == target


@pytest.mark.parametrize(
    "query",
    ["X-Amz-Signature=a%2Fb%2B", "sig=c+d/e%3D", "k=%7E~", "p=a%20b&q=(1)*'"],
)
def test_a_signed_query_stays_as_it_is(query: str) -> None:
    location = f"https://s.example/blob?{query}"

    assert _next(location.encode()) == location


@pytest.mark.parametrize(
    "location",
    [
        b"",
        b" /blob",
        b"/blo b",
        b"/blob\t",
        b"\\\\s.example\\blob",
        b"https://s.example\\@r.example/",
        b"/" + b"l" * 8_192,
        "/blöb".encode("latin-1"),
        b"https:///blob",
        b"https:blob",
        b"//",
        b"///blob",
        b"ftp://s.example/blob",
        b"file:///etc/passwd",
        b"javascript:alert(1)",
        b"https://user:word@s.example/blob",
        b"https://s.example:0/blob",
        b"https://s.example:99999/blob",
        b"https://s.example:port/blob",
        b"https://[::1/blob",
        b"http://s.example/blob",
    ],
)
def test_a_location_that_leads_nowhere_good_is_refused(location: bytes) -> None:
    with pytest.raises(TransportError) as refused:
        _next(location)

    assert refused.value.code == "redirect_refused"
    assert not refused.value.retryable


@pytest.mark.parametrize("locations", [(), (b"/a", b"/b"), (b"/a", b"/a")])
def test_a_redirect_has_exactly_one_location(locations: tuple[bytes, ...]) -> None:
    with pytest.raises(TransportError, match="Location"):
        next_url(_FROM, _redirect(*locations))


def test_http_may_lead_to_https() -> None:
    plain = httpx.URL("http://r.example/v2/")

    assert _next(b"https://r.example/v2/", plain) == "https://r.example/v2/"


@given(
    st.one_of(
        st.binary(max_size=60),
        st.from_regex(rb"(https?:)?/{0,3}[\x21-\x7e]{0,30}", fullmatch=True),
    )
)
def test_any_location_gives_an_https_url_with_a_host_or_a_refusal(
    location: bytes,
) -> None:
    try:
        target = next_url(_FROM, _redirect(location))
    except TransportError:
        return

    assert target.scheme == "https"
    assert target.host
    assert not target.userinfo


def test_a_refusal_shows_no_query() -> None:
    with pytest.raises(TransportError) as refused:
        _next(b"ftp://s.example/?sig=canary", httpx.URL("https://r.example/?s=canary"))

    assert "canary" not in refused.value.message
    assert "https://r.example:443" in refused.value.message
