"""Pulls as registries tell them, kept by month; and what is stored day by day."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from support.images import an_image, some_layers
from support.store_world import World, an_entry
from weighbridge.domain.image.document import Document
from weighbridge.domain.report.traffic import TrafficReport
from weighbridge.domain.traffic.months import month_of, parse_month
from weighbridge.domain.traffic.pulls import PullCount
from weighbridge.errors import UsageError
from weighbridge.store.ledger.holdings import settle_all
from weighbridge.store.maintenance.forgetting import find_known, forget
from weighbridge.store.models import pull_months, repository_pulls, storage_months
from weighbridge.store.registries.registry_rows import (
    mark_unconfigured,
    put_registry,
)
from weighbridge.store.registries.repository_rows import put_repositories
from weighbridge.store.reports.traffic import (
    TrafficQuery,
    find_months,
    find_traffic,
    last_pulls,
    month_uses,
    traffic_page,
)
from weighbridge.store.session import Database
from weighbridge.store.traffic.pull_counts import (
    find_later_pulls,
    note_pulls,
    note_tag_pulls,
    pulls_to_ask,
)
from weighbridge.store.traffic.storage_days import note_storage, unnoted_storage

pytestmark = pytest.mark.slow

MARCH = parse_month("2026-03")
AT = datetime(2026, 3, 10, tzinfo=UTC)
DAY = timedelta(days=1)


def of_layers(*sizes: int) -> Document:
    """An image of these layers, which no other sizes have."""
    return an_image(some_layers(*sizes, name=f"{sizes}"))


def tell(world: World, number: int, at: datetime, **counted: object) -> None:
    count = PullCount(number, **counted)  # type: ignore[arg-type]  # its fields
    with world.database.write() as connection:
        note_pulls(connection, world.registry_id, {world.repository: count}, at)


def traffic(world: World, month: int = MARCH) -> TrafficReport:
    with world.database.read() as connection:
        return find_traffic(connection, world.repository_id, month)


def test_pulls_move_bytes_between_the_lightest_and_the_heaviest_image(
    world: World,
) -> None:
    world.crawl({"small": of_layers(100, 20), "large": of_layers(5_000)})
    tell(world, 1_000, AT)
    tell(world, 1_010, AT + DAY)

    found = traffic(world)

    assert (found.pulls, found.counts, found.reason) == (10, "manifests", "")
    assert (found.traffic_low_bytes, found.traffic_high_bytes) == (5 * 120, 10 * 5_000)
    assert (found.registry_pulls, found.registry_pulls_at) == (1_010, AT + DAY)
    assert (found.counted_from, found.counted_until) == (AT, AT + DAY)


def test_one_number_says_nothing_of_a_month(world: World) -> None:
    world.crawl({"v1": of_layers(100)})
    tell(world, 1_000, AT)

    found = traffic(world)

    assert (found.pulls, found.traffic_high_bytes) == (None, None)
    assert (found.reason, found.registry_pulls) == ("first_count", 1_000)


def test_a_repository_of_which_nothing_is_told_says_so(world: World) -> None:
    assert traffic(world).reason == "not_counted"


def test_a_counter_that_fell_makes_its_month_unknown_whatever_comes_then(
    world: World,
) -> None:
    world.crawl({"v1": of_layers(100)})
    for number, day in ((1_000, 0), (1_200, 1), (5, 2), (25, 3)):
        tell(world, number, AT + day * DAY)

    found = traffic(world)

    assert (found.pulls, found.reason) == (None, "counter_fell")
    assert found.registry_pulls == 25


def test_bytes_stay_what_they_were_when_they_were_counted(world: World) -> None:
    world.crawl({"v1": of_layers(100)})
    tell(world, 0, AT)
    tell(world, 10, AT + DAY)
    world.crawl({"v1": of_layers(9_000)})
    tell(world, 20, AT + 2 * DAY)

    assert traffic(world).traffic_high_bytes == 10 * 100 + 10 * 9_000


def test_pulls_of_images_that_are_not_known_have_no_bytes(world: World) -> None:
    tell(world, 0, AT)
    tell(world, 10, AT + DAY)

    found = traffic(world)

    assert (found.pulls, found.traffic_high_bytes) == (10, None)
    assert found.reason == "size_unknown"


def test_bytes_beyond_what_a_column_holds_are_unknown(world: World) -> None:
    world.crawl({"v1": of_layers(2**50)})
    tell(world, 0, AT)
    tell(world, 10**15, AT + DAY)

    assert traffic(world).reason == "size_unknown"


def test_a_number_that_stands_still_is_written_once_a_day(world: World) -> None:
    world.crawl({"v1": of_layers(100)})
    tell(world, 7, AT)
    tell(world, 7, AT + timedelta(hours=1))
    assert traffic(world).registry_pulls_at == AT

    tell(world, 7, AT + DAY)

    assert (traffic(world).registry_pulls_at, traffic(world).pulls) == (AT + DAY, 0)


def test_a_window_is_taken_again_after_a_clock_was_put_back(world: World) -> None:
    world.crawl({"v1": of_layers(100)})
    week = {"counts": "actions", "window_s": 7 * 86_400}
    tell(world, 3, AT + 4_000 * DAY, **week)
    tell(world, 5, AT, **week)

    tell(world, 6, AT + 7 * DAY, **week)

    assert traffic(world).pulls == 6


def test_a_new_month_begins_where_the_number_stood_still(world: World) -> None:
    world.crawl({"v1": of_layers(100)})
    end = datetime(2026, 3, 31, 23, 30, tzinfo=UTC)
    tell(world, 7, end)
    tell(world, 7, end + timedelta(hours=1))

    assert traffic(world, parse_month("2026-04")).pulls == 0
    with world.database.read() as connection:
        months = find_months(connection, world.repository_id, MARCH + 1, 12)
        before = find_months(connection, world.repository_id, MARCH - 1, 12)
    assert [(month.month, month.pulls) for month in months] == [
        ("2026-04", 0),
        ("2026-03", 0),
    ]
    assert before == []


def test_pages_follow_each_other_without_a_gap(database: Database) -> None:
    names = [f"shop/r{number}" for number in range(7)]
    world = World(database, repository="acme/app")
    with database.write() as connection:
        put_repositories(connection, world.registry_id, names, AT)
        told = {name: PullCount(n) for n, name in enumerate(names)}
        note_pulls(connection, world.registry_id, told, AT)
        # Of three the images are not known, and so no bytes but of no pulls.
        more = {name: PullCount(n + n % 2) for n, name in enumerate(names)}
        note_pulls(connection, world.registry_id, more, AT + DAY)
    found: list[str] = []
    cursor = None
    while True:
        with database.read() as connection:
            query = TrafficQuery(MARCH, limit=2, cursor=cursor)
            page = traffic_page(connection, query)
        found += [row.repository for row in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break

    assert sorted(found) == names
    assert found[:4] == ["shop/r6", "shop/r4", "shop/r2", "shop/r0"]
    assert found[4:] == ["shop/r5", "shop/r3", "shop/r1"]


def test_a_list_is_of_one_registry_where_that_is_asked(database: Database) -> None:
    world = World(database)
    other = World(database, registry="quay", repository="acme/other")
    tell(world, 1, AT)
    tell(other, 2, AT)
    with database.read() as connection:
        page = traffic_page(connection, TrafficQuery(MARCH, registry="quay"))

    assert [row.repository for row in page.items] == ["acme/other"]


def test_a_cursor_of_another_list_is_refused(database: Database) -> None:
    with database.read() as connection, pytest.raises(UsageError):
        traffic_page(connection, TrafficQuery(MARCH, cursor="crawls:1"))


def test_numbers_of_repositories_that_are_not_known_are_left_out(world: World) -> None:
    with world.database.write() as connection:
        note_pulls(connection, world.registry_id, {"no/such": PullCount(1)}, AT)
        count = connection.execute(select(func.count()).select_from(repository_pulls))

        assert count.scalar() == 0


def test_those_told_the_longest_ago_are_asked_first(world: World) -> None:
    with world.database.write() as connection:
        names = ["a/a", "b/b", "c/c"]
        put_repositories(connection, world.registry_id, names, AT)
        for name, at in (("a/a", AT), ("b/b", AT + DAY)):
            note_pulls(connection, world.registry_id, {name: PullCount(1)}, at)
        before = AT + timedelta(hours=1)
        number = world.registry_id

        assert pulls_to_ask(connection, number, names, before, 9) == ["c/c", "a/a"]
        assert pulls_to_ask(connection, number, names, before, 1) == ["c/c"]


def test_a_tags_last_pull_is_written_when_it_is_a_day_later(world: World) -> None:
    world.crawl({"v1": of_layers(100), "v2": of_layers(200)})

    def told(at: datetime) -> int:
        with world.database.write() as connection:
            later = find_later_pulls(
                connection, world.repository_id, {"v1": at, "gone": at}, AT
            )
            note_tag_pulls(connection, later, AT)
            return len(later)

    assert [told(AT), told(AT + timedelta(hours=23)), told(AT + DAY)] == [1, 0, 1]
    with world.database.read() as connection:
        found = last_pulls(connection, world.repository_id)
    assert found.is_told
    assert found.by_tag == {"v1": AT + DAY, "v2": None}
    assert traffic(world).last_pull_at == AT + DAY


def test_a_last_pull_that_is_days_ahead_is_not_believed(world: World) -> None:
    world.crawl({"v1": of_layers(100)})

    def told(at: datetime) -> list[datetime]:
        with world.database.read() as connection:
            number = world.repository_id
            return list(find_later_pulls(connection, number, {"v1": at}, AT).values())

    far = datetime(9999, 12, 31, 23, 59, tzinfo=UTC)
    assert told(far) == told(AT + DAY + timedelta(seconds=1)) == []
    assert told(AT + DAY) == [AT + DAY]


def test_whether_times_are_told_is_known_of_the_registry(database: Database) -> None:
    world, silent = World(database), World(database, registry="plain")
    with database.write() as connection:
        ids = put_repositories(connection, world.registry_id, ["acme/other"], AT)
    world.crawl({"v1": of_layers(100)})
    silent.crawl({"v1": of_layers(100)})
    with database.write() as connection:
        later = find_later_pulls(connection, world.repository_id, {"v1": AT}, AT)
        note_tag_pulls(connection, later, AT)

        assert last_pulls(connection, ids["acme/other"]).is_told
        assert not last_pulls(connection, silent.repository_id).is_told


def test_whether_times_are_told_is_looked_for_among_some_tags(world: World) -> None:
    with world.database.write() as connection:
        names = ["acme/other"]
        other = put_repositories(connection, world.registry_id, names, AT)["acme/other"]
    world.crawl({f"v{n}": of_layers(100) for n in range(3)})
    with world.database.write() as connection:
        told = {f"v{n}": AT for n in range(3)}
        later = find_later_pulls(connection, world.repository_id, told, AT)
        note_tag_pulls(connection, later, AT)

        assert last_pulls(connection, other, most_tags=1).is_told
        assert not last_pulls(connection, other, most_tags=0).is_told
        # Its own are all looked at.
        assert last_pulls(connection, world.repository_id, most_tags=0).is_told


def note_day(world: World, at: datetime) -> list[int]:
    settle_all(world.database)
    with world.database.write() as connection:
        days = unnoted_storage(connection, world.registry_id, at)
        note_storage(connection, days)
        return [day.stored_bytes for day in days]


def test_what_is_stored_is_noted_once_a_day(world: World) -> None:
    world.crawl({"v1": of_layers(1_000)})
    stored = world.report().deduplicated_bytes

    assert note_day(world, AT) == [stored]
    assert note_day(world, AT + timedelta(hours=5)) == []
    assert note_day(world, AT + DAY) == [stored]
    with world.database.read() as connection:
        (use,) = month_uses(connection, MARCH, AT + 40 * DAY)
    assert (use.byte_days, use.days) == (2 * (stored or 0), 2)
    assert use.tag == "v1"


def test_the_parts_of_shared_bytes_add_up_to_what_the_registry_stores(
    database: Database,
) -> None:
    worlds = [World(database, repository=f"acme/r{n}") for n in range(3)]
    base = some_layers(7_001, name="base")
    for number, world in enumerate(worlds):
        own = some_layers(100 + number, name=f"own {number}")
        world.crawl({"v1": an_image([*base, *own])})
    settle_all(database)
    with database.read() as connection:
        days = unnoted_storage(connection, worlds[0].registry_id, AT)
    reports = [world.report() for world in worlds]
    alone = sum(report.exclusive_bytes or 0 for report in reports)
    shared = reports[0].shared_bytes or 0

    assert shared >= 7_001
    assert sum(day.stored_bytes for day in days) == alone + shared
    assert max(d.stored_bytes for d in days) - min(d.stored_bytes for d in days) < 500


def test_what_two_entries_of_one_address_share_is_noted_once(
    database: Database,
) -> None:
    url = "https://both.example"
    one = World(database, registry="one", repository="acme/a", url=url)
    two = World(database, registry="two", repository="acme/b", url=url)
    image = of_layers(50_000)
    one.crawl({"v1": image})
    two.crawl({"v1": image})

    parts = [note_day(world, AT)[0] for world in (one, two)]

    assert sum(parts) == one.report().deduplicated_bytes


def test_what_an_entry_that_is_left_out_shares_is_noted_with_the_other(
    database: Database,
) -> None:
    url = "https://both.example"
    one = World(database, registry="one", repository="acme/a", url=url)
    two = World(database, registry="two", repository="acme/b", url=url)
    image = of_layers(50_000)
    one.crawl({"v1": image})
    two.crawl({"v1": image})
    with database.write() as connection:
        mark_unconfigured(connection, ["two"], AT)

    assert note_day(two, AT) == [two.report().deduplicated_bytes]


def test_this_month_is_with_today_before_it_is_noted(world: World) -> None:
    world.crawl({"v1": of_layers(1_000)})
    settle_all(world.database)
    with world.database.read() as connection:
        (use,) = month_uses(connection, MARCH, AT)
    assert (use.byte_days, use.days) == (world.report().deduplicated_bytes, 1)

    note_day(world, AT)

    with world.database.read() as connection:
        assert [use] == list(month_uses(connection, MARCH, AT))


def test_what_was_never_crawled_has_no_bytes_stored(database: Database) -> None:
    with database.write() as connection:
        number = put_registry(connection, an_entry(), AT)
        put_repositories(connection, number, ["acme/new"], AT)
    with database.read() as connection:
        (use,) = month_uses(connection, month_of(AT), AT)

    assert (use.byte_days, use.days, use.traffic_high_bytes) == (None, 0, None)


def test_nothing_is_left_of_what_is_forgotten(world: World) -> None:
    world.crawl({"v1": of_layers(1_000)})
    tell(world, 1, AT)
    tell(world, 9, AT + DAY)
    note_day(world, AT)
    with world.database.read() as connection:
        known = find_known(connection, world.registry, world.repository)
    assert known is not None

    forget(
        world.database,
        known,
        lambda: world.now,
        owner="test",
        listing="weighbridge.discover",
        watch=lambda *_: None,
    )

    with world.database.read() as connection:
        for table in (repository_pulls, pull_months, storage_months):
            count = select(func.count()).select_from(table)
            assert connection.execute(count).scalar() == 0
