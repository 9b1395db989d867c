"""Pages of Artifact Registry's API, read; and who we are there."""

import base64
import json
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st

from support.fake_clock import FakeClock
from support.google_replica.state import key_file, signing_key
from weighbridge.domain.image.digest import digest_of
from weighbridge.domain.registry.listing import TagSeen
from weighbridge.errors import ConfigError, DocumentError
from weighbridge.registry.kinds.google.google_api import (
    GooglePlace,
    parse_google_package_tags,
    parse_google_packages,
    parse_google_repositories,
    place_of,
)
from weighbridge.registry.kinds.google.google_key import read_key_file
from weighbridge.registry.kinds.google.google_token import SignedToken, signed_token

PLACE: Final = GooglePlace("acme", "acme", "europe-west1", "images")
PARENT: Final = "projects/acme/locations/europe-west1/repositories"


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("acme", GooglePlace("acme", "acme", "us")),
        ("acme/images", GooglePlace("acme", "acme", "us", "images")),
        ("acme/images/a/b", GooglePlace("acme", "acme", "us", "images", "a/b")),
        ("acme.example", GooglePlace("acme.example", "acme.example", "us")),
        ("acme.example/web", GooglePlace("acme.example/web", "acme.example:web", "us")),
        (
            "acme.example/web/images/a",
            GooglePlace("acme.example/web", "acme.example:web", "us", "images", "a"),
        ),
    ],
)
def test_a_name_says_which_project_and_repository_it_is_in(
    name: str, place: GooglePlace
) -> None:
    assert place_of(name, "us") == place


def packages(*names: object) -> bytes:
    entries = [{"name": name} for name in names]
    return json.dumps({"packages": entries, "nextPageToken": "ab+/="}).encode()


def test_slashes_in_the_name_of_a_package_are_escaped() -> None:
    start = f"{PARENT}/images/packages/"

    page = parse_google_packages(packages(f"{start}cart", f"{start}shop%2Fapi"), PLACE)

    assert page.names == ("acme/images/cart", "acme/images/shop/api")
    assert page.next == "ab+/="
    assert page.invalid == 0


@pytest.mark.parametrize(
    "name",
    [
        "projects/other/locations/europe-west1/repositories/images/packages/cart",
        f"{PARENT}/images/packages/",
        f"{PARENT}/images/packages/..%2F..%2Fother",
        f"{PARENT}/images/packages/UP",
        None,
    ],
)
def test_what_is_no_name_of_an_image_here_is_counted(name: object) -> None:
    page = parse_google_packages(packages(name), PLACE)

    assert (page.names, page.invalid) == ((), 1)


def test_what_holds_no_images_of_its_own_is_no_repository_of_images() -> None:
    entries = [
        {"name": f"{PARENT}/images", "format": "DOCKER", "mode": "STANDARD_REPOSITORY"},
        {"name": f"{PARENT}/hub", "format": "DOCKER", "mode": "REMOTE_REPOSITORY"},
        {"name": f"{PARENT}/all", "format": "DOCKER", "mode": "VIRTUAL_REPOSITORY"},
        {"name": f"{PARENT}/wheels", "format": "PYTHON"},
    ]
    raw = json.dumps({"repositories": entries}).encode()

    page = parse_google_repositories(raw, PLACE)

    assert page.names == ("acme/images", "acme/hub")
    assert page.invalid == 0


def test_a_tag_of_the_api_has_the_digest_of_its_version() -> None:
    place = place_of("acme/images/shop/cart", "europe-west1")
    package, digest = f"{PARENT}/images/packages/shop%2Fcart", digest_of(b"cart")
    entries = [
        {"name": f"{package}/tags/1.0", "version": f"{package}/versions/{digest}"},
        {"name": f"{package}/tags/odd", "version": f"{package}/versions/7"},
        {"name": f"{package}/tags/bare"},
        {"name": f"{package}s/tags/other"},
        {"name": f"{package}/tags/"},
        None,
    ]

    page = parse_google_package_tags(json.dumps({"tags": entries}).encode(), place)

    assert page.tags == (TagSeen("1.0", digest), TagSeen("odd"), TagSeen("bare"))
    assert page.invalid == 3


JSON = st.recursive(
    st.none()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from([PARENT, "DOCKER"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["packages", "repositories", "tags", "nextPageToken", "name", "mode"]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


@given(JSON.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=64))
def test_any_page_is_read_or_refused(raw: bytes) -> None:
    for parse in (
        parse_google_packages,
        parse_google_repositories,
        parse_google_package_tags,
    ):
        try:
            parse(raw, PLACE)
        except DocumentError:
            continue


def test_a_token_is_signed_for_the_api_alone_and_for_an_hour(tmp_path: Path) -> None:
    private_key, public_key = signing_key()
    key = read_key_file(key_file(tmp_path, private_key))
    now = FakeClock().clock.now()

    head, claims, signature = signed_token(key, now).reveal().split(".")

    public_key.verify(raw(signature), f"{head}.{claims}".encode(), PKCS1v15(), SHA256())
    said = json.loads(raw(claims))
    assert said["aud"] == "https://artifactregistry.googleapis.com/"
    assert said["iss"] == said["sub"] == key.email
    assert (said["iat"], said["exp"] - said["iat"]) == (int(now.timestamp()), 3_600)
    assert json.loads(raw(head))["kid"] == key.key_id


async def test_a_token_is_made_again_before_it_ends(tmp_path: Path) -> None:
    time = FakeClock()
    key = read_key_file(key_file(tmp_path, signing_key()[0]))
    token = SignedToken(key, time.clock)
    first = (await token.authorization()).reveal()

    time.advance(timedelta(minutes=49).total_seconds())
    assert (await token.authorization()).reveal() == first
    time.advance(timedelta(minutes=2).total_seconds())
    assert (await token.authorization()).reveal() != first


def test_a_key_that_cannot_sign_is_refused_without_showing_it(tmp_path: Path) -> None:
    key = read_key_file(key_file(tmp_path))

    with pytest.raises(ConfigError) as caught:
        SignedToken(key, FakeClock().clock)

    assert caught.value.code == "secret_file"
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None


def raw(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
