"""What a person names, found among the configured registries or taken as an address."""

import pytest

from weighbridge.bootstrap.registries.targets import (
    AddressAccess,
    find_targets,
    image_of,
    refuse_registry,
    target_of,
)
from weighbridge.config import RegistrySettings, RepositorySettings, Settings
from weighbridge.domain.text.printable import Secret
from weighbridge.errors import InvalidReference, UsageError
from weighbridge.registry.kinds.dockerhub.hub_kind import DockerHubSettings

SETTINGS = Settings(
    database_url=Secret("sqlite:///w.db"),
    registries=(
        RegistrySettings(name="near", url="http://127.0.0.1:5000"),
        RegistrySettings(name="team", url="https://registry.example"),
        RegistrySettings(name="lan", url="http://lan.example:5000", plain_http=True),
        DockerHubSettings(name="hub", url="https://docker.io"),
        RegistrySettings(name="tls", url="https://localhost:5443"),
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
        ("localhost:5443", "tls"),
    ],
)
def test_an_address_that_is_configured_is_that_registry(
    address: str, name: str
) -> None:
    target = target_of(SETTINGS, address)

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
    target = target_of(SETTINGS, address)

    assert (target.name, target.url, target.settings) == (address, url, None)


@pytest.mark.parametrize(
    ("text", "name", "url"),
    [
        ("https://localhost:5443/app:1", "tls", "https://localhost:5443"),
        ("localhost:5443/app:1", "tls", "https://localhost:5443"),
        ("http://localhost:5443/app", "localhost:5443", "http://localhost:5443"),
        ("https://127.0.0.1:5000/app", "127.0.0.1:5000", "https://127.0.0.1:5000"),
        ("https://lan.example/app", "lan.example", "https://lan.example"),
        ("https://docker.io/python", "hub", "https://docker.io"),
    ],
)
def test_an_image_may_be_named_by_the_whole_address(
    text: str, name: str, url: str
) -> None:
    reference, target = image_of(SETTINGS, text)

    assert (target.name, target.url) == (name, url)
    assert reference.repository.rpartition("/")[2] in ("app", "python")


def test_a_scheme_never_makes_a_host_a_user_of_docker_hub() -> None:
    with pytest.raises(InvalidReference) as refused:
        image_of(SETTINGS, "https://harbor/app")

    assert "it begins with a scheme" in refused.value.message


@pytest.mark.parametrize(
    ("plain_http", "url"),
    [
        (None, "http://localhost:5000"),
        (False, "https://localhost:5000"),
        (True, "http://localhost:5000"),
    ],
)
def test_what_an_address_speaks_may_be_said(plain_http: bool | None, url: str) -> None:
    access = AddressAccess(plain_http, ca_file="ca.pem", user="ann")

    target = target_of(SETTINGS, "localhost:5000", access)

    assert (target.url, target.access) == (url, access)


def test_a_user_of_a_configured_registry_is_refused() -> None:
    with pytest.raises(UsageError) as refused:
        find_targets(SETTINGS, ["localhost:5443"], AddressAccess(user="ann"))

    assert refused.value.code == "misplaced_access"
    assert "weighbridge.yaml" in refused.value.hint


def test_a_password_is_not_shown_to_two_registries() -> None:
    texts = ["one.example/shop/api", "two.example"]

    with pytest.raises(UsageError) as refused:
        find_targets(SETTINGS, texts, AddressAccess(user="ann"))

    assert refused.value.code == "misplaced_access"
    assert len(find_targets(SETTINGS, texts, AddressAccess(ca_file="ca.pem"))) == 2


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
    assert refused.value.hint.startswith("configured  hub, lan, near, team, tls\n")


@pytest.mark.parametrize(
    ("text", "why", "hint"),
    [
        (
            "near/Shop/Api",
            "the repository's name has capitals",
            "near/shop/api",
        ),
        ("near/shop/api:1.4", "a tag follows its name", "near/shop/api"),
        (
            "http://127.0.0.1:5000/Shop/Api:1/",
            "a tag follows its name",
            "http://127.0.0.1:5000/shop/api",
        ),
        (
            f"near/shop/api@sha256:{'0' * 64}",
            "a digest follows its name",
            "near/shop/api",
        ),
        ("near/shop api", "has a character that cannot be there", None),
        ("near/" + "a" * 300, "has more than 255 characters", None),
    ],
)
def test_what_names_no_repository_is_told_why_and_what_may_be_meant(
    text: str, why: str, hint: str | None
) -> None:
    with pytest.raises(UsageError) as refused:
        find_targets(SETTINGS, [text])

    assert refused.value.code == "unknown_target"
    assert refused.value.message.endswith(why)
    if hint is None:
        assert "such as" in refused.value.hint
    else:
        assert refused.value.hint == hint


@pytest.mark.parametrize(
    "text",
    [
        "https://u:c4nary@near.example",
        "https://u:c4nary@near.example/Shop",
        "https://u:c4nary@near.example/shop:1",
        f"https://u:c4nary@near.example/shop@sha256:{'0' * 64}",
        "https://u:c4/nary@near.example",
        "https://u:c4nary/@near.example:5000",
        "u:c4nary@near.example:5000/shop",
        "u:c4n@ary@near.example",
    ],
)
def test_a_password_in_a_target_is_not_repeated(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        find_targets(SETTINGS, [text])

    said = f"{refused.value.message} {refused.value.hint}"
    assert "c4n" not in said
    assert "ary" not in said.replace("library", "")
    assert text.rpartition("@")[2] in said


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


SEVERAL = Settings(
    database_url=Secret("sqlite://"),
    registries=(
        RegistrySettings(
            name="shop",
            url="https://harbor.example",
            repositories=RepositorySettings(include=("shop/*",)),
        ),
        RegistrySettings(
            name="team",
            url="https://harbor.example:443",
            repositories=RepositorySettings(include=("team/*",)),
        ),
        DockerHubSettings(
            name="hub", url="https://registry-1.docker.io", namespaces=("acme",)
        ),
        DockerHubSettings(
            name="official",
            url="https://index.docker.io",
            repositories=RepositorySettings(include=("python",)),
        ),
    ),
)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("harbor.example/team/app:1", "team"),
        ("harbor.example:443/shop/app:1", "shop"),
        ("https://HARBOR.example/team/app:1", "team"),
        ("python:3.7", "official"),
        ("acme/app", "hub"),
        ("shop/team/app:1", "shop"),
    ],
)
def test_an_image_by_address_is_asked_with_the_credential_of_the_entry_that_wants_it(
    text: str, name: str
) -> None:
    assert image_of(SEVERAL, text)[1].name == name


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("harbor.example", ["shop", "team"]),
        ("https://harbor.example/", ["shop", "team"]),
        ("harbor.example/team/app", ["team"]),
        ("docker.io/python", ["official"]),
        ("shop", ["shop"]),
    ],
)
def test_a_crawl_of_an_address_is_one_of_all_its_entries(
    text: str, names: list[str]
) -> None:
    assert [target.name for target in find_targets(SEVERAL, [text])] == names
