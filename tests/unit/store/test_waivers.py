"""Waivers in the database: kept, found while they hold, revoked, never changed."""

from contextlib import suppress
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from support.store_world import MINUTE, T0
from weighbridge.domain.policy.waiver import NewWaiver, Waiver
from weighbridge.errors import UsageError
from weighbridge.store.access import Act, acts
from weighbridge.store.models import waivers
from weighbridge.store.session import Database
from weighbridge.store.violations.waivers import (
    active_waivers,
    find_waiver,
    put_waiver,
    revoke_waiver,
    waiver_page,
)

DAY = timedelta(days=1)


def put(database: Database, repository: str = "acme/app", *, days: int = 30) -> Waiver:
    new = NewWaiver(
        registry="hub",
        repository=repository,
        tag="*",
        limit_key="max_growth",
        reason="torch \U0001f4a9\0",
        author="ops",
        expires_at=T0 + days * DAY,
    )
    with database.write() as connection:
        return put_waiver(connection, new, T0)


def test_what_is_kept_is_found_with_who_did_it(database: Database) -> None:
    kept = put(database)

    with database.read() as connection:
        found = find_waiver(connection, kept.id)
        noted = acts(connection)

    assert found == kept
    assert (kept.reason, kept.created_at) == ("torch \U0001f4a9\ufffd", T0)
    detail = "max_growth until 2026-03-31 12:00 UTC: torch \U0001f4a9\ufffd"
    assert noted == [Act(T0, "ops", "waiver.create", "hub/acme/app", detail)]


def test_only_those_that_hold_are_active(database: Database) -> None:
    short, long, revoked = (put(database, days=days) for days in (1, 9, 20))
    with database.write() as connection:
        revoke_waiver(connection, revoked.id, "root", T0 + MINUTE)

    with database.read() as connection:
        first = active_waivers(connection, T0 + MINUTE)
        later = active_waivers(connection, T0 + DAY)

    assert [waiver.id for waiver in first.waivers] == [short.id, long.id]
    assert [waiver.id for waiver in later.waivers] == [long.id]


def test_a_waiver_is_revoked_once(database: Database) -> None:
    kept = put(database)

    with database.write() as connection:
        first = revoke_waiver(connection, kept.id, "root", T0 + MINUTE)
        second = revoke_waiver(connection, kept.id, "eve", T0 + 2 * MINUTE)
        none = revoke_waiver(connection, kept.id + 1, "eve", T0)
        noted = acts(connection)

    assert first is not None
    assert second is not None
    assert none is None
    assert first[0].state(T0 + MINUTE) == "revoked"
    assert (first[0].revoked_by, first[1]) == ("root", True)
    assert second == (first[0], False)
    assert [(act.act, act.actor) for act in noted] == [
        ("waiver.create", "ops"),
        ("waiver.revoke", "root"),
    ]


def test_one_that_is_over_is_left_as_it_is(database: Database) -> None:
    kept = put(database, days=1)

    with database.write() as connection:
        found = revoke_waiver(connection, kept.id, "root", T0 + DAY)

    assert found == (kept, False)


def test_pages_go_from_the_newest_to_the_oldest(database: Database) -> None:
    kept = [put(database, f"acme/r{number}") for number in range(5)]
    over = put(database, "acme/old", days=1)

    seen: list[int] = []
    cursor = None
    for _ in range(3):
        with database.read() as connection:
            page = waiver_page(connection, T0 + DAY, limit=2, cursor=cursor)
        seen += [waiver.id for waiver in page.items]
        cursor = page.next_cursor
    with database.read() as connection:
        everything = waiver_page(connection, T0 + DAY, is_all=True)

    assert seen == [waiver.id for waiver in reversed(kept)]
    assert cursor is None
    assert [waiver.id for waiver in everything.items] == [over.id, *seen]


def test_a_cursor_of_another_list_is_refused(database: Database) -> None:
    with database.read() as connection, pytest.raises(UsageError) as caught:
        waiver_page(connection, T0, cursor="WyJwYXNzZXMiLDFd")

    assert caught.value.code == "invalid_cursor"


def test_what_fails_later_leaves_neither_waiver_nor_note(database: Database) -> None:
    with suppress(RuntimeError), database.write() as connection:
        new = NewWaiver("hub", "a", "*", None, "r", "ops", T0 + DAY)
        put_waiver(connection, new, T0)
        raise RuntimeError

    with database.read() as connection:
        kept = connection.execute(select(func.count()).select_from(waivers)).scalar()
        assert kept == 0
        assert acts(connection) == []
