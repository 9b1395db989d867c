"""How near a registry is held to be, and who can make it nearer."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from support.database import a_database
from support.resolvers import ScriptedResolver
from weighbridge.bootstrap.registries.clients import find_reach
from weighbridge.bootstrap.registries.targets import Target
from weighbridge.net.guard.addresses import Reach
from weighbridge.store.registries.registry_rows import RegistryEntry, put_registry

NOW = datetime(2026, 3, 1, tzinfo=UTC)
HERE = Target("hub", "https://registry.example", None)


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        (["8.8.4.4"], Reach.PUBLIC),
        (["10.0.0.9", "10.0.0.10"], Reach.PRIVATE),
        (["127.0.0.1", "::1"], Reach.LOOPBACK),
        (["8.8.4.4", "127.0.0.1"], Reach.PUBLIC),
        (["10.0.0.9", "::1"], Reach.PRIVATE),
    ],
)
async def test_a_name_is_as_near_as_its_farthest_address(
    addresses: list[str], expected: Reach
) -> None:
    assert await find_reach(HERE, None, resolver=ScriptedResolver(addresses)) is (
        expected
    )


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://registry.example", Reach.PRIVATE),
        ("https://moved.example", Reach.PUBLIC),
    ],
)
async def test_the_class_that_was_seen_first_belongs_to_its_url(
    tmp_path: Path, url: str, expected: Reach
) -> None:
    entry = RegistryEntry("hub", "distribution", HERE.url, "registry", "private", 60)
    resolver = ScriptedResolver(["8.8.4.4"])
    with a_database(tmp_path) as database:
        with database.write() as connection:
            put_registry(connection, entry, NOW)

        found = await find_reach(Target("hub", url, None), database, resolver=resolver)

    assert found is expected
