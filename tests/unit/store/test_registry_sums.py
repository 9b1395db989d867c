"""The sums of a registry are what its rows come to, whoever changed them how."""

import threading
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, delete, insert, select, update

from support.many_repositories import add_repositories, change, mark_gone, set_scope
from support.store_world import T0, an_entry
from weighbridge.store.ledger.counts import (
    MANY,
    changes_noted,
    fold,
    registry_totals,
)
from weighbridge.store.maintenance.checking.differences import (
    compare_sums,
    mend_sums,
)
from weighbridge.store.models import (
    LISTED_STATES,
    registries,
    registry_sums,
    repositories,
    repository_summaries,
)
from weighbridge.store.registries.registry_rows import put_registry
from weighbridge.store.registries.repository_rows import put_repositories
from weighbridge.store.reports.inventory import registry_reports, snapshot_version
from weighbridge.store.session import Database

pytestmark = pytest.mark.slow

NUMBERS = st.none() | st.sampled_from([0, 1, 2**32 - 1, 2**32, 2**40 + 7, 2**63 - 1])
COUNTS = st.integers(0, 5)
OF_SUMMARY = st.fixed_dictionaries(
    {},
    optional={
        "tag_count": COUNTS,
        "tags_failed": COUNTS,
        "newest_compressed_bytes": NUMBERS,
        "referenced_bytes": NUMBERS,
        "exclusive_bytes": NUMBERS.filter(lambda number: number is not None),
    },
)
OF_REPOSITORY = st.fixed_dictionaries(
    {},
    optional={
        "state": st.sampled_from(LISTED_STATES),
        "held": st.sampled_from([None, '["v1"]']),
        "last_crawl_at": st.sampled_from([None, T0, T0 + timedelta(hours=1)]),
        "deleted_at": st.sampled_from([None, T0]),
        "registry_id": st.sampled_from([1, 2]),
    },
)
STEPS = st.lists(
    st.tuples(st.integers(1, 3), OF_SUMMARY | st.none(), OF_REPOSITORY | st.none()),
    max_size=12,
)


def wrong(database: Database) -> list[object]:
    with database.read() as connection:
        return list(compare_sums(connection))


@pytest.fixture(scope="module")
def three(module_database: Database) -> Database:
    """Repositories 1 to 3 of two registries."""
    with module_database.write() as connection:
        for name in ("hub", "other"):
            registry = put_registry(connection, an_entry(name), T0)
            put_repositories(connection, registry, [f"{name}/a", f"{name}/b"], T0)
    return module_database


@settings(deadline=None, max_examples=60)
@given(steps=STEPS)
def test_sums_follow_every_change_of_a_row(
    three: Database, steps: list[tuple[int, dict[str, object], dict[str, object]]]
) -> None:
    with three.write() as connection:
        for number, of_summary, of_repository in steps:
            if of_summary:
                change_row(connection, number, of_summary)
            if of_repository:
                connection.execute(
                    update(repositories)
                    .where(repositories.c.id == number)
                    .values(**of_repository)
                )

    assert wrong(three) == []


def change_row(connection: Connection, number: int, values: dict[str, object]) -> None:
    table = repository_summaries
    connection.execute(
        update(table).where(table.c.repository_id == number).values(**values)
    )


def test_a_repository_that_is_removed_leaves_the_sums(database: Database) -> None:
    ids = add_repositories(database, ["a", "b"])
    with database.write() as connection:
        for table in (repository_summaries, repositories):
            key = table.c[next(iter(table.primary_key.columns)).name]
            connection.execute(delete(table).where(key == ids["a"]))

    assert wrong(database) == []
    with database.read() as connection:
        (report,) = registry_reports(connection)
    assert (report.repositories, report.tags) == (1, 5)


def test_a_registry_that_is_removed_leaves_nothing_to_another(
    database: Database,
) -> None:
    with database.write() as connection:
        registry = put_registry(connection, an_entry("one"), T0)
        connection.execute(delete(registries).where(registries.c.id == registry))
        put_registry(connection, an_entry("two"), T0)

    assert wrong(database) == []


def test_what_is_wrong_is_put_right(database: Database) -> None:
    ids = add_repositories(database, ["a", "b"])
    with database.write() as connection:
        first = select(registry_sums.c.id).where(registry_sums.c.tags.is_not(None))
        number = connection.execute(first.limit(1)).scalar_one()
        connection.execute(
            update(registry_sums)
            .where(registry_sums.c.id == number)
            .values(tags=77, newest_high=3)
        )
        change_row(connection, ids["b"], {"registry_id": None})
    assert wrong(database) != []

    with database.write() as connection:
        mend_sums(connection, 1)

    assert wrong(database) == []


def test_the_version_changes_with_each_kind_of_row(database: Database) -> None:
    ids = add_repositories(database, ["a"])

    def version() -> str:
        with database.read() as connection:
            return snapshot_version(connection)

    versions = [version()]
    change(database, ids["a"], newest_tag="2.0")
    versions.append(version())
    mark_gone(database, ids.values())
    versions.append(version())
    set_scope(database, 1, image_count=4)
    versions.append(version())

    assert len(set(versions)) == len(versions)
    assert version() == versions[-1]


@pytest.mark.only_on("postgresql")
def test_rows_that_are_put_together_come_to_the_same(database: Database) -> None:
    ids = add_repositories(database, ["a", "b"])
    for number in range(MANY):
        change(database, ids["a"], tag_count=number)
    with database.read() as connection:
        before = registry_totals(connection), changes_noted(connection)

    fold(database)

    with database.read() as connection:
        assert (registry_totals(connection), changes_noted(connection)) == before
        rows = connection.execute(select(registry_sums.c.id)).all()
    assert len(rows) == 2
    assert wrong(database) == []


@pytest.mark.only_on("postgresql")
@pytest.mark.timeout(30)
def test_more_rows_than_are_put_together_come_to_an_end(database: Database) -> None:
    rows = [{"registry_id": n, "revision": 1} for n in range(1, MANY + 10)]
    with database.write() as connection:
        connection.execute(insert(registry_sums), rows)
        connection.execute(insert(registry_sums), rows)

    fold(database)

    with database.read() as connection:
        left = connection.execute(select(registry_sums.c.registry_id)).scalars().all()
        assert changes_noted(connection) == 2 * len(rows)
    assert sorted(left) == [row["registry_id"] for row in rows]


@pytest.mark.only_on("postgresql")
def test_of_a_registry_whose_sums_are_nothing_no_row_is_left(
    database: Database,
) -> None:
    with database.write() as connection:
        connection.execute(
            insert(registry_sums),
            [{"registry_id": 7, "tags": tags} for tags in [1, -1] * MANY],
        )

    fold(database)

    with database.read() as connection:
        assert connection.execute(select(registry_sums.c.id)).all() == []


@pytest.mark.only_on("postgresql")
def test_a_repository_that_goes_while_its_summary_changes_is_in_no_sum(
    database: Database,
) -> None:
    ids = add_repositories(database, ["a"])
    going = threading.Thread(target=mark_gone, args=(database, ids.values()))

    with database.write() as connection:
        change_row(connection, ids["a"], {"exclusive_bytes": 999, "tag_count": 9})
        going.start()
        going.join(timeout=0.3)
        assert going.is_alive()
    going.join()

    assert wrong(database) == []
    with database.read() as connection:
        (report,) = registry_reports(connection)
    assert (report.repositories, report.tags) == (0, 0)
