"""What a crawl tells of the repositories that it did not see whole."""

from datetime import timedelta

from sqlalchemy import update

from support.many_repositories import add_repositories
from support.store_world import T0
from weighbridge.domain.report.inventory import RepositoryState
from weighbridge.store.crawls.crawled_repositories import Troubled, find_troubled
from weighbridge.store.models import repositories
from weighbridge.store.session import Database

HOUR = timedelta(hours=1)


def put(
    database: Database, identity: int, state: RepositoryState, hours: int | None
) -> None:
    last = None if hours is None else T0 - hours * HOUR
    with database.write() as connection:
        connection.execute(
            update(repositories)
            .where(repositories.c.id == identity)
            .values(state=state, state_reason="why", last_complete_crawl_at=last)
        )


def test_who_waits_longest_comes_first_and_who_was_never_seen_before_that(
    database: Database,
) -> None:
    ids = add_repositories(database, ["fresh", "old", "never", "fine", "older"])
    put(database, ids["fresh"], "missing", 1)
    put(database, ids["old"], "partial", 2)
    put(database, ids["never"], "error", None)
    put(database, ids["older"], "unauthorized", 9)

    with database.read() as connection:
        found = find_troubled(connection, ids.values())

    assert found == [
        Troubled("never", "error", "why", None),
        Troubled("older", "unauthorized", "why", T0 - 9 * HOUR),
        Troubled("old", "partial", "why", T0 - 2 * HOUR),
        Troubled("fresh", "missing", "why", T0 - HOUR),
    ]


def test_only_those_that_the_crawl_looked_at_are_told(database: Database) -> None:
    ids = add_repositories(database, ["mine", "another"])
    for identity in ids.values():
        put(database, identity, "missing", 1)

    with database.read() as connection:
        found = find_troubled(connection, [ids["mine"]])

    assert [item.repository for item in found] == ["mine"]
