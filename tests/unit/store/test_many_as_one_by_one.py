"""Whatever state repositories are in: many are opened, and closed, as each alone is."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import Connection, insert, select, update

from support.database import Engine, a_database
from support.images import a_layer, an_image
from support.store_world import T0, World, a_result
from weighbridge.domain.report.inventory import RepositoryState
from weighbridge.errors import StaleFence
from weighbridge.store.crawls.crawl_rows import COUNTS, Closing, close_many
from weighbridge.store.crawls.due import SMALL, Opened, open_many
from weighbridge.store.leases.claiming import Opening, claim
from weighbridge.store.leases.validity import this_process
from weighbridge.store.models import (
    crawl_chunks,
    crawls,
    repositories,
    repository_summaries,
)
from weighbridge.store.session import Database

R = TypeVar("R")

SECOND: Final = timedelta(seconds=1)
HOUR: Final = timedelta(hours=1)
YEARS: Final = timedelta(days=2000)
NOW: Final = T0 + timedelta(days=100)
MINE: Final = "boot:1.17.99/mine"
OTHERS: Final = "boot:1.17.99/others"
GONE: Final = f"{this_process()}9/gone"
NAMES: Final = ["a", "b", "c", "d", "e"]
TIMES: Final = st.sampled_from([-YEARS, -HOUR, -SECOND, 0 * HOUR, SECOND, HOUR, YEARS])


@dataclass(frozen=True)
class Stored:
    """The state that a repository is in before."""

    lease: timedelta | None
    owner: str | None
    due: timedelta
    attempts: int
    is_deleted: bool
    is_large: bool
    left_open: tuple[timedelta, ...]
    chunks: int
    is_complete: bool


STORED: Final = st.builds(
    Stored,
    lease=st.none() | TIMES,
    owner=st.sampled_from([None, MINE, OTHERS, GONE]),
    due=TIMES,
    attempts=st.integers(0, 5),
    is_deleted=st.booleans(),
    is_large=st.booleans(),
    left_open=st.lists(TIMES, max_size=2).map(tuple),
    chunks=st.integers(0, 2),
    is_complete=st.booleans(),
)


class Together:
    """Five repositories with none to four tags; nothing that is done here is kept."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.ids: list[int] = []
        for number, name in enumerate(NAMES):
            world = World(database, repository=name)
            if number:
                layers = [a_layer("shared", 5), a_layer(name, 10)]
                tags = {f"v{n}": an_image(layers[: n + 1]) for n in range(2)}
                world.crawl(tags, deleted=["v1"] if number == 2 else [])
            self.ids.append(world.repository_id)

    def undone(self, call: Callable[[Connection], R]) -> R:
        results: list[R] = []
        with suppress(InterruptedError), self.database.write() as connection:
            results.append(call(connection))
            raise InterruptedError
        return results[0]

    def store(self, connection: Connection, stored: Sequence[Stored]) -> None:
        for repository_id, state in zip(self.ids, stored, strict=True):
            _store(connection, repository_id, state)


@pytest.fixture(scope="module")
def together(
    tmp_path_factory: pytest.TempPathFactory, engine: Engine
) -> Iterator[Together]:
    folder: Path = tmp_path_factory.mktemp("together")
    with a_database(folder, engine) as database:
        yield Together(database)


def _store(connection: Connection, repository_id: int, state: Stored) -> None:
    connection.execute(
        update(repositories)
        .where(repositories.c.id == repository_id)
        .values(
            lease_until=None if state.lease is None else NOW + state.lease,
            lease_owner=None if state.lease is None else state.owner,
            due_at=NOW + state.due,
            attempts=state.attempts,
            deleted_at=T0 if state.is_deleted else None,
            last_complete_crawl_at=NOW - HOUR if state.is_complete else None,
        )
    )
    if state.is_large:
        connection.execute(
            update(repository_summaries)
            .where(repository_summaries.c.repository_id == repository_id)
            .values(tag_count=SMALL + 1)
        )
    ends = [None] * len(state.left_open) + [NOW - HOUR] * state.is_complete
    begins = [*state.left_open, -2 * HOUR]
    for ended_at, began in sorted(
        zip(ends, begins, strict=False), key=lambda times: times[0] is None
    ):
        (crawl_id,) = connection.execute(
            insert(crawls)
            .values(
                repository_id=repository_id,
                registry_id=1,
                started_at=NOW + began,
                ended_at=ended_at,
                state="running",
                reason="",
                resumes=0,
                **dict.fromkeys(COUNTS, 1),
            )
            .returning(crawls.c.id)
        ).one()
        for position in range(0 if ended_at else state.chunks):
            connection.execute(
                insert(crawl_chunks).values(
                    crawl_id=crawl_id,
                    position=position,
                    step=1,
                    names=f'["v{position}"]',
                )
            )


