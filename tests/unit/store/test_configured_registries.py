"""Rows of registries: what is configured and how they are."""

from datetime import timedelta

from msgspec.structs import replace

from support.images import a_layer, an_image
from support.store_world import MINUTE, T0, World, a_result, an_entry
from weighbridge.domain.registry.rate_limit import RateLimit
from weighbridge.domain.report.inventory import RegistryReport
from weighbridge.store.crawls.crawled_repositories import weighed
from weighbridge.store.ledger.holdings import settle_all
from weighbridge.store.registries.registry_rows import (
    find_address_class,
    mark_unconfigured,
    note_cost,
    note_discovery,
    note_registry,
    put_registry,
)
from weighbridge.store.reports.inventory import registry_reports, snapshot_version
from weighbridge.store.session import Database


def reports(database: Database) -> dict[str, RegistryReport]:
    with database.read() as connection:
        return {report.name: report for report in registry_reports(connection)}


def version(database: Database) -> str:
    with database.read() as connection:
        return snapshot_version(connection)


def test_a_new_registry_has_nothing_yet(database: Database) -> None:
    with database.write() as connection:
        put_registry(connection, an_entry("hub"), T0)

    report = reports(database)["hub"]

    assert (report.state, report.state_since) == ("new", T0)
    assert (report.repositories, report.tags, report.images) == (0, 0, None)
    assert (report.referenced_bytes, report.weighed_bytes) == (None, None)
    assert report.last_success_at is None


def test_putting_it_again_brings_it_up_to_date_under_the_same_id(
    database: Database,
) -> None:
    with database.write() as connection:
        first = put_registry(connection, an_entry("hub"), T0)
        changed = replace(an_entry("hub"), kind="harbor", interval_s=60)
        second = put_registry(connection, changed, T0 + MINUTE)

    report = reports(database)["hub"]
    assert first == second
    assert (report.kind, report.interval_s, report.state_since) == ("harbor", 60, T0)


def test_the_first_address_class_is_kept(database: Database) -> None:
    with database.write() as connection:
        put_registry(connection, an_entry(address_class="private"), T0)
        put_registry(connection, an_entry(), T0)

        assert find_address_class(connection, "https://HUB.example:443") == "private"
        assert find_address_class(connection, "https://unknown.example") is None


def test_the_address_class_of_another_host_is_forgotten(database: Database) -> None:
    with database.write() as connection:
        put_registry(connection, an_entry(address_class="private"), T0)
        put_registry(connection, an_entry(url="https://new.example"), T0)

        assert find_address_class(connection, "https://new.example") is None


def test_a_state_begins_when_it_changes(database: Database) -> None:
    with database.write() as connection:
        identity = put_registry(connection, an_entry(), T0)
        for minutes, reason in ((1, "timeout"), (2, "timeout"), (3, "bad_tls")):
            note_registry(
                connection,
                identity,
                state="unreachable",
                reason=reason,
                now=T0 + minutes * MINUTE,
            )

    report = reports(database)["hub"]
    assert (report.state, report.state_reason) == ("unreachable", "bad_tls")
    assert report.state_since == T0 + MINUTE


def test_a_discovery_that_stopped_half_way_was_one(database: Database) -> None:
    with database.write() as connection:
        identity = put_registry(connection, an_entry(), T0)
        note_discovery(connection, identity, complete=True, now=T0)
        note_discovery(connection, identity, complete=False, now=T0 + MINUTE)

    assert reports(database)["hub"].last_discovery_at == T0 + MINUTE


def test_sums_are_over_the_repositories_and_images_count_once(
    database: Database,
) -> None:
    one, two = World(database, repository="one"), World(database, repository="two")
    World(database, repository="waiting")
    shared, own = an_image([a_layer("s", 70)]), an_image([a_layer("o", 5)])
    one.crawl({"a": shared, "b": shared})
    two.now += timedelta(days=3)
    two.crawl({"a": shared, "b": own})
    settle_all(database)

    report = reports(database)["hub"]

    assert (report.repositories, report.repositories_pending) == (3, 1)
    assert (report.tags, report.images, report.weighed_bytes) == (4, 2, 75)
    assert report.referenced_bytes == 3 * shared.stored_bytes + own.stored_bytes
    assert (report.oldest_crawl_at, report.last_success_at) == (one.now, two.now)
    with database.read() as connection:
        ids = [one.repository_id, two.repository_id]
        assert weighed(connection, ids) == (2, 75)
        assert weighed(connection, ids[:1]) == (1, 70)
        assert weighed(connection, []) == (0, 0)


def test_the_version_follows_whatever_is_shown(world: World) -> None:
    seen = [version(world.database)]
    image = an_image([a_layer()])

    world.crawl({"a": image})
    seen.append(version(world.database))
    world.crawl(result=a_result(complete=False, state="partial"))
    seen.append(version(world.database))
    with world.database.write() as connection:
        note_registry(
            connection, world.registry_id, state="ok", reason="", now=world.now
        )
    seen.append(version(world.database))

    assert len(set(seen)) == len(seen)
    with world.database.write() as connection:
        put_registry(connection, an_entry(), world.now)
        note_registry(
            connection, world.registry_id, state="ok", reason="", now=world.now
        )
    assert version(world.database) == seen[-1]


def test_what_was_asked_adds_up_over_crawls(database: Database) -> None:
    with database.write() as connection:
        identity = put_registry(connection, an_entry(), T0)
        note_cost(connection, identity, requests=4, bytes_read=50)
        note_cost(connection, identity, requests=3, bytes_read=1000)

    report = reports(database)["hub"]

    assert (report.requests, report.bytes_read) == (7, 1050)


def test_the_limit_that_was_told_last_is_kept(database: Database) -> None:
    told = RateLimit(limit=100, remaining=52, window_s=21_600, seen_at=T0)
    later = RateLimit(limit=200, remaining=None, window_s=None, seen_at=T0 + MINUTE)
    shown = []

    for limit in (None, told, None, later):
        with database.write() as connection:
            identity = put_registry(connection, an_entry(), T0)
            note_cost(connection, identity, requests=1, bytes_read=1, rate_limit=limit)
        report = reports(database)["hub"]
        shown.append(
            (
                report.rate_limit,
                report.rate_limit_remaining,
                report.rate_limit_window_s,
                report.rate_limit_seen_at,
            )
        )

    assert shown == [
        (None, None, None, None),
        (100, 52, 21_600, T0),
        (100, 52, 21_600, T0),
        (200, None, None, T0 + MINUTE),
    ]


def test_a_registry_that_is_not_configured_any_more_is_said_to_be_so(
    database: Database,
) -> None:
    with database.write() as connection:
        put_registry(connection, an_entry(), T0)

        mark_unconfigured(connection, {"other"}, T0 + MINUTE)

    report = reports(database)["hub"]
    assert (report.state, report.state_since) == ("unconfigured", T0 + MINUTE)


def test_a_configured_registry_keeps_its_state(database: Database) -> None:
    with database.write() as connection:
        put_registry(connection, an_entry(), T0)

        mark_unconfigured(connection, {"hub"}, T0 + MINUTE)

    assert reports(database)["hub"].state == "new"
