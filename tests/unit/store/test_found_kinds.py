"""What a registry was found to be is kept with its address, and where it keeps a blob
once follows its kind."""

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace
from sqlalchemy import select

from support.images import a_layer, an_image
from support.store_world import MINUTE, T0, World, an_entry
from weighbridge.store.leases.claiming import claim
from weighbridge.store.ledger.holdings import settle_all
from weighbridge.store.maintenance.checking.verify import verify
from weighbridge.store.models import registries, repositories, storage_scopes
from weighbridge.store.registries.registry_rows import (
    RegistryEntry,
    find_kind,
    note_kind,
    put_registry,
)
from weighbridge.store.session import Connection, Database

UNKNOWN = replace(an_entry(), knows_kind=False)
FOUND = replace(
    UNKNOWN,
    knows_kind=True,
    kind="harbor",
    storage_scope="project",
    kind_found="harbor",
    kind_sign="/v2/ says so",
)


def kept(connection: Connection) -> tuple[str | None, ...]:
    row = connection.execute(
        select(
            registries.c.kind,
            registries.c.storage_scope,
            registries.c.kind_found,
            registries.c.kind_sign,
        )
    ).one()
    return tuple(row)


def test_what_was_found_stays_while_the_address_does(database: Database) -> None:
    with database.write() as connection:
        put_registry(connection, FOUND, T0)
        put_registry(connection, UNKNOWN, T0 + MINUTE)

        assert kept(connection) == ("harbor", "project", "harbor", "/v2/ says so")
        assert find_kind(connection, "https://HUB.example:443") == (
            "harbor",
            "/v2/ says so",
        )


def test_it_is_forgotten_with_the_address(database: Database) -> None:
    moved = replace(UNKNOWN, url="https://new.example")
    with database.write() as connection:
        put_registry(connection, FOUND, T0)
        put_registry(connection, moved, T0 + MINUTE)

        assert kept(connection) == ("distribution", "registry", None, None)
        assert find_kind(connection, "https://new.example") is None


def test_a_kind_that_was_written_holds_and_what_was_found_is_kept(
    database: Database,
) -> None:
    with database.write() as connection:
        put_registry(connection, FOUND, T0)
        put_registry(connection, an_entry(), T0 + MINUTE)

        assert kept(connection) == (
            "distribution",
            "registry",
            "harbor",
            "/v2/ says so",
        )


def test_nobody_has_asked_before_the_first_crawl(database: Database) -> None:
    with database.write() as connection:
        put_registry(connection, UNKNOWN, T0)

        assert kept(connection) == ("distribution", "registry", None, None)
        assert find_kind(connection, "https://hub.example") is None


def test_what_was_found_anew_takes_its_place(database: Database) -> None:
    with database.write() as connection:
        put_registry(connection, FOUND, T0)
        note_kind(connection, FOUND.url, "quay", "a probe says so")

        assert find_kind(connection, FOUND.url) == ("quay", "a probe says so")


def scopes(database: Database) -> dict[str, str]:
    with database.read() as connection:
        return {
            row.repository: row.scope
            for row in connection.execute(
                select(
                    repositories.c.name.label("repository"),
                    storage_scopes.c.name.label("scope"),
                ).join(storage_scopes, storage_scopes.c.id == repositories.c.scope_id)
            )
        }


def kept_once(database: Database) -> dict[str, int]:
    with database.read() as connection:
        return {
            row.name: row.deduplicated_bytes
            for row in connection.execute(
                select(storage_scopes.c.name, storage_scopes.c.deduplicated_bytes)
            )
            if row.deduplicated_bytes
        }


@pytest.mark.parametrize("kind", ["project", "repository"])
def test_storage_is_counted_anew_where_the_kind_keeps_it_otherwise(
    database: Database, kind: str
) -> None:
    """History stays, and every total is as if it had been so from the start."""
    names = ("a/one", "a/two", "b/one")
    worlds = [World(database, repository=name) for name in names]
    shared = an_image([a_layer("s", 70)])
    for world in worlds:
        world.crawl({"t": shared})
    settle_all(database)
    once = shared.stored_bytes
    assert kept_once(database) == {"": once}

    with database.write() as connection:
        put_registry(connection, replace(an_entry(), storage_scope=kind), worlds[0].now)
    settle_all(database)

    expected = {n: n.partition("/")[0] if kind == "project" else n for n in names}
    assert scopes(database) == expected
    assert kept_once(database) == dict.fromkeys(expected.values(), once)
    assert list(verify(database, {}, datetime.now(UTC), lambda *_: None)) == []

    back: RegistryEntry = an_entry()
    with database.write() as connection:
        put_registry(connection, back, worlds[0].now)
    settle_all(database)

    assert kept_once(database) == {"": once}
    assert list(verify(database, {}, datetime.now(UTC), lambda *_: None)) == []


def test_many_repositories_are_moved_together_and_every_total_is_right(
    database: Database,
) -> None:
    """Those that hold nothing, that share with others, and one that was in hand."""
    worlds = [World(database, repository=f"a/r{number:02}") for number in range(12)]
    base = a_layer("base", 70)
    for number, world in enumerate(worlds[:9]):
        images = {f"t{n}": an_image([base, a_layer(f"l{n}", 9)]) for n in range(number)}
        world.crawl(images)
    settle_all(database)
    with database.write() as connection:
        now, of = worlds[0].now + MINUTE, worlds[0].repository_id
        taken = claim(connection, of, now=now, lease_s=60, owner="worker")
    assert taken is not None

    for kind in ("repository", "project", "registry"):
        entry = replace(an_entry(), storage_scope=kind)
        with database.write() as connection:
            put_registry(connection, entry, now)
        settle_all(database)

        assert len(set(scopes(database).values())) == (
            12 if kind == "repository" else 1
        )
        assert list(verify(database, {}, datetime.now(UTC), lambda *_: None)) == []
    with database.read() as connection:
        row = connection.execute(
            select(repositories).where(repositories.c.id == worlds[0].repository_id)
        ).one()
    assert (row.lease_owner, row.due_at) == (None, now)
    assert row.fence > taken.fence
