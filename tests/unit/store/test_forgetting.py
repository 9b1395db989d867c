"""A registry or a repository is forgotten, and nothing else is touched."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from support.brute_force import counted, stored
from support.images import a_layer, an_image
from support.ledger_world import Fleet
from weighbridge.domain.image.platform import DEFAULT
from weighbridge.errors import StoreError
from weighbridge.store.crawls.crawl_requests import put_request
from weighbridge.store.leases.claiming import claim
from weighbridge.store.leases.jobs import Job, claim_job, note_done
from weighbridge.store.ledger.holdings import settle_all
from weighbridge.store.maintenance.checking.verify import verify
from weighbridge.store.maintenance.forgetting import Forgettable, find_known, forget
from weighbridge.store.read_model.summaries import refresh_summary
from weighbridge.store.registries.registry_rows import held_removals, hold_removals
from weighbridge.store.session import Database

BASE = a_layer("base", 5000)
ONE = an_image([BASE, a_layer("one", 100)])
TWO = an_image([BASE, a_layer("two", 200)])
TABLES = ("registries", "storage_scopes", "repositories", "tags", "tag_moves", "crawls")


@pytest.fixture
def fleet(database: Database) -> Fleet:
    fleet = Fleet(database)
    fleet.keep(ONE, TWO)
    fleet.push("one/a", latest=ONE, old=TWO)
    fleet.push("one/b", latest=ONE)
    fleet.push("two/a", latest=TWO)
    fleet.now += timedelta(days=1)
    settle_all(database)
    return fleet


def known(fleet: Fleet, repository: str | None) -> Forgettable:
    with fleet.database.read() as connection:
        found = find_known(connection, fleet.registry, repository)
    assert found is not None
    return found


def forgotten(fleet: Fleet, repository: str | None, owner: str = "us") -> None:
    forget(
        fleet.database,
        known(fleet, repository),
        lambda: fleet.now,
        owner=owner,
        listing="list",
        watch=lambda *_: None,
    )


def counts(database: Database) -> dict[str, int]:
    with database.read() as connection:
        return {
            table: connection.execute(
                text(f"SELECT count(*) FROM {table}")  # noqa: S608
            ).scalar_one()
            for table in TABLES
        }


def assert_right(fleet: Fleet) -> None:
    with fleet.database.write() as connection:
        for row in connection.execute(text("SELECT id FROM repositories")).all():
            refresh_summary(connection, row.id, fleet.now, [DEFAULT])
    assert counted(fleet.database) == stored(fleet.database)
    assert list(verify(fleet.database, {}, fleet.now, lambda *_: None)) == []


def test_what_is_known_is_told_before_it_is_forgotten(fleet: Fleet) -> None:
    whole, part = known(fleet, None), known(fleet, "one/a")

    assert (whole.name, len(whole.repositories), whole.tags) == ("hub", 4, 4)
    assert (part.name, len(part.repositories), part.tags) == ("hub/one/a", 1, 2)
    with fleet.database.read() as connection:
        assert find_known(connection, "nowhere", None) is None
        assert find_known(connection, "hub", "no/such") is None


def test_a_forgotten_repository_gives_its_share_to_the_others(fleet: Fleet) -> None:
    forgotten(fleet, "one/a")
    settle_all(fleet.database)

    assert counts(fleet.database) == {
        "registries": 1,
        "storage_scopes": 2,
        "repositories": 3,
        "tags": 2,
        "tag_moves": 2,
        "crawls": 0,
    }
    assert_right(fleet)


def test_a_scope_is_forgotten_with_its_last_repository(fleet: Fleet) -> None:
    forgotten(fleet, "two/a")

    assert counts(fleet.database)["storage_scopes"] == 1
    assert_right(fleet)


def test_a_forgotten_registry_leaves_no_row_and_other_registries_alone(
    fleet: Fleet,
) -> None:
    other = Fleet(fleet.database, registry="other", names=["x"])
    other.push("x", latest=ONE)
    settle_all(fleet.database)

    forgotten(fleet, None)

    assert counts(fleet.database) == {
        "registries": 1,
        "storage_scopes": 1,
        "repositories": 1,
        "tags": 1,
        "tag_moves": 1,
        "crawls": 0,
    }
    assert_right(other)


def test_a_forgotten_repository_may_come_back(fleet: Fleet) -> None:
    forgotten(fleet, "one/a")

    fleet.push("one/a", latest=TWO)
    settle_all(fleet.database)

    assert_right(fleet)
    assert known(fleet, "one/a").tags == 1


def test_a_forgotten_id_waits_for_no_second_look(fleet: Fleet) -> None:
    ids = sorted(fleet.ids.values())
    with fleet.database.write() as connection:
        hold_removals(connection, fleet.registry_id, ids[:2], 2)

    (name,) = (n for n, i in fleet.ids.items() if i == ids[0])
    forgotten(fleet, name)

    with fleet.database.read() as connection:
        assert held_removals(connection, fleet.registry_id) == {ids[1]}


@pytest.mark.parametrize("repository", ["one/b", None])
def test_nothing_is_forgotten_where_a_crawl_holds_the_lease(
    fleet: Fleet, repository: str | None
) -> None:
    with fleet.database.write() as connection:
        assert claim(connection, fleet.ids["one/b"], now=fleet.now, lease_s=60)

    with pytest.raises(StoreError) as caught:
        forgotten(fleet, repository)

    assert caught.value.code == "busy"
    assert known(fleet, "one/b").tags == 1
    assert_right(fleet)


def test_a_registry_that_somebody_waits_for_is_left_whole(fleet: Fleet) -> None:
    before = counts(fleet.database)
    with fleet.database.write() as connection:
        put_request(
            connection,
            fleet.registry_id,
            None,
            measures=True,
            now=fleet.now,
            owner="another",
            lease_s=60,
            resume_s=0,
        )

    with pytest.raises(StoreError) as caught:
        forgotten(fleet, None)

    assert caught.value.code == "busy"
    assert counts(fleet.database) == before


def test_a_registry_that_is_being_listed_is_left_whole(fleet: Fleet) -> None:
    before = counts(fleet.database)
    with fleet.database.write() as connection:
        claim_job(
            connection,
            Job("list", fleet.registry),
            now=fleet.now,
            next_at=fleet.now,
            lease_s=60,
            owner="another",
        )

    with pytest.raises(StoreError) as caught:
        forgotten(fleet, None)

    assert caught.value.code == "busy"
    assert counts(fleet.database) == before


def test_what_was_stopped_half_way_goes_on(fleet: Fleet) -> None:
    with fleet.database.write() as connection:
        assert claim(connection, fleet.ids["two/a"], now=fleet.now, lease_s=60)
    with pytest.raises(StoreError):
        forgotten(fleet, None)
    assert counts(fleet.database)["repositories"] == 1
    assert_right(fleet)

    fleet.now += timedelta(minutes=2)
    forgotten(fleet, None)

    assert counts(fleet.database) == dict.fromkeys(TABLES, 0)


def test_a_forgotten_registry_leaves_no_jobs_behind(fleet: Fleet) -> None:
    other, shared = Job("discover", "other"), Job("prune")
    of_it = [Job(name, fleet.registry) for name in ("discover", "measure")]
    with fleet.database.write() as connection:
        for job in (*of_it, other, shared):
            note_done(connection, job, fleet.now)

    forgotten(fleet, None)

    with fleet.database.read() as connection:
        left = connection.execute(text("SELECT job, argument FROM jobs")).all()
    assert {Job(*row) for row in left} == {other, shared}
