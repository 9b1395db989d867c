"""Totals say where tags lead, not how they came to lead there; and what is freed by
deleting everything is all that was stored."""

import random

import pytest
from sqlalchemy import text

from support.ledger_world import Fleet, History, Universe
from support.seeds import seeds
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.document import Document
from weighbridge.domain.image.platform import DEFAULT
from weighbridge.store.ledger.holdings import settle_all
from weighbridge.store.read_model.summaries import refresh_summary
from weighbridge.store.reports.reclaim import reclaim_tags
from weighbridge.store.reports.repositories import find_repository
from weighbridge.store.session import Database

TAGS = [f"t{n}" for n in range(6)]
_OF_REPOSITORIES = text(
    "SELECT repository_id, tag_count, image_count, referenced_bytes, weighed_bytes,"
    " deduplicated_bytes, exclusive_bytes FROM repository_summaries"
    " ORDER BY repository_id"
)
_OF_SCOPES = text(
    "SELECT name, image_count, weighed_bytes, deduplicated_bytes, shared_bytes"
    " FROM storage_scopes ORDER BY name"
)
_STORED = text("SELECT sum(deduplicated_bytes) FROM storage_scopes")


class _Crash(Exception):
    """What ends a crawl in the middle of a transaction."""


def totals(fleet: Fleet) -> list[tuple[object, ...]]:
    """Of each repository, and of each storage scope."""
    settle_all(fleet.database)
    with fleet.database.write() as connection:
        for repository in fleet.ids.values():
            refresh_summary(connection, repository, fleet.now, [DEFAULT])
    with fleet.database.read() as connection:
        return [
            tuple(row)
            for statement in (_OF_REPOSITORIES, _OF_SCOPES)
            for row in connection.execute(statement)
        ]


def empty(fleet: Fleet) -> None:
    for name in fleet.names:
        fleet.push(name, **dict.fromkeys(TAGS))


def crash(
    fleet: Fleet, name: str, targets: dict[str, Document | Digest | None]
) -> None:
    try:
        with fleet.database.write() as connection:
            fleet.push_in(connection, name, targets)
            raise _Crash
    except _Crash:
        return


@pytest.mark.parametrize("scope", ["registry", "project"])
@pytest.mark.parametrize("seed", seeds(600, 8, quick=1))
def test_totals_are_the_same_in_any_order_of_pushes_crawls_and_crashes(
    database: Database, seed: int, scope: str
) -> None:
    rnd = random.Random(seed)  # noqa: S311 - no secret
    fleet = Fleet(database, scope=scope)
    ready = Universe(rnd).ready
    fleet.keep(*ready)
    places = [(name, tag) for name in fleet.names for tag in TAGS]
    last = {place: rnd.choice(ready) for place in places if rnd.random() < 0.8}
    found = []

    for _ in range(3):
        moves = list(last.items())
        rnd.shuffle(moves)
        for (name, tag), document in moves:
            if rnd.random() < 0.3:
                fleet.push(name, **{tag: rnd.choice(ready)})
            if rnd.random() < 0.3:
                crash(fleet, name, {tag: document, rnd.choice(TAGS): None})
            for _ in range(rnd.choice((1, 1, 2))):
                fleet.push(name, **{tag: document})
        found.append(totals(fleet))
        empty(fleet)
        assert not any(value for row in totals(fleet) for value in row[1:])

    assert found[0] == found[1] == found[2]
    assert all(found[0][-1][1:4])


@pytest.mark.parametrize("seed", seeds(700, 8, quick=2))
def test_deleting_everything_in_any_order_frees_exactly_what_is_stored(
    database: Database, seed: int
) -> None:
    rnd = random.Random(seed)  # noqa: S311 - no secret
    fleet = Fleet(database, scope="registry")
    history = History(fleet, rnd)
    for _ in range(60):
        history.step()
    settle_all(database)
    with database.write() as connection:
        connection.execute(text("UPDATE repositories SET state = 'ok', held = NULL"))
    with database.read() as connection:
        stored = connection.execute(_STORED).scalar_one()
    freed = 0

    names = list(fleet.names)
    rnd.shuffle(names)
    for name in names:
        settle_all(database)
        with database.read() as connection:
            found = find_repository(connection, fleet.registry, name)
            assert found is not None
            report = reclaim_tags(connection, found, TAGS, fleet.now)
        assert report.freed is not None
        freed += report.freed.freed_bytes
        fleet.push(name, **dict.fromkeys(TAGS))

    assert freed == stored > 0
