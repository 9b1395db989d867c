"""Addresses as people write them."""

import pytest

from support.registry_client import an_endpoint
from weighbridge.errors import UsageError
from weighbridge.net.guard.addresses import Reach
from weighbridge.registry.exchange.endpoint import registry_url


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("registry.example", "https://registry.example"),
        ("registry.example:5000", "https://registry.example:5000"),
        ("https://registry.example/", "https://registry.example"),
        ("http://registry.example", "http://registry.example"),
        ("10.0.0.7:5000", "https://10.0.0.7:5000"),
        ("127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("localhost:5000", "http://localhost:5000"),
        ("[::1]:5000", "http://[::1]:5000"),
        ("https://127.0.0.1:5000", "https://127.0.0.1:5000"),
    ],
)
def test_an_address_gets_the_scheme_that_docker_gives_it(
    address: str, url: str
) -> None:
    assert registry_url(address) == url


def test_plain_http_is_only_for_those_who_say_it() -> None:
    assert registry_url("registry.example", plain_http=True) == (
        "http://registry.example"
    )


@pytest.mark.parametrize(
    "address",
    [
        "",
        "https://",
        "ftp://registry.example",
        "registry.example/path",
        "registry.example?x=1",
        "registry.example:0",
        "registry.example:99999",
        "registry.example:port",
        "registry.example#x",
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(UsageError) as refused:
        registry_url(address)

    assert refused.value.code == "invalid_registry"


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError) as refused:
        registry_url("https://ann:canary@registry.example")

    assert "canary" not in refused.value.message


@pytest.mark.parametrize(
    ("url", "ceiling", "is_insecure"),
    [
        ("http://registry.local", Reach.PRIVATE, True),
        ("https://registry.local", Reach.PRIVATE, False),
        ("http://127.0.0.1:5000", Reach.LOOPBACK, False),
    ],
)
def test_plain_http_beyond_loopback_is_insecure(
    url: str, ceiling: Reach, is_insecure: bool
) -> None:
    assert an_endpoint(url=url, ceiling=ceiling).is_insecure is is_insecure


def test_an_endpoint_keeps_one_spelling_of_its_url() -> None:
    assert an_endpoint(url="https://HUB.example/").url == "https://hub.example"


def test_an_endpoint_keeps_the_prefix_below_which_it_is() -> None:
    url = "https://HUB.example/Team/docker/"

    assert an_endpoint(url=url).url == "https://hub.example/Team/docker"


@pytest.mark.parametrize(
    "url", ["hub.example/a", "https://hub.example/a?b", "https:///a"]
)
def test_an_endpoint_without_an_address_is_refused(url: str) -> None:
    with pytest.raises(UsageError):
        an_endpoint(url=url)
