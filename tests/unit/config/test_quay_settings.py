"""What the configuration of Quay means."""

from pathlib import Path

import pytest

from support.registry_client import OWNER, an_endpoint
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.bootstrap.registries.sites import scope_of
from weighbridge.bootstrap.registries.targets import find_targets
from weighbridge.config import load_settings
from weighbridge.domain.text.globs import matches
from weighbridge.errors import ConfigError
from weighbridge.registry.exchange.endpoint import KindAccess
from weighbridge.registry.kinds.quay.quay_kind import QUAY, QuaySettings
from weighbridge.registry.kinds.quay.quay_registry import (
    API_REQUESTS_PER_SECOND,
    open_quay,
)
from weighbridge.registry.pacing.rate_limiter import Clock, RateLimiter
from weighbridge.telemetry import Telemetry

IO = "registries:\n  - name: quay\n    kind: quay\n    url: https://quay.io\n"
OWN = IO.replace("quay.io", "quay.example")


def a_quay(tmp_path: Path, text: str) -> QuaySettings:
    path = tmp_path / "weighbridge.yaml"
    path.write_text(text)
    (found,) = load_settings(str(path), {}, KINDS).registries
    assert isinstance(found, QuaySettings)
    return found


def refused(tmp_path: Path, text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        a_quay(tmp_path, text)
    return caught.value


def test_auto_is_quay_at_its_own_address() -> None:
    assert KINDS.kind_of("auto", "https://quay.io") == "quay"
    assert KINDS.kind_of("quay", "https://quay.example") == "quay"


def test_namespaces_alone_are_all_that_is_looked_at(tmp_path: Path) -> None:
    quay = a_quay(tmp_path, f"{IO}    namespaces: [acme]\n")

    assert quay.listed_namespaces == ("acme",)
    assert not quay.lists_all
    assert matches(quay.wanted_repositories, "acme/app")
    assert not matches(quay.wanted_repositories, "other/app")


def test_namespaces_come_beside_what_is_included(tmp_path: Path) -> None:
    text = (
        f"{IO}    namespaces: [acme]\n"
        "    repositories: {include: [shop/cart, 'tools/x-*'], exclude: [acme/tmp-*]}\n"
    )
    quay = a_quay(tmp_path, text)
    path = tmp_path / "weighbridge.yaml"
    (target,) = find_targets(load_settings(str(path), {}, KINDS), ["quay"])
    scope = scope_of(target)

    assert quay.listed_namespaces == ("tools", "acme")
    assert scope.always == ("shop/cart",)
    wanted = ["acme/app", "shop/cart", "tools/x-1", "acme/tmp-1", "tools/y"]
    assert [n for n in wanted if scope.includes(n)] == wanted[:3]


@pytest.mark.parametrize(
    ("more", "lists_all"),
    [
        ("", True),
        ("    repositories: {include: ['*/api']}\n", True),
        ("    repositories: {include: ['acme/*']}\n", False),
        ("    repositories: {include: ['acme/*', '*-team/*']}\n", True),
        ("    namespaces: [acme]\n", False),
    ],
)
def test_what_has_no_fixed_namespace_is_found_among_all(
    tmp_path: Path, more: str, lists_all: bool
) -> None:
    quay = a_quay(tmp_path, OWN + more)

    assert quay.lists_all is lists_all
    assert bool(quay.listed_namespaces) is not lists_all


@pytest.mark.parametrize("more", ["", "    repositories: {include: ['*/api']}\n"])
def test_nobody_means_all_of_quay_io(tmp_path: Path, more: str) -> None:
    error = refused(tmp_path, IO + more)

    assert "namespaces" in str(error)
    # Who left the kind to us may only want to sign in there.
    a_quay(tmp_path, IO.replace("kind: quay", "kind: auto") + more)


@pytest.mark.parametrize("name", ["Acme", "acme/api", "", "a b", "x" * 300])
def test_a_namespace_is_a_user_or_an_organisation(tmp_path: Path, name: str) -> None:
    assert "namespaces" in str(refused(tmp_path, f"{IO}    namespaces: ['{name}']\n"))


def test_a_token_is_written_once(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t\n")
    both = "    api_token: a\n    api_token_file: token\n"

    error = refused(tmp_path, f"{OWN}{both}")

    assert "keep one" in str(error)


def test_a_file_of_a_token_is_read_again(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("first\n")
    quay = a_quay(tmp_path, f"{OWN}    api_token_file: token\n")

    (tmp_path / "token").write_text("second\n")
    current = quay.current_api_token()

    assert current is not None
    assert current.reveal() == "second"


def test_a_token_is_shown_nowhere(tmp_path: Path) -> None:
    quay = a_quay(tmp_path, f"{OWN}    api_token: canary-in-a-coal-mine\n")

    assert "canary" not in repr(quay)
    assert "canary" not in str(quay)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("", False),
        ("    api_token: t\n", True),
        ("    auth: {docker_config: t}\n", True),
    ],
)
def test_a_token_is_a_credential_too(tmp_path: Path, more: str, expected: bool) -> None:
    (tmp_path / "t").write_text("{}")

    assert a_quay(tmp_path, OWN + more).signs_in is expected


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("https://quay.io", [("api", API_REQUESTS_PER_SECOND)]),
        # Its API is on the same host, and so has the same limits.
        ("https://quay.example", []),
    ],
)
async def test_the_api_of_quay_io_is_asked_within_its_limit(
    url: str, parts: list[tuple[str, float]]
) -> None:
    asked: list[tuple[str, float | None]] = []

    def gate_of(part: str, most_per_second: float | None = None) -> RateLimiter | None:
        asked.append((part, most_per_second))
        return None

    access = KindAccess(Telemetry(), Clock(), gate_of)
    quay = open_quay(an_endpoint(url=url, credential=OWNER), access)
    await quay.aclose()

    assert asked == parts


def test_its_description_shows_that_it_is_quay() -> None:
    probe = QUAY.signs.probe

    assert probe is not None
    assert probe.shows({"swagger": "2.0", "info": {"title": "Quay Frontend"}})
    for other in ({}, {"info": None}, {"info": {"title": "Harbor API"}}):
        assert not probe.shows(other)
