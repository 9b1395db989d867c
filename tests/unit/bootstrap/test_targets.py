"""What a person names, found among the configured registries or taken as an address."""

import pytest

from weighbridge.bootstrap.targets import find_targets, refuse_registry, target_of
from weighbridge.config import RegistrySettings, Settings
from weighbridge.domain.secret import Secret
from weighbridge.errors import InvalidReference, UsageError

SETTINGS = Settings(
    database_url=Secret("sqlite:///w.db"),
    registries=(
        RegistrySettings(name="near", url="http://127.0.0.1:5000"),
        RegistrySettings(name="team", url="https://registry.example"),
        RegistrySettings(name="lan", url="http://lan.example:5000", plain_http=True),
        RegistrySettings(name="hub", url="https://docker.io"),
    ),
)


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("near", "near"),
        ("127.0.0.1:5000", "near"),
        ("registry.example", "team"),
        ("registry.example:443", "team"),
        ("Registry.Example", "team"),
        ("lan.example:5000", "lan"),
        ("docker.io", "hub"),
    ],
)
def test_an_address_that_is_configured_is_that_registry(
    address: str, name: str
) -> None:
    target = target_of(SETTINGS, address, plain_http=False)

    assert target.name == name
    assert target.settings is not None
    assert target.url == target.settings.url


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("localhost:5000", "http://localhost:5000"),
        ("127.0.0.1:5001", "http://127.0.0.1:5001"),
        ("registry.example:5000", "https://registry.example:5000"),
        ("lan.example", "https://lan.example"),
    ],
)
def test_another_address_stays_its_own(address: str, url: str) -> None:
    target = target_of(SETTINGS, address, plain_http=False)

    assert (target.name, target.url, target.settings) == (address, url, None)


def test_a_scheme_that_is_said_has_to_be_the_configured_one() -> None:
    (plain,) = find_targets(SETTINGS, ["http://registry.example"])
    (tls,) = find_targets(SETTINGS, ["https://registry.example"])

    assert (plain.name, plain.settings) == ("registry.example", None)
    assert tls.name == "team"


@pytest.mark.parametrize(
    "text", ["http://127.0.0.1:5000/v2/", "http://127.0.0.1:5000/v2", "127.0.0.1:5000/"]
)
def test_the_address_of_the_api_is_the_registry(text: str) -> None:
    (target,) = find_targets(SETTINGS, [text])

    assert (target.name, target.only) == ("near", None)


def test_a_registry_that_is_named_in_two_ways_is_looked_at_once() -> None:
    (target,) = find_targets(SETTINGS, ["near/shop/api", "127.0.0.1:5000/shop/web"])

    assert (target.name, target.only) == ("near", ("shop/api", "shop/web"))


def test_a_repository_called_v2_can_be_named() -> None:
    (target,) = find_targets(SETTINGS, ["127.0.0.1:5000/v2"])

    assert target.only == ("v2",)


def test_a_name_that_is_not_configured_is_told_the_names_that_are() -> None:
    with pytest.raises(UsageError) as refused:
        find_targets(SETTINGS, ["harbor/shop/api"])

    assert refused.value.code == "unknown_target"
    assert refused.value.hint.startswith("configured  hub, lan, near, team\n")


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1:5000",
        "127.0.0.1:5000/",
        "127.0.0.1",
        "localhost:5000",
        "[::1]:5000",
        "registry.example.com",
        "registry.example.com:5000",
    ],
)
def test_an_address_is_no_image(text: str) -> None:
    with pytest.raises(InvalidReference) as refused:
        refuse_registry(text)

    assert f"{text!r} is a registry, not an image" in refused.value.message
    assert refused.value.hint == f"weighbridge crawl {text.rstrip('/')}"


@pytest.mark.parametrize(
    "text",
    [
        "python",
        "python:3.7",
        "redis:7",
        "shop/api:1.5.0",
        "127.0.0.1:5000/app",
        "registry.example.com/app:5000",
        f"python@sha256:{'0' * 64}",
    ],
)
def test_an_image_is_no_address(text: str) -> None:
    refuse_registry(text)
