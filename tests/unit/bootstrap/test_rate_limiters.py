"""Whoever is one client for a registry has one rate limiter."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.database import a_database
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.bootstrap.registries.clients import (
    RateLimiters,
    limited,
    registry_client,
)
from weighbridge.bootstrap.registries.targets import AddressAccess, Target
from weighbridge.config import RegistrySettings, Settings, load_settings
from weighbridge.config.registries.registry_settings import AuthSettings, LimitSettings
from weighbridge.config.settings import Pace
from weighbridge.domain.text.printable import Secret
from weighbridge.ports.protocols import Asker, Pacing
from weighbridge.registry.kinds.dockerhub.hub_kind import DockerHubSettings
from weighbridge.registry.pacing.rate_limiter import Clock
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry

URL = "https://10.0.0.1:5000"


class NoPacing:
    """Lets everybody pass."""

    def serve(self, asker: Asker) -> None:
        pass

    def enter(self, *, is_urgent: bool) -> float:
        return 0.0

    def leave(self, *, is_urgent: bool) -> None:
        pass

    def pause(self, seconds: float) -> None:
        pass


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with a_database(tmp_path) as opened:
        yield opened


def an_entry(
    name: str, user: str = "", url: str = URL, limits: LimitSettings | None = None
) -> RegistrySettings:
    auth = AuthSettings(username=user, password=Secret("p")) if user else None
    return RegistrySettings(
        name=name, url=url, auth=auth, limits=limits or LimitSettings()
    )


def settings_of(*entries: RegistrySettings) -> Settings:
    return load_settings(None, {}, KINDS).model_copy(update={"registries": entries})


def a_target(entry: RegistrySettings) -> Target:
    return Target(entry.name, entry.url, entry)


def is_one_limiter(one: RegistrySettings, other: RegistrySettings) -> bool:
    settings, gates = settings_of(one, other), RateLimiters()
    first, second = (
        gates.of(limited(settings, a_target(entry), loopback=False), Clock())
        for entry in (one, other)
    )
    return first is second


def test_entries_with_one_address_and_credential_have_one_rate_limiter() -> None:
    assert is_one_limiter(an_entry("a", "me"), an_entry("b", "me"))
    assert is_one_limiter(an_entry("a"), an_entry("b", url=f"{URL}/"))


def test_two_credentials_have_limits_of_their_own() -> None:
    assert not is_one_limiter(an_entry("a", "me"), an_entry("b", "you"))
    assert not is_one_limiter(an_entry("a", "me"), an_entry("b"))


def test_two_addresses_have_limits_of_their_own() -> None:
    assert not is_one_limiter(an_entry("a"), an_entry("b", url="https://10.0.0.2:5000"))


def test_the_lowest_limits_of_such_entries_hold() -> None:
    one = an_entry("a", limits=LimitSettings(concurrency=4))
    other = an_entry("b", limits=LimitSettings(requests_per_second=5))
    settings = settings_of(one, other)

    found = [limited(settings, a_target(e), loopback=False).pace for e in (one, other)]

    assert found == [Pace(5, 4), Pace(5, 4)]


def test_addresses_that_are_not_configured_are_told_apart_by_who_asks() -> None:
    settings, gates = settings_of(), RateLimiters()

    def limiter_of(user: str | None) -> object:
        target = Target("10.0.0.1:5000", URL, None, access=AddressAccess(user=user))
        return gates.of(limited(settings, target, loopback=False), Clock())

    assert limiter_of("me") is limiter_of("me")
    assert limiter_of("me") is not limiter_of("you")
    assert limiter_of("me") is not limiter_of(None)


async def test_the_pace_of_docker_hub_s_api_is_not_the_registry_s(
    database: Database,
) -> None:
    """A minute that the API asks for would otherwise hold back the manifests."""
    named: list[str] = []

    def shared(name: str, _: Pace) -> Pacing:
        named.append(name)
        return NoPacing()

    hub = DockerHubSettings(
        name="hub", url="https://registry-1.docker.io", address_class="public"
    )

    async with registry_client(
        settings_of(hub),
        a_target(hub),
        Telemetry(),
        database=database,
        gates=RateLimiters(shared),
    ):
        pass

    assert named == ["hub", "hub:api"]


@pytest.mark.parametrize(
    ("configured", "allowed", "expected"),
    [(20, 5, 5), (2, 5, 2), (None, 5, 5), (20, None, 20), (None, None, None)],
)
def test_a_part_is_never_asked_more_often_than_its_operator_allows(
    configured: float | None, allowed: float | None, expected: float | None
) -> None:
    paces: list[Pace] = []

    def shared(_: str, pace: Pace) -> Pacing:
        paces.append(pace)
        return NoPacing()

    entry = an_entry("one", limits=LimitSettings(requests_per_second=configured))
    of = limited(settings_of(entry), a_target(entry), loopback=False)

    RateLimiters(shared).of(of, Clock(), "api", allowed)

    assert [pace.requests_per_second for pace in paces] == [expected]
