"""The inbox of webhooks: what is kept of a push, and for how long."""

from datetime import timedelta
from typing import Any, Final

import pytest
from sqlalchemy import Row, select, text

from support.read_model import NOW
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.limits import Retention
from weighbridge.domain.webhook.webhook_source import PushSeen
from weighbridge.store.maintenance.pruning import prune
from weighbridge.store.models import pushes
from weighbridge.store.pushes.inbox import ReceivedPush, keep_pushes
from weighbridge.store.session import Database

DIGEST: Final = Digest("sha256:" + "a" * 64)
DAY: Final = timedelta(days=1)


def received(
    event: str, tag: str | None = "1.4", *, registry: str = "harbor"
) -> ReceivedPush:
    push = PushSeen("shop/api", tag, DIGEST, False, NOW - DAY, event)
    return ReceivedPush(registry, "distribution", push)


def kept(database: Database, *each: ReceivedPush) -> list[bool]:
    with database.write() as connection:
        return keep_pushes(connection, each, NOW)


def rows(database: Database) -> list[Row[Any]]:
    with database.read() as connection:
        return list(connection.execute(select(pushes).order_by(pushes.c.id)))


def test_a_push_waits_with_everything_that_was_said(database: Database) -> None:
    assert kept(database, received("e-1")) == [True]

    (row,) = rows(database)
    assert (row.registry, row.source, row.repository, row.tag) == (
        "harbor",
        "distribution",
        "shop/api",
        "1.4",
    )
    assert (row.digest, row.is_delete) == (DIGEST, False)
    assert (row.pushed_at, row.received_at) == (NOW - DAY, NOW)
    assert (row.attempts, row.done_at, row.outcome) == (0, None, "")


def test_a_push_without_tag_and_digest_is_kept(database: Database) -> None:
    push = PushSeen("shop/api", None, None, True, None, "e-1")

    kept(database, ReceivedPush("harbor", "acr", push))

    (row,) = rows(database)
    assert (row.tag, row.digest, row.is_delete, row.pushed_at) == (
        None,
        None,
        True,
        None,
    )


def test_what_is_told_twice_is_kept_once(database: Database) -> None:
    first = kept(database, received("a"), received("b"), received("a"))
    again = kept(database, received("b"), received("c"))

    assert first == [True, True, False]
    assert again == [False, True]
    assert len(rows(database)) == 3


def test_the_same_event_of_another_registry_is_another_one(database: Database) -> None:
    assert kept(database, received("a"), received("a", registry="hub")) == [True, True]


def test_pushes_that_nothing_tells_apart_all_count(database: Database) -> None:
    assert kept(database, received(""), received("")) == [True, True]
    assert kept(database, received("")) == [True]


def test_many_pushes_are_kept_at_once(database: Database) -> None:
    many = [received(f"e-{n}", f"t{n}") for n in range(700)]

    assert kept(database, *many) == [True] * 700

    assert {row.tag for row in rows(database)} == {f"t{n}" for n in range(700)}


def test_a_clock_that_is_ahead_pushes_nothing_into_the_future(
    database: Database,
) -> None:
    push = PushSeen("shop/api", "1.4", None, False, NOW + DAY, "e-1")

    kept(database, ReceivedPush("harbor", "quay", push))

    assert rows(database)[0].pushed_at == NOW


def test_nothing_is_kept_of_nothing(database: Database) -> None:
    assert kept(database) == []


@pytest.mark.only_on("postgresql")
def test_what_is_due_is_said_by_the_clock_of_the_server(database: Database) -> None:
    kept(database, received("e-1"))

    with database.read() as connection:
        query = text("SELECT extract(epoch FROM clock_timestamp())")
        seconds = float(connection.execute(query).scalar_one())
    assert abs(rows(database)[0].due_at.timestamp() - seconds) < 60


@pytest.mark.only_on("sqlite")
def test_a_push_is_due_at_once(database: Database) -> None:
    kept(database, received("e-1"))

    assert rows(database)[0].due_at == NOW


def test_pushes_that_were_looked_at_go_after_their_time(database: Database) -> None:
    kept(database, *(received(event) for event in ("old", "young", "waits")))
    for event, age in (("old", 31), ("young", 29)):
        with database.write() as connection:
            key = received(event).event_key
            connection.execute(
                pushes.update()
                .where(pushes.c.event_key == key)
                .values(done_at=NOW + DAY * 40 - DAY * age)
            )

    pruned = prune(database, Retention(None, None, pushes=30 * DAY), NOW + DAY * 40)

    left = {bytes(row.event_key) for row in rows(database)}
    assert pruned.pushes == 1
    assert left == {received("young").event_key, received("waits").event_key}


def test_pushes_stay_for_ever_where_that_is_said(database: Database) -> None:
    kept(database, received("a"))
    with database.write() as connection:
        connection.execute(pushes.update().values(done_at=NOW))

    pruned = prune(database, Retention(None, None), NOW + DAY * 4000)

    assert (pruned.pushes, len(rows(database))) == (0, 1)
