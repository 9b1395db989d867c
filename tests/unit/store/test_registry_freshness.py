"""How fresh registries are, without the sums of their reports."""

from datetime import timedelta

from sqlalchemy import update

from support.many_repositories import add_repositories, mark_gone
from support.store_world import T0, an_entry
from weighbridge.domain.report.inventory import RegistryFreshness
from weighbridge.store.models import repositories
from weighbridge.store.registries.registry_rows import put_registry
from weighbridge.store.reports.inventory import registry_freshness, registry_reports
from weighbridge.store.session import Database


def test_it_is_what_the_reports_say(database: Database) -> None:
    numbers = add_repositories(database, ["a", "b", "c"])
    for days, name in enumerate(numbers):
        with database.write() as connection:
            connection.execute(
                update(repositories)
                .where(repositories.c.id == numbers[name])
                .values(last_complete_crawl_at=T0 + timedelta(days=days))
            )
    mark_gone(database, [numbers["c"]])
    with database.write() as connection:
        put_registry(connection, an_entry("empty"), T0)

    with database.read() as connection:
        found = registry_freshness(connection)
        expected = [
            RegistryFreshness(r.name, r.state, r.interval_s, r.last_success_at)
            for r in registry_reports(connection)
        ]

    assert found == expected
    assert [(r.name, r.last_success_at) for r in found] == [
        ("empty", None),
        ("hub", T0 + timedelta(days=1)),
    ]
