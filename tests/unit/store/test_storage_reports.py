"""Storage, age and tombstones in what the store answers."""

import pytest
from sqlalchemy import insert, update

from support.many_repositories import add_repositories, change, mark_gone, set_scope
from support.store_world import T0, World
from weighbridge.domain.report.inventory import RegistryReport, RepositoryReport
from weighbridge.store.models import registries, repositories, storage_scopes
from weighbridge.store.reports.inventory import (
    heaviest_ids,
    pinned_ids,
    registry_reports,
    snapshot_version,
)
from weighbridge.store.reports.repositories import (
    RepositoryQuery,
    find_repository,
    repository_page,
)
from weighbridge.store.reports.search import search
from weighbridge.store.session import Database


def the_registry(database: Database) -> RegistryReport:
    with database.read() as connection:
        (report,) = registry_reports(connection)
    return report


def rows(database: Database, sort: str = "name") -> dict[str, RepositoryReport]:
    with database.read() as connection:
        page = repository_page(connection, RepositoryQuery(sort=sort))
    return {row.repository: row for row in page.items}


@pytest.fixture
def two(database: Database) -> dict[str, int]:
    """`a` holds 700 of its own, `b` 200; 500 more are in both."""
    ids = add_repositories(database, ["a", "b"])
    change(database, ids["a"], deduplicated_bytes=1_200, exclusive_bytes=700)
    change(database, ids["b"], deduplicated_bytes=700, exclusive_bytes=200)
    set_scope(
        database,
        1,
        image_count=9,
        weighed_bytes=1_300,
        deduplicated_bytes=1_400,
        shared_bytes=500,
    )
    return ids


def test_exclusive_and_shared_bytes_add_up_to_what_is_stored(
    database: Database, two: dict[str, int]
) -> None:
    registry = the_registry(database)

    assert registry.deduplicated_bytes == 1_400
    assert registry.exclusive_bytes == 900
    assert registry.shared_bytes == 500
    assert (registry.images, registry.weighed_bytes) == (9, 1_300)


def test_a_repository_shares_what_is_not_its_own(
    database: Database, two: dict[str, int]
) -> None:
    found = rows(database)

    assert [
        (row.deduplicated_bytes, row.exclusive_bytes, row.shared_bytes)
        for row in found.values()
    ] == [(700, 200, 500), (1_200, 700, 500)]


def test_a_repository_names_the_set_that_its_blobs_are_kept_once_in(
    database: Database, two: dict[str, int]
) -> None:
    with database.write() as connection:
        connection.execute(
            insert(storage_scopes).values(
                id=77,
                registry_id=1,
                name="acme",
                image_count=0,
                weighed_bytes=0,
                deduplicated_bytes=100,
                shared_bytes=0,
                revision=0,
            )
        )
        connection.execute(
            update(repositories)
            .where(repositories.c.id == two["b"])
            .values(scope_id=77)
        )

    found = rows(database)

    assert (found["a"].storage_scope, found["b"].storage_scope) == ("hub", "hub/acme")
    assert the_registry(database).deduplicated_bytes == 1_500


def test_what_was_never_looked_at_is_unknown_and_not_empty(world: World) -> None:
    report = world.report()
    registry = the_registry(world.database)

    for value in (
        report.deduplicated_bytes,
        report.shared_bytes,
        report.exclusive_bytes,
        registry.deduplicated_bytes,
        registry.shared_bytes,
        registry.exclusive_bytes,
        registry.images,
        registry.weighed_bytes,
        registry.newest_compressed_bytes,
    ):
        assert value is None


@pytest.mark.parametrize("sort", ["deduplicated", "exclusive", "shared"])
def test_what_is_unknown_comes_last_when_storage_is_sorted(
    database: Database, two: dict[str, int], sort: str
) -> None:
    World(database, repository="unread")

    assert list(rows(database, sort))[-1] == "unread"


def test_repositories_are_counted_by_their_state(
    database: Database, two: dict[str, int]
) -> None:
    with database.write() as connection:
        connection.execute(
            update(repositories)
            .where(repositories.c.id == two["b"])
            .values(state="missing")
        )
        connection.execute(update(registries).values(removals_held=3))

    registry = the_registry(database)

    known = {s: n for s, n in registry.repository_states.items() if n}
    assert known == {"ok": 1, "missing": 1}
    assert "deleted" not in registry.repository_states
    assert "unreachable" in registry.repository_states
    assert registry.removals_held == 3


def test_a_repository_that_is_gone_is_in_no_list_and_in_no_sum(
    database: Database, two: dict[str, int]
) -> None:
    mark_gone(database, [two["a"]], T0)

    registry = the_registry(database)
    with database.read() as connection:
        by_name = repository_page(connection, RepositoryQuery(sort="name"))
        by_size = repository_page(connection, RepositoryQuery(registry="hub"))
        found = search(connection, "a", 10)
        heaviest = heaviest_ids(connection, 10)
        pinned = pinned_ids(connection, ["*"])

    for page in (by_name, by_size):
        assert [row.repository for row in page.items] == ["b"]
    assert found.hits == []
    assert heaviest == pinned == [two["b"]]
    assert registry.repositories == 1
    assert registry.exclusive_bytes == 200
    assert registry.referenced_bytes == 9_000


def test_a_repository_that_is_gone_can_still_be_asked_for(
    database: Database, two: dict[str, int]
) -> None:
    mark_gone(database, [two["a"]], T0)

    with database.read() as connection:
        report = find_repository(connection, "hub", "a")

    assert report is not None
    assert (report.state, report.deleted_at, report.state_since) == ("deleted", T0, T0)


@pytest.mark.parametrize("what", ["gone", "scope", "held"])
def test_whatever_the_reports_show_moves_the_version(
    database: Database, two: dict[str, int], what: str
) -> None:
    with database.read() as connection:
        before = snapshot_version(connection)

    if what == "gone":
        mark_gone(database, [two["a"]], T0)
    elif what == "scope":
        set_scope(database, 1, shared_bytes=501)
    else:
        with database.write() as connection:
            revision = registries.c.revision + 1
            connection.execute(
                update(registries).values(removals_held=1, revision=revision)
            )

    with database.read() as connection:
        assert snapshot_version(connection) != before
