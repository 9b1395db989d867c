"""An address is one registry: its entries share what is stored, and names are taken
over with their history."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from support.images import a_layer, an_image
from support.statements import statements_of
from support.store_world import T0, World, an_entry
from weighbridge.domain.image.platform import DEFAULT
from weighbridge.domain.report.inventory import RegistryReport, RepositoryReport
from weighbridge.errors import StaleFence
from weighbridge.store.leases.claiming import hold
from weighbridge.store.ledger.counts import repeated_bytes
from weighbridge.store.ledger.holdings import settle_all
from weighbridge.store.maintenance.checking.recount import recount
from weighbridge.store.maintenance.checking.verify import verify
from weighbridge.store.registries.registry_rows import (
    adopt_names,
    mark_unconfigured,
    put_registry,
)
from weighbridge.store.registries.repository_rows import put_repositories
from weighbridge.store.reports.inventory import registry_reports
from weighbridge.store.reports.repositories import find_repository
from weighbridge.store.session import Database
from weighbridge.web.views.charts import registry_storage

pytestmark = pytest.mark.slow

URL = "https://hub.example"
BASE = a_layer("base", 5000)
ONE = an_image([BASE, a_layer("one", 100)])
TWO = an_image([BASE, a_layer("two", 200)])
SHARED = 5000 + ONE.manifest.config.content_bytes


def an_entry_world(
    database: Database, name: str, repository: str, url: str = URL
) -> World:
    """A repository of an entry, in a registry that others name as well."""
    return World(database, name, repository, url=url)


def reports(database: Database) -> dict[str, RegistryReport]:
    settle_all(database)
    with database.read() as connection:
        return {report.name: report for report in registry_reports(connection)}


def report(database: Database, registry: str, repository: str) -> RepositoryReport:
    settle_all(database)
    with database.read() as connection:
        found = find_repository(connection, registry, repository)
    assert found is not None
    return found


def is_sound(database: Database) -> bool:
    """Whether nothing differs from what is counted anew, and parts make the whole."""
    if list(verify(database, {}, T0, lambda *_: None)):
        return False
    return all(
        (r.exclusive_bytes or 0) + (r.shared_bytes or 0) == (r.deduplicated_bytes or 0)
        for r in reports(database).values()
    )


@pytest.mark.parametrize(
    "url",
    [
        "https://hub.example",
        "https://HUB.example",
        "https://hub.example/",
        "https://hub.example:443",
    ],
)
def test_what_two_entries_of_one_address_hold_is_exclusive_to_none(
    database: Database, url: str
) -> None:
    an_entry_world(database, "shop", "shop/app").crawl({"1": ONE})
    an_entry_world(database, "team", "team/app", url).crawl({"1": TWO})

    shop = report(database, "shop", "shop/app")
    registries = reports(database)

    assert shop.shared_bytes == SHARED
    assert registries["shop"].shared_bytes == registries["team"].shared_bytes == SHARED
    assert is_sound(database)


def test_the_scope_of_several_entries_is_called_by_their_address(
    database: Database,
) -> None:
    an_entry_world(database, "shop", "shop/app").crawl({"1": ONE})
    alone = report(database, "shop", "shop/app").storage_scope
    an_entry_world(database, "team", "team/app").crawl({"1": TWO})

    together = report(database, "shop", "shop/app").storage_scope

    assert (alone, together) == ("shop", "https://hub.example:443")


def test_entries_together_count_what_they_share_once(database: Database) -> None:
    an_entry_world(database, "shop", "shop/app").crawl({"1": ONE})
    an_entry_world(database, "team", "team/app").crawl({"1": TWO})
    an_entry_world(database, "else", "a/b", "https://else.example").crawl({"1": TWO})

    known = list(reports(database).values())
    entries = registry_storage([r for r in known if r.name != "else"])

    assert {r.name: r.repeated_bytes for r in known} == {
        "else": 0,
        "shop": 0,
        "team": SHARED,
    }
    assert entries is not None
    assert entries.shared_bytes == SHARED
    assert entries.exclusive_bytes == sum(
        r.exclusive_bytes or 0 for r in known if r.name != "else"
    )


def test_sizes_of_blobs_are_not_read_where_each_address_has_one_entry(
    database: Database,
) -> None:
    """Every page asks: on PostgreSQL that took 0.12 s beside 1,300,000 blobs."""
    an_entry_world(database, "shop", "shop/app").crawl({"1": ONE})
    an_entry_world(database, "else", "a/b", "https://else.example").crawl({"1": TWO})

    with database.read() as connection:
        made = statements_of(connection, lambda: repeated_bytes(connection))

    assert made
    assert not [each for each in made if "blob" in each.text]


def test_another_address_shares_nothing(database: Database) -> None:
    an_entry_world(database, "shop", "shop/app").crawl({"1": ONE})
    an_entry_world(database, "team", "team/app", "https://hub.example:8443").crawl(
        {"1": TWO}
    )

    assert [r.shared_bytes for r in reports(database).values()] == [0, 0]


def test_an_entry_that_moves_to_the_address_shares_from_then_on(
    database: Database,
) -> None:
    an_entry_world(database, "shop", "shop/app").crawl({"1": ONE})
    an_entry_world(database, "team", "team/app", "https://old.example").crawl(
        {"1": TWO}
    )

    with database.write() as connection:
        put_registry(connection, an_entry("team", url=URL), T0)
    together = [r.shared_bytes for r in reports(database).values()]
    with database.write() as connection:
        put_registry(connection, an_entry("team", url="https://new.example"), T0)
    apart = [r.shared_bytes for r in reports(database).values()]

    assert (together, apart) == ([SHARED, SHARED], [0, 0])
    assert is_sound(database)


def test_a_recount_of_one_entry_mends_what_another_shares_with_it(
    database: Database,
) -> None:
    an_entry_world(database, "shop", "shop/app").crawl({"1": ONE})
    an_entry_world(database, "team", "team/app").crawl({"1": TWO})
    settle_all(database)
    with database.write() as connection:
        connection.execute(text("UPDATE storage_scopes SET shared_bytes = 7"))
        connection.execute(text("DELETE FROM scope_blobs WHERE scope_id = 1"))

    assert not is_sound(database)
    recount(database, "team", [DEFAULT], T0, lambda *_: None)

    assert is_sound(database)


def configure(database: Database, **urls: str) -> None:
    """What a service does with its configuration before anything is crawled."""
    with database.write() as connection:
        adopt_names(connection, urls)
        mark_unconfigured(connection, urls, T0)


def test_an_address_that_was_crawled_is_known_under_the_name_it_is_given_later(
    database: Database,
) -> None:
    an_entry_world(database, "hub.example", "acme/app").crawl({"1": ONE})
    before = report(database, "hub.example", "acme/app")

    configure(database, hub=URL)
    an_entry_world(database, "hub", "acme/app").crawl({"1": ONE})

    after = report(database, "hub", "acme/app")
    assert list(reports(database)) == ["hub"]
    assert after.deduplicated_bytes == after.exclusive_bytes == before.exclusive_bytes
    assert is_sound(database)


def test_a_crawl_by_the_new_name_takes_it_over_without_a_service(
    database: Database,
) -> None:
    an_entry_world(database, "hub.example", "acme/app").crawl({"1": ONE})

    with database.write() as connection:
        entry = an_entry("hub", url=URL, configured=frozenset({"hub"}))
        put_registry(connection, entry, T0)

    assert report(database, "hub", "acme/app").tags == 1
    assert list(reports(database)) == ["hub"]


def test_an_entry_that_is_renamed_keeps_its_history_and_its_waivers(
    database: Database,
) -> None:
    an_entry_world(database, "old", "acme/app").crawl({"1": ONE})
    with database.write() as connection:
        connection.execute(
            text(
                "INSERT INTO waivers (registry, repository, tag, reason, author,"
                " created_at, expires_at) VALUES ('old', '*', '*', 'r', 'a', 1, 2)"
            )
        )

    configure(database, new=URL)

    with database.read() as connection:
        waived = connection.execute(text("SELECT registry FROM waivers")).scalars()
        assert list(waived) == ["new"]
    assert report(database, "new", "acme/app").tags == 1


def test_an_entry_that_was_removed_finds_its_history_when_it_comes_back(
    database: Database,
) -> None:
    an_entry_world(database, "hub", "acme/app").crawl({"1": ONE})

    configure(database)
    assert reports(database)["hub"].state == "unconfigured"
    configure(database, hub=URL)

    assert report(database, "hub", "acme/app").tags == 1
    assert list(reports(database)) == ["hub"]


def test_a_name_that_is_configured_is_not_taken_away(database: Database) -> None:
    an_entry_world(database, "shop", "shop/app").crawl({"1": ONE})

    configure(database, shop=URL, team=URL)

    assert list(reports(database)) == ["shop"]


def test_a_name_goes_to_the_address_that_it_is_given(database: Database) -> None:
    """`hub` was another registry until now; what is known of that one is kept under
    its address."""
    an_entry_world(database, "hub", "acme/old", "https://old.example:5000").crawl(
        {"1": ONE}
    )
    an_entry_world(database, "hub.example", "acme/new").crawl({"1": TWO})

    configure(database, hub=URL)

    states = {name: r.state for name, r in reports(database).items()}
    assert states["old.example:5000"] == "unconfigured"
    assert report(database, "hub", "acme/new").tags == 1
    assert report(database, "old.example:5000", "acme/old").tags == 1


def test_the_name_that_an_entry_below_a_path_leaves_has_no_slash(
    database: Database,
) -> None:
    """Behind a slash a repository is meant."""
    below = "https://old.example:5000/team/docker"
    an_entry_world(database, "hub", "acme/old", below).crawl({"1": ONE})
    an_entry_world(database, "hub.example", "acme/new").crawl({"1": TWO})

    configure(database, hub=URL)

    assert report(database, "hub", "acme/new").tags == 1
    assert report(database, "old.example:5000+team+docker", "acme/old").tags == 1


def test_two_paths_of_one_host_share_nothing(database: Database) -> None:
    an_entry_world(database, "a", "acme/app", f"{URL}/a").crawl({"1": ONE})
    an_entry_world(database, "b", "acme/app", f"{URL}/b").crawl({"1": ONE})

    configure(database, a=f"{URL}/a", b=f"{URL}/b", root=URL)

    found = reports(database)
    assert list(found) == ["a", "b"]
    assert [r.shared_bytes for r in found.values()] == [0, 0]
    assert is_sound(database)


def test_a_repository_follows_the_entry_that_wants_it_now(database: Database) -> None:
    """One entry for all becomes one entry a team: nothing is counted twice."""
    an_entry_world(database, "hub", "shop/app").crawl({"1": ONE})
    moved = an_entry_world(database, "hub", "team/app")
    moved.crawl({"1": TWO})

    configure(database, shop=URL, team=URL)
    with database.write() as connection:
        for name, repository in (("shop", "shop/app"), ("team", "team/app")):
            registry = put_registry(connection, an_entry(name, url=URL), T0)
            put_repositories(connection, registry, [repository], T0)

    registries = reports(database)
    assert {n: r.repositories for n, r in registries.items()} == {"shop": 1, "team": 1}
    assert registries["team"].shared_bytes == SHARED
    assert report(database, "team", "team/app").tags == 1
    assert is_sound(database)


def test_a_crawl_of_a_repository_that_has_moved_writes_nothing_more(
    database: Database,
) -> None:
    world = an_entry_world(database, "hub", "team/app")
    with database.write() as connection:
        taken = world.claimed(connection)

    with database.write() as connection:
        registry = put_registry(connection, an_entry("team", url=URL), T0)
        put_repositories(connection, registry, ["team/app"], T0)

    with database.write() as connection, pytest.raises(StaleFence):
        hold(connection, taken, T0 + timedelta(days=2))
