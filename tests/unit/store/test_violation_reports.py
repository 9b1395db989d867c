"""Violations as they are read back: pages, filters, and what is waived of them."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from support.many_repositories import add_repositories, mark_gone
from support.store_world import MINUTE, T0
from support.violations import HEAVY, TORCH, Violations, waived
from weighbridge.domain.report.violation import ViolationReport
from weighbridge.errors import UsageError
from weighbridge.store.reports.inventory import snapshot_version
from weighbridge.store.reports.repositories import RepositoryQuery, repository_page
from weighbridge.store.reports.violations import (
    ViolationQuery,
    open_counts,
    violating_ids,
    violation_page,
)
from weighbridge.store.session import Database
from weighbridge.store.violations.waivers import active_waivers

DAY = timedelta(days=1)


OPEN = ViolationQuery()


def read(database: Database, query: ViolationQuery = OPEN) -> list[ViolationReport]:
    with database.read() as connection:
        page = violation_page(connection, query, T0)
    return list(page.items)


def ids(found: list[ViolationReport]) -> list[int | None]:
    return [report.id for report in found]


def test_what_was_kept_is_read_back_whole(database: Database) -> None:
    number = add_repositories(database, ["shop/api"])["shop/api"]
    Violations(database).open(number)

    (found,) = read(database)

    assert (found.registry, found.repository) == ("hub", "shop/api")
    assert (found.tag, found.digest) == (HEAVY.tag, HEAVY.digest)
    assert (found.stream, found.platform) == ("s1-#", "linux/amd64")
    assert found.cause == TORCH
    assert found.heaviest_change == TORCH.changes[0]
    assert (found.state, found.excess) == ("open", 582_700_595)
    assert (found.opened_at, found.pushed_at, found.closed_at) == (T0, T0, None)


def test_each_filter_leaves_out_the_others(database: Database) -> None:
    numbers = add_repositories(database, ["shop/api", "shop/web"])
    made = Violations(database)
    first = made.open(numbers["shop/api"])
    second = made.open(numbers["shop/web"], team=None, severity="critical")
    third = made.open(numbers["shop/web"], policy="other")
    made.close(third)

    assert ids(read(database)) == [second, first]
    assert ids(read(database, ViolationQuery(state="closed"))) == [third]
    assert ids(read(database, ViolationQuery(state="all"))) == [third, second, first]
    assert ids(read(database, ViolationQuery(repository="shop/api"))) == [first]
    assert ids(read(database, ViolationQuery(team="shop"))) == [first]
    assert ids(read(database, ViolationQuery(team=""))) == [second]
    assert ids(read(database, ViolationQuery(severity="critical"))) == [second]
    assert ids(read(database, ViolationQuery(policy="other", state="all"))) == [third]
    assert read(database, ViolationQuery(registry="other")) == []
    assert read(database, ViolationQuery(team="' OR 1=1--", state="all")) == []


def test_pages_hold_every_violation_once(database: Database) -> None:
    number = add_repositories(database, ["shop/api"])["shop/api"]
    made = Violations(database)
    expected = [made.open(number) for _ in range(7)]

    seen: list[int | None] = []
    query = ViolationQuery(limit=3)
    for _ in range(3):
        with database.read() as connection:
            page = violation_page(connection, query, T0)
        seen += ids(list(page.items))
        query = replace(query, cursor=page.next_cursor)

    assert seen == expected[::-1]
    assert query.cursor is None


def test_a_cursor_that_was_not_given_out_is_refused(database: Database) -> None:
    with pytest.raises(UsageError) as caught:
        read(database, ViolationQuery(cursor="AAAA"))

    assert caught.value.code == "invalid_cursor"


def test_a_waiver_shows_until_it_ends_and_never_on_what_is_over(
    database: Database,
) -> None:
    number = add_repositories(database, ["shop/api"])["shop/api"]
    made = Violations(database)
    over, still = made.open(number), made.open(number)
    made.close(over)
    waiver = waived(database, "shop/*", T0, tag="1.*", limit_key="max_compressed")

    found = {
        report.id: report for report in read(database, ViolationQuery(state="all"))
    }
    with database.read() as connection:
        later = violation_page(connection, ViolationQuery(), T0 + 30 * DAY)

    assert (found[still].state, found[still].waiver) == ("waived", waiver)
    assert (found[over].state, found[over].waiver) == ("closed", None)
    assert later.items[0].state == "open"


def test_repositories_can_be_asked_for_by_whether_they_violate(
    database: Database,
) -> None:
    numbers = add_repositories(database, ["a", "b", "c", "d"])
    made = Violations(database)
    made.open(numbers["a"], is_silent=True)
    made.close(made.open(numbers["b"]))
    made.open(numbers["c"])
    waived(database, "c", T0)

    def names(violating: bool | None, sort: str = "name") -> list[str]:
        query = RepositoryQuery(sort=sort, order="asc", violating=violating)
        with database.read() as connection:
            page = repository_page(connection, query, T0)
        return [row.repository for row in page.items]

    assert names(None) == ["a", "b", "c", "d"]
    assert names(True) == ["a"]
    assert names(False) == ["b", "c", "d"]
    assert names(True, "compressed") == ["a"]
    with database.read() as connection:
        assert violating_ids(connection, T0 + 31 * DAY) == {numbers["a"], numbers["c"]}


def test_a_page_of_violating_repositories_goes_on_with_its_cursor(
    database: Database,
) -> None:
    numbers = add_repositories(database, [f"r{number}" for number in range(9)])
    made = Violations(database)
    for name in ("r1", "r3", "r5", "r7"):
        made.open(numbers[name])

    seen: list[str] = []
    query = RepositoryQuery(violating=True, limit=3)
    for _ in range(2):
        with database.read() as connection:
            page = repository_page(connection, query, T0)
        seen += [row.repository for row in page.items]
        query = replace(query, cursor=page.next_cursor)

    assert sorted(seen) == ["r1", "r3", "r5", "r7"]
    assert query.cursor is None


def test_the_version_changes_with_every_violation_that_comes_goes_or_changes(
    database: Database,
) -> None:
    number = add_repositories(database, ["a"])["a"]
    made = Violations(database)

    def version() -> str:
        with database.read() as connection:
            return snapshot_version(connection)

    versions = [version()]
    first = made.open(number)
    versions.append(version())
    second = made.open(number)
    versions.append(version())
    made.now = T0 + MINUTE
    made.close(first)
    versions.append(version())
    made.close(second)
    versions.append(version())

    assert len(set(versions)) == len(versions)


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize(
    ("where", "index"),
    [
        ("closed_at IS NULL ORDER BY id DESC", "ix_violations_open"),
        ("repository_id = 1 ORDER BY id DESC", "ix_violations_repository_id"),
        (
            "repository_id = 1 AND stream = 's' AND platform = 'p' AND policy = 'p' "
            "AND limit_key = 'k' AND closed_at > 5",
            "ix_violations_ended",
        ),
    ],
    ids=["open", "of-a-repository", "ended-a-while-ago"],
)
def test_what_was_long_ago_is_not_walked_through(
    database: Database, where: str, index: str
) -> None:
    with database.read() as connection:
        plan = connection.exec_driver_sql(
            f"EXPLAIN QUERY PLAN SELECT cause FROM violations WHERE {where}"  # noqa: S608 - no input
        ).all()

    assert [row for row in plan if f"USING INDEX {index}" in row.detail]


def test_counts_leave_out_what_is_waived_and_what_is_gone(database: Database) -> None:
    names = ["gone", "half", "plain", "whole"]
    numbers = add_repositories(database, names)
    made = Violations(database)
    for number in numbers.values():
        made.open(number)
        made.open(number, limit_key="max_growth")
    made.close(made.open(numbers["plain"]))
    mark_gone(database, [numbers["gone"]])
    waived(database, "half", T0, limit_key="max_growth")
    waived(database, "w*", T0)
    waived(database, "plain", T0, registry="other")

    with database.read() as connection:
        waivers = active_waivers(connection, T0)
        found = open_counts(connection, waivers, T0)
        after = open_counts(connection, waivers, T0 + 31 * DAY)

    assert found == ({numbers["half"]: 1, numbers["plain"]: 2}, 3)
    assert after == ({numbers[name]: 2 for name in names[1:]}, 0)


def test_pages_of_what_is_over_go_on_where_tags_are_asked_for_too(
    database: Database,
) -> None:
    number = add_repositories(database, ["shop/api"])["shop/api"]
    made = Violations(database)
    expected = [made.open(number) for _ in range(3)]
    made.close(*expected)
    query = ViolationQuery(state="closed", all_tags=True, limit=2)

    with database.read() as connection:
        first = violation_page(connection, query, T0)
        again = replace(query, cursor=first.next_cursor)
        rest = violation_page(connection, again, T0)

    assert ids([*first.items, *rest.items]) == expected[::-1]
    assert rest.next_cursor is None
