"""Limits on what images stand on: by what is certain, and as time goes by."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from support.court import DAY, Court, weighing
from support.database import Engine, a_database
from support.images import a_digest
from support.policies import a_policy
from weighbridge.domain.image.image_base import FoundBy, Relation
from weighbridge.domain.message.grouping import Message, NotificationEvent
from weighbridge.domain.policy.policy import Match
from weighbridge.notify.render.content import content_of
from weighbridge.store.facts.images import keep_documents
from weighbridge.store.models import base_chains, base_names, blobs, image_bases
from weighbridge.store.reports.violations import (
    ViolationQuery,
    read_notices,
    violation_page,
)
from weighbridge.store.session import Connection
from weighbridge.web.views.violations import items

SLIM = a_policy("slim", allowed_bases=["library/python:*-slim*"])
FRESH = a_policy("fresh", max_base_age=90 * 86_400)


@pytest.fixture
def court(tmp_path: Path, engine: Engine) -> Iterator[Court]:
    with a_database(tmp_path, engine) as database:
        yield Court(database, policies=[SLIM, FRESH])


def a_base(
    connection: Connection, tag: str, now: datetime, *, left_at: datetime | None = None
) -> int:
    """One build of a base, called so."""
    row = connection.execute(
        insert(base_chains).values(
            chain=tag.encode(),
            history=tag.encode(),
            line_count=1,
            layer_count=1,
            compressed_bytes=1,
            is_swept=True,
            first_seen_at=now,
            last_seen_at=now,
        )
    )
    (number,) = row.inserted_primary_key or (0,)
    connection.execute(
        insert(base_names).values(
            base_chain_id=number,
            host="docker.io",
            repository="library/python",
            tag=tag,
            digest=a_digest(tag),
            first_seen_at=now,
            last_seen_at=now,
            left_at=left_at,
        )
    )
    return int(number)


def stand(
    court: Court,
    image: object,
    base: int,
    relation: Relation | None = "base",
    found_by: FoundBy | None = "layers",
) -> None:
    """Let an image that is kept stand on a base."""
    digest = getattr(image, "digest", None)
    with court.database.write() as connection:
        where = blobs.c.digest == digest
        number = connection.execute(select(blobs.c.id).where(where)).scalar_one()
        row = {"base_chain_id": base, "relation": relation, "found_by": found_by}
        connection.execute(insert(image_bases).values(image_id=number, **row))


def listed(court: Court) -> list[tuple[str, str, int, bool]]:
    return [
        (row.limit_key, row.tag or "", row.amount, row.closed_at is None)
        for row in court.rows()
    ]


def test_a_base_that_is_not_allowed_is_a_violation_until_it_is_another(
    court: Court,
) -> None:
    full, slim = weighing(300, "full"), weighing(100, "slim")
    court.crawl({"latest": weighing(1)})
    with court.database.write() as connection:
        fat = a_base(connection, "3.12", court.now)
        thin = a_base(connection, "3.12-slim", court.now)
    court.crawl({"latest": full})
    stand(court, full, fat)
    court.judge_what_stands()
    before = listed(court)
    court.crawl({"old": slim})
    stand(court, slim, thin)
    court.crawl({"latest": slim})

    assert before == [("allowed_bases", "latest", 1, True)]
    assert listed(court) == [("allowed_bases", "latest", 1, False)]


@pytest.mark.long_on("postgresql")  # the rest of this file has it
@pytest.mark.parametrize(
    ("relation", "found_by"),
    [("relative", "layers"), ("base", "history"), (None, None)],
)
def test_what_is_not_certain_is_no_violation(
    court: Court, relation: Relation | None, found_by: FoundBy | None
) -> None:
    image = weighing(300, "full")
    court.crawl({"latest": weighing(1)})
    court.crawl({"latest": image})
    with court.database.write() as connection:
        base = a_base(connection, "3.12", court.now)
    stand(court, image, base, relation, found_by)
    judged = court.judge_what_stands()

    assert (judged, listed(court)) == (0, [])


def test_an_image_gets_too_old_as_time_goes_by_once_its_base_was_replaced(
    court: Court,
) -> None:
    image = weighing(300, "app")
    court.crawl({"latest": weighing(1)})
    court.crawl({"latest": image})
    with court.database.write() as connection:
        base = a_base(connection, "3.12-slim", court.now)
    stand(court, image, base)
    court.now += 400 * DAY
    court.judge_what_stands()
    current = listed(court)
    with court.database.write() as connection:
        connection.execute(update(base_names).values(left_at=court.now))
    court.now += timedelta(days=89)
    court.judge_what_stands()
    soon = listed(court)
    court.now += timedelta(days=2)
    court.judge_what_stands()

    assert (current, soon) == ([], [])
    ((key, tag, amount, is_open),) = listed(court)
    assert (key, tag, is_open) == ("max_base_age", "latest", True)
    assert 91 * 86_400 <= amount < 91 * 86_400 + 600
    assert court.told == []


def test_other_tags_on_such_a_base_are_marked(court: Court) -> None:
    image = weighing(300, "app")
    court.crawl({"old": weighing(1)})
    court.crawl({"1.0": image})
    with court.database.write() as connection:
        base = a_base(connection, "3.12", court.now)
    stand(court, image, base)
    court.sweep(list(court.ids.values()))

    assert court.over() == {"1.0": ("allowed_bases",)}


def test_a_base_that_is_allowed_by_now_ends_the_violation(court: Court) -> None:
    image = weighing(300, "app")
    court.crawl({"latest": weighing(1)})
    court.crawl({"latest": image})
    with court.database.write() as connection:
        base = a_base(connection, "3.12", court.now)
    stand(court, image, base)
    court.judge_what_stands()
    court.policies = [a_policy("slim", allowed_bases=["library/python:*"])]
    court.judge_what_stands()

    assert listed(court) == [("allowed_bases", "latest", 1, False)]


MOVED = a_policy("moved", team="shop", notify_base_moved=True)


def fleet_on_a_base(court: Court, names: Sequence[str]) -> int:
    """Repositories whose newest image stands on one base, which leads there."""
    with court.database.write() as connection:
        base = a_base(connection, "3.12", court.now)
    for name in names:
        court.crawl({"latest": weighing(1, name)}, name)
        image = weighing(300, name)
        court.crawl({"latest": image}, name)
        stand(court, image, base)
    return base


@pytest.fixture
def fleet(tmp_path: Path, engine: Engine) -> Iterator[Court]:
    names = [f"shop/app{n}" for n in range(5)]
    with a_database(tmp_path, engine) as database:
        yield Court(database, policies=[MOVED], names=names)


def all_rows(court: Court) -> list[Any]:
    """The violations of all repositories."""
    return [row for name in court.names for row in court.rows(name)]


def replace_base(court: Court) -> None:
    with court.database.write() as connection:
        connection.execute(update(base_names).values(left_at=court.now))


def test_all_images_on_a_base_that_was_replaced_are_told_in_one_message(
    fleet: Court,
) -> None:
    fleet_on_a_base(fleet, fleet.names)
    fleet.judge_what_stands()
    before = len(all_rows(fleet))
    replace_base(fleet)
    judged = [fleet.judge_what_stands(), fleet.judge_what_stands()]
    fleet.deliver_until(fleet.now + timedelta(hours=1))

    assert (before, judged) == (0, [5, 0])
    assert [row.limit_key for row in all_rows(fleet)] == ["notify_base_moved"] * 5
    (message,) = fleet.messages
    assert len(message) == 5


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_the_message_names_the_base_and_what_to_do(fleet: Court) -> None:
    fleet_on_a_base(fleet, fleet.names)
    replace_base(fleet)
    fleet.judge_what_stands()
    opened: NotificationEvent = "opened"
    wanted = [(row.id, opened) for row in all_rows(fleet)]
    with fleet.database.read() as connection:
        notices = read_notices(connection, wanted, 100)
    message = Message("key", "", tuple(notices), 0, fleet.now)
    content = content_of(message)

    assert content.headline == (
        "5 images are to be rebuilt: library/python:3.12 was replaced"
    )
    (item, *_) = content.items
    assert item.verdict == "its base was replaced by another build: rebuild it"
    assert ("Stands on", "library/python:3.12") in [
        (fact.name, fact.value) for fact in item.facts
    ]
    one = content_of(Message("key", "", tuple(notices[:1]), 0, fleet.now))
    assert one.headline.endswith("is to be rebuilt: library/python:3.12 was replaced")


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_an_image_that_was_built_anew_is_done_and_nobody_is_told(fleet: Court) -> None:
    base = fleet_on_a_base(fleet, fleet.names[:2])
    replace_base(fleet)
    fleet.judge_what_stands()
    fleet.deliver_until(fleet.now + timedelta(hours=1))
    with fleet.database.write() as connection:
        new = a_base(connection, "3.12-new", fleet.now)
    image = weighing(301, "anew")
    with fleet.database.write() as connection:
        keep_documents(connection, [image], {})
    stand(fleet, image, new)
    fleet.crawl({"latest": image}, fleet.names[0])
    fleet.deliver_until(fleet.now + timedelta(days=1))

    assert base != new
    assert sorted(row.closed_by or "" for row in all_rows(fleet)) == ["", "pushed"]
    assert len(fleet.messages) == 1


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_who_does_not_want_to_know_is_not_told(fleet: Court) -> None:
    fleet.policies = [a_policy("quiet", max_compressed=10**12)]
    fleet_on_a_base(fleet, fleet.names)
    replace_base(fleet)

    assert (fleet.judge_what_stands(), fleet.told) == (0, [])


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_two_teams_have_a_message_each(fleet: Court) -> None:
    own = Match(repository="shop/app0")
    fleet.policies = [
        a_policy("other", own, team="other", notify_base_moved=True),
        MOVED,
    ]
    fleet_on_a_base(fleet, fleet.names)
    replace_base(fleet)
    fleet.judge_what_stands()
    fleet.deliver_until(fleet.now + timedelta(hours=1))

    assert sorted(len(message) for message in fleet.messages) == [1, 4]


def test_a_violation_names_the_base_that_it_is_about(fleet: Court) -> None:
    fleet_on_a_base(fleet, fleet.names[:1])
    replace_base(fleet)
    fleet.judge_what_stands()
    with fleet.database.read() as connection:
        page = violation_page(connection, ViolationQuery(), fleet.now)

    (report,) = page.items
    (item,) = items(page.items)
    assert report.base == "library/python:3.12"
    assert (item.verdict, item.has_share) == ("to be rebuilt", False)
