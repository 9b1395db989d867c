"""The path below which a registry is."""

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from weighbridge.config.value.written_address import check_prefixed_url
from weighbridge.domain.registry.listing import registry_address
from weighbridge.net.guard.addresses import address_of
from weighbridge.registry.exchange.endpoint import registry_url

_PATHS = st.text(max_size=300) | st.text("aZ0._~-/%\\?#@:;v2 ", max_size=40)


@given(_PATHS)
@example("team/docker")
@example("a/./b")
@example("v2")
@example("x" * 255)
def test_any_path_is_refused_or_read_alike_by_all(path: str) -> None:
    try:
        url = check_prefixed_url(f"https://r.example/{path}")
    except PydanticCustomError:
        return

    assert check_prefixed_url(url) == registry_url(url) == url
    prefix = url.removeprefix("https://r.example")
    # What is asked is below it, and nothing of it is encoded, resolved or joined.
    asked = f"{url}/v2/_catalog"
    assert address_of(asked).target == f"{prefix}/v2/_catalog".encode()
    assert httpx.URL(asked).raw_path == f"{prefix}/v2/_catalog".encode()
    assert registry_address(url) == f"https://r.example:443{prefix}"
    assert not prefix.endswith(("/", "/v2"))


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("https://R.example/Team/", "https://r.example/Team"),
        ("https://r.example:8443/a/b.c_d-e~f", "https://r.example:8443/a/b.c_d-e~f"),
        ("http://[::1]:5000/a", "http://[::1]:5000/a"),
        ("https://r.example/", "https://r.example"),
    ],
)
def test_a_prefix_keeps_its_letters(written: str, url: str) -> None:
    assert check_prefixed_url(written) == url


@pytest.mark.parametrize("path", ["", "/a", "/a/"])
@pytest.mark.parametrize("mark", ["?token=", "#"])
def test_what_stands_in_a_query_is_not_shown(path: str, mark: str) -> None:
    """It may be a token."""
    with pytest.raises(PydanticCustomError) as refused:
        check_prefixed_url(f"https://r.example{path}{mark}c4nary")

    assert refused.value.context == {
        "message": "must have no query and no fragment",
        "shown": "",
    }