def rows_of(connection: Connection) -> list[object]:
    """All that opening and closing write; of crawls the order, and not the number."""
    found: list[object] = [
        *connection.execute(select(repositories).order_by(repositories.c.id))
    ]
    ranks: dict[int, tuple[int, int]] = {}
    ordered = select(crawls).order_by(crawls.c.repository_id, crawls.c.id)
    for row in connection.execute(ordered):
        ranks[row.id] = (row.repository_id, len(ranks))
        found.append((ranks[row.id], *row[1:]))
    chunks = connection.execute(select(crawl_chunks))
    return [*found, sorted((ranks[row.crawl_id], *row[1:]) for row in chunks)]


def without_number(opened: Opened | None) -> Opened | None:
    if opened is None:
        return None
    return replace(opened, opened=replace(opened.opened, id=0))


OPENINGS: Final = st.lists(
    st.builds(
        Opening,
        repository_id=st.integers(0, len(NAMES)),  # a place; the last is nobody's
        now=st.just(NOW),
        lease_s=st.sampled_from([30.0, 60.0]),
        owner=st.sampled_from(["", MINE, "boot:1.17.99/new"]),
        only_due=st.booleans(),
        resume_s=st.sampled_from([0.0, 1800.0, 7200.0]),
    ),
    max_size=len(NAMES) + 1,
    unique_by=lambda opening: opening.repository_id,
)
FIVE: Final = st.lists(STORED, min_size=len(NAMES), max_size=len(NAMES))


@given(stored=FIVE, chosen=OPENINGS)
@settings(max_examples=40)
def test_many_are_opened_as_one_by_one(
    together: Together, stored: Sequence[Stored], chosen: Sequence[Opening]
) -> None:
    places = [*together.ids, 1_000_000]
    openings = [o._replace(repository_id=places[o.repository_id]) for o in chosen]

    def opened(
        connection: Connection, parts: Sequence[Sequence[Opening]]
    ) -> tuple[list[Opened | None], list[object]]:
        together.store(connection, stored)
        found = [one for part in parts for one in open_many(connection, part)]
        return [without_number(one) for one in found], rows_of(connection)

    alone = together.undone(lambda c: opened(c, [[o] for o in openings]))
    at_once = together.undone(lambda c: opened(c, [openings]))

    assert at_once == alone


@dataclass(frozen=True)
class Ending:
    """How a crawl ends, and what became of its repository meanwhile."""

    state: RepositoryState
    complete: bool
    held: tuple[str, ...]
    has_chunks: bool
    meanwhile: str


STATES: Final[st.SearchStrategy[RepositoryState]] = st.sampled_from(
    ["ok", "partial", "missing", "error", "unreachable"]
)
ENDINGS: Final = st.lists(
    st.builds(
        Ending,
        state=STATES,
        complete=st.booleans(),
        held=st.sampled_from([(), ("v9", "v8")]),
        has_chunks=st.booleans(),
        meanwhile=st.sampled_from(["", "taken", "closed", "released", "wanted"]),
    ),
    min_size=len(NAMES),
    max_size=len(NAMES),
)


@pytest.mark.slow  # takes seconds
@given(stored=FIVE, endings=ENDINGS)
@settings(max_examples=40)
def test_many_are_closed_as_one_by_one(
    together: Together, stored: Sequence[Stored], endings: Sequence[Ending]
) -> None:
    def closed(
        connection: Connection, *, at_once: bool
    ) -> tuple[list[str | None], list[object]]:
        together.store(connection, stored)
        openings = [Opening(n, NOW, 60, MINE, resume_s=7200) for n in together.ids]
        closings = []
        for one, ending in zip(open_many(connection, openings), endings, strict=True):
            if one is not None:
                closings.append(_closing(one, ending))
                _meanwhile(connection, closings[-1], ending.meanwhile)
        parts = [closings] if at_once else [[closing] for closing in closings]
        lost = [one for part in parts for one in close_many(connection, part)]
        return [_told(one) for one in lost], rows_of(connection)

    alone = together.undone(lambda c: closed(c, at_once=False))
    at_once = together.undone(lambda c: closed(c, at_once=True))

    assert at_once == alone


def _told(lost: StaleFence | None) -> str | None:
    return None if lost is None else str(lost)


def _closing(one: Opened, ending: Ending) -> Closing:
    result = replace(
        a_result(complete=ending.complete, held=ending.held), state=ending.state
    )
    return Closing(
        one.claim, one.opened.id, result, NOW + SECOND, NOW + HOUR, ending.has_chunks
    )


def _meanwhile(connection: Connection, closing: Closing, what: str) -> None:
    table = repositories.c
    held = closing.claim
    mine = update(repositories).where(table.id == held.repository_id)
    match what:
        case "taken":
            again = claim(connection, held.repository_id, now=NOW + HOUR, lease_s=60)
            assert again is not None
        case "closed":
            close_many(connection, [closing])
        case "released":
            connection.execute(mine.values(lease_until=None))
        case "wanted":
            connection.execute(mine.values(due_at=held.due_at - SECOND))
