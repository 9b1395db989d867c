"""How far bases are read: what is told of it."""

from datetime import timedelta

from support.store_world import T0, an_entry
from weighbridge.domain.base.base_repositories import BasePlace
from weighbridge.engine.schedule.tick_job import show_waiting
from weighbridge.presentation.rows.seeding_rows import seeding_json, seeding_words
from weighbridge.store.bases.marks import mark_bases
from weighbridge.store.bases.readings import BaseReading, note_reading, plan_readings
from weighbridge.store.registries.registry_rows import put_registry
from weighbridge.store.registries.repository_rows import put_repositories
from weighbridge.store.reports.seeding import seeding
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry

DEBIAN = BasePlace("library/debian", "docker.io", "library/debian")
NODE = BasePlace("library/node", "docker.io", "library/node")
OWN = BasePlace("shop/base", "harbor.example", "shop/base")
HOUR = timedelta(hours=1)


def test_it_is_told_what_is_read_and_what_keeps_the_rest(database: Database) -> None:
    with database.write() as connection:
        plan_readings(connection, {"hub": [DEBIAN, NODE]}, is_all=True)
        whole = BaseReading("hub", tags_wanted=3, tags_read=3)
        note_reading(connection, DEBIAN, whole, T0)
        refused = BaseReading("hub", "unauthorized", "it wants credentials")
        note_reading(connection, NODE, refused, T0)
        note_reading(connection, NODE, refused, T0 + HOUR)

        found = seeding(connection)

    assert seeding_json(found) == {
        "repositories": 2,
        "read": 1,
        "tags_wanted": None,
        "tags_read": 3,
        "failing": [
            {
                "registry": "hub",
                "reference": "library/node",
                "code": "unauthorized",
                "reason": "it wants credentials",
                "failing_since": "2026-03-01T12:00:00Z",
            }
        ],
    }
    assert seeding_words(found) == "1 of 2 repositories of bases is read"


def test_what_is_crawled_anyway_counts_as_well(database: Database) -> None:
    with database.write() as connection:
        registry_id = put_registry(connection, an_entry("harbor"), T0)
        put_repositories(connection, registry_id, ["shop/base"], T0)
        mark_bases(connection, "harbor", [OWN])

        (one,) = seeding(connection).repositories

    assert (one.reference, one.is_crawled) == ("harbor.example/shop/base", True)
    assert (one.tags_wanted, one.is_read, one.code) == (None, False, "")


def test_a_failure_that_passes_is_told_no_more_and_what_was_read_stays(
    database: Database,
) -> None:
    with database.write() as connection:
        first = BaseReading("hub", tags_wanted=3, tags_read=2)
        note_reading(connection, DEBIAN, first, T0)
        away = BaseReading("hub", "unreachable", "it does not answer")
        is_news = note_reading(connection, DEBIAN, away, T0 + HOUR)
        failing = seeding(connection)
        whole = BaseReading("hub", tags_wanted=4, tags_read=4)
        note_reading(connection, DEBIAN, whole, T0 + 2 * HOUR)
        (one,) = seeding(connection).repositories

    (before,) = failing.repositories
    assert is_news
    assert (before.tags_wanted, before.tags_read, before.is_read) == (3, 2, False)
    assert (one.code, one.reason, one.failing_since) == ("", "", None)
    assert one.read_at == T0 + 2 * HOUR


def test_no_bases_are_nothing_to_tell(database: Database) -> None:
    with database.read() as connection:
        found = seeding(connection)

    assert (found.tags_wanted, found.read, seeding_words(found)) == (0, 0, "")


def test_a_scrape_sees_how_far_it_is(database: Database) -> None:
    telemetry = Telemetry()
    with database.write() as connection:
        plan_readings(connection, {"hub": [DEBIAN, NODE]}, is_all=True)
        note_reading(connection, NODE, BaseReading("hub", "unreachable", "away"), T0)

    show_waiting(database, telemetry, T0)

    shown = {
        state: telemetry.registry.get_sample_value(
            "weighbridge_base_repositories", {"state": state}
        )
        for state in ("read", "waiting", "failing")
    }
    assert shown == {"read": 0, "waiting": 1, "failing": 1}
