"""A client outlives the job that opened it, but not for ever."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from support.database import a_database
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.bootstrap.registries.clients import OpenClient, registry_client
from weighbridge.bootstrap.registries.sites import RENEW_S, KeptClients
from weighbridge.bootstrap.registries.targets import Target
from weighbridge.config import RegistrySettings, Settings, load_settings
from weighbridge.config.registries.registry_settings import AuthSettings
from weighbridge.errors import ConfigError
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry


class Hand:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with a_database(tmp_path) as opened:
        yield opened


def a_target(name: str = "near", auth: AuthSettings | None = None) -> Target:
    url = "http://127.0.0.1:5000"
    return Target(name, url, RegistrySettings(name=name, url=url, auth=auth))


def clients_of(
    database: Database, clock: Hand, closed: list[str] | None = None
) -> KeptClients:
    """closed: gets the names of those that are closed"""

    @asynccontextmanager
    async def opened(
        settings: Settings, target: Target, telemetry: Telemetry, **more: Any
    ) -> AsyncIterator[OpenClient]:
        async with registry_client(settings, target, telemetry, **more) as connected:
            yield connected
        if closed is not None:
            closed.append(target.name)

    return KeptClients(
        load_settings(None, {}, KINDS),
        database,
        Telemetry(),
        monotonic=clock,
        opened=opened,
    )


async def test_all_who_ask_a_registry_have_one_client(database: Database) -> None:
    clients = clients_of(database, Hand())

    async def used() -> object:
        async with clients.use(a_target()) as connected:
            await asyncio.sleep(0)
            return connected

    found = await asyncio.gather(*(used() for _ in range(5)))
    await clients.aclose()

    assert len({id(one) for one in found}) == 1


async def test_an_address_that_is_not_configured_is_asked_too(
    database: Database,
) -> None:
    clients = clients_of(database, Hand())
    target = Target("127.0.0.1:5000", "http://127.0.0.1:5000", None)

    async with clients.use(target) as connected:
        name = connected.registry.name
    await clients.aclose()

    assert name == "127.0.0.1:5000"


async def test_an_old_client_is_replaced_although_it_is_always_in_use(
    database: Database,
) -> None:
    clock = Hand()
    clients = clients_of(database, clock)
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(clients.use(a_target()))
        clock.now += RENEW_S + 1

        async with clients.use(a_target()) as second:
            is_another = second is not first
    await clients.aclose()

    assert is_another


async def test_who_uses_an_old_client_goes_on_with_it_until_the_end(
    database: Database,
) -> None:
    clock = Hand()
    closed: list[str] = []
    clients = clients_of(database, clock, closed)

    async with clients.use(a_target()):
        clock.now += RENEW_S + 1
        async with clients.use(a_target()):
            pass
        meanwhile = list(closed)
    in_the_end = list(closed)
    await clients.aclose()

    assert (meanwhile, in_the_end) == ([], ["near"])


async def test_a_client_that_nobody_uses_is_closed_in_time(database: Database) -> None:
    clock = Hand()
    closed: list[str] = []
    clients = clients_of(database, clock, closed)
    async with clients.use(a_target("one")):
        pass
    clock.now += RENEW_S + 1

    async with clients.use(a_target("other")):
        meanwhile = list(closed)
    await clients.aclose()

    assert (meanwhile, closed) == (["one"], ["one", "other"])


async def test_a_password_that_cannot_be_read_is_told_to_each_who_asks(
    database: Database, tmp_path: Path
) -> None:
    secret = tmp_path / "password"
    secret.write_text("p")
    secret.chmod(0o600)
    target = a_target(auth=AuthSettings(username="me", password_file=secret))
    secret.unlink()
    clients = clients_of(database, Hand())

    for _ in range(2):
        with pytest.raises(ConfigError):
            async with clients.use(target):
                pass

    secret.write_text("p")
    async with clients.use(target):
        pass
    await clients.aclose()


async def test_a_client_is_replaced_once_its_password_is(
    database: Database, tmp_path: Path
) -> None:
    secret = tmp_path / "password"
    secret.write_text("p")
    target = a_target(auth=AuthSettings(username="me", password_file=secret))
    clients = clients_of(database, Hand())
    async with clients.use(target) as first, clients.use(target) as same:
        pass
    secret.write_text("another")

    async with clients.use(target) as second:
        pass
    await clients.aclose()

    assert same is first
    assert second is not first
