"""What the configuration of Google's registries means."""

import json
from pathlib import Path
from typing import Any

import pytest

from support.google_replica.state import KEY, key_file
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import load_settings
from weighbridge.config.effective import effective_settings
from weighbridge.errors import ConfigError
from weighbridge.registry.kinds.google.google_key import read_key_file
from weighbridge.registry.kinds.google.google_kind import (
    GoogleSettings,
    google_roots,
    location_of,
)

URL = "https://europe-west1-docker.pkg.dev"


def an_entry(folder: Path, **more: object) -> GoogleSettings:
    entry: dict[str, Any] = {"name": "google", "kind": "google", "url": URL} | more
    path = folder / "weighbridge.yaml"
    path.write_text(json.dumps({"registries": [entry]}))
    (found,) = load_settings(str(path), {}, KINDS).registries
    assert isinstance(found, GoogleSettings)
    return found


def refused(folder: Path, **more: object) -> str:
    with pytest.raises(ConfigError) as caught:
        an_entry(folder, **more)
    return str(caught.value)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("gcr.io", "google"),
        ("eu.gcr.io", "google"),
        ("us-docker.pkg.dev", "google"),
        ("europe-west12-docker.pkg.dev", "google"),
        ("europe-west1-python.pkg.dev", "distribution"),
        ("gcr.io.example", "distribution"),
    ],
)
def test_auto_is_google_at_its_own_addresses(host: str, expected: str) -> None:
    assert KINDS.kind_of("auto", f"https://{host}") == expected


@pytest.mark.parametrize(
    ("patterns", "roots"),
    [
        (["acme/*"], ("acme",)),
        (["acme/images/*", "acme/images/team-*"], ("acme/images",)),
        (["acme/images/cart", "acme/old/*/cart"], ("acme/old",)),
        (["*", "*/cart", "ac*"], ()),
    ],
)
def test_patterns_say_below_what_is_looked(
    patterns: list[str], roots: tuple[str, ...]
) -> None:
    assert google_roots(patterns) == roots


def test_a_whole_name_needs_no_looking(tmp_path: Path) -> None:
    entry = an_entry(tmp_path, repositories={"include": ["acme/images/cart"]})

    assert entry.roots == ()


def test_artifact_registry_has_no_list_of_everything(tmp_path: Path) -> None:
    assert "PROJECT/REPOSITORY/*" in refused(tmp_path)


def test_container_registry_may_have_one(tmp_path: Path) -> None:
    assert an_entry(tmp_path, url="https://gcr.io").roots == ()


def test_a_key_file_is_read_as_google_writes_it(tmp_path: Path) -> None:
    path = key_file(tmp_path)
    entry = an_entry(
        tmp_path, key_file="key.json", repositories={"include": ["acme/*"]}
    )

    assert entry.key_file == path
    credential = read_key_file(path).credential()
    assert credential.username == "_json_key"
    assert credential.password is not None
    text = credential.password.reveal()
    assert json.loads(text) == KEY
    assert "\n" not in text
    assert "canary" not in f"{entry!r} {credential} {credential!r}"


def test_a_key_file_takes_the_place_of_auth(tmp_path: Path) -> None:
    key_file(tmp_path)

    words = refused(
        tmp_path,
        key_file="key.json",
        auth={"username": "_json_key", "password": "x"},
        repositories={"include": ["acme/*"]},
    )

    assert "excludes auth" in words


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"url": "https://r.example", "location": "europe-west1"}, "api_url"),
        ({"url": "https://r.example", "api_url": "https://api.example"}, "location"),
        ({"api_url": "http://api.example"}, "is not encrypted"),
        ({"location": "Europe"}, "must be a location"),
    ],
)
def test_who_is_shown_a_token_is_said_by_both_keys(
    tmp_path: Path, more: dict[str, str], why: str
) -> None:
    assert why in refused(tmp_path, repositories={"include": ["acme/*"]}, **more)


@pytest.mark.parametrize(
    ("host", "location"),
    [
        ("us-docker.pkg.dev", "us"),
        ("northamerica-northeast1-docker.pkg.dev", "northamerica-northeast1"),
        ("gcr.io", ""),
        ("us-docker.pkg.dev.example", ""),
    ],
)
def test_the_host_of_artifact_registry_says_its_location(
    host: str, location: str
) -> None:
    assert location_of(host) == location


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"canary", "is not the JSON of a key"),
        (b"[]", "is not the key of a service account"),
        (b'{"type": "authorized_user", "x": "canary"}', "is not the key of a service"),
        (b'{"type": "service_account", "private_key": "canary"}', "client_email"),
        (b" " * 70_000, "is larger than 64 KiB"),
        (b"\xff\xfe", "is not the JSON of a key"),
    ],
)
def test_a_file_that_is_no_key_is_refused_without_showing_it(
    tmp_path: Path, content: bytes, why: str
) -> None:
    (tmp_path / "key.json").write_bytes(content)

    words = refused(tmp_path, key_file="key.json", repositories={"include": ["acme/*"]})

    assert why in words
    assert "canary" not in words


def test_it_may_be_asked_as_what_this_machine_is(tmp_path: Path) -> None:
    path = tmp_path / "weighbridge.yaml"
    path.write_text(
        "registries:\n  - name: cloud\n    url: https://gcr.io\n    auth: ambient\n"
    )

    (entry,) = load_settings(str(path), {}, KINDS).registries

    assert entry.is_ambient
    assert entry.signs_in
    shown: Any = effective_settings(str(path), {}, KINDS)
    assert shown["registries"][0]["auth"].value == "ambient"
