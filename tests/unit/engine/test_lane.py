"""Calls that wait share a transaction, and what cannot fail together does not."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.database import a_database
from weighbridge.engine.writer.writer import MOST_ALIKE, Lane
from weighbridge.errors import StaleFence, StoreError
from weighbridge.ports.protocols import IS_URGENT
from weighbridge.store.session import Connection, Database

LONG_S = 3_600.0


@dataclass
class Book:
    """What a database keeps: what was written in transactions that were committed.

    away: so many transactions find no database
    """

    database: Database
    kept: list[object] = field(default_factory=list)
    begun: int = 0
    away: int = 0
    failures: list[str] = field(default_factory=list)
    _open: list[object] = field(default_factory=list)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        self.begun += 1
        if self.away:
            self.away -= 1
            raise StoreError("it is away", code="database_unavailable", retryable=True)
        self._open = []
        with self.database.read() as connection:
            yield connection
        self.kept += self._open

    def note(self, connection: Connection, items: Sequence[object]) -> list[object]:
        """One call for all; an item that is an exception is its own failure, one that
        is "poison" breaks the transaction."""
        if "poison" in items:
            raise ValueError("poison")
        self._open.append(tuple(items))
        return list(items)

    def also(self, connection: Connection, items: Sequence[object]) -> list[object]:
        """Another function, which does the same."""
        return self.note(connection, items)

    def lane(self, *, mixes: bool = True, linger_s: float = 0.0) -> Lane:
        return Lane(
            "test",
            self.transaction,
            mixes=mixes,
            on_failure=lambda error: self.failures.append(error.code),
            linger_s=linger_s,
        )


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with a_database(tmp_path_factory.mktemp("lane")) as opened:
        yield opened


@pytest.fixture
def book(database: Database) -> Book:
    return Book(database)


@dataclass
class Held:
    """A lane whose thread is busy until it is let go, so that calls wait."""

    lane: Lane
    _go: Event = field(default_factory=Event)
    _first: "asyncio.Task[object] | None" = None

    async def hold(self) -> None:
        began = Event()

        def busy(connection: Connection, items: Sequence[object]) -> list[object]:
            began.set()
            assert self._go.wait(30)
            return list(items)

        self._first = asyncio.ensure_future(self.lane.run(busy, None, lingers=False))
        await asyncio.to_thread(began.wait, 30)

    def ask(
        self, function: Callable[..., list[object]], *items: object
    ) -> "list[asyncio.Task[object]]":
        return [
            asyncio.ensure_future(self.lane.run(function, item, lingers=True))
            for item in items
        ]

    async def let_go(self, *tasks: "asyncio.Task[object]") -> list[object]:
        # They are asked for in this turn of the loop.
        await asyncio.sleep(0)
        self._go.set()
        assert self._first is not None
        await self._first
        return list(await asyncio.gather(*tasks, return_exceptions=True))


async def test_items_of_one_function_are_one_call(book: Book) -> None:
    held = Held(book.lane())
    await held.hold()

    answers = await held.let_go(*held.ask(book.note, "a", "b", "c"))

    assert answers == ["a", "b", "c"]
    assert book.kept == [("a", "b", "c")]


async def test_different_functions_share_a_transaction_where_they_may(
    book: Book,
) -> None:
    held = Held(book.lane())
    await held.hold()

    await held.let_go(*held.ask(book.note, "a", "b"), *held.ask(book.also, "c"))

    assert book.begun == 2
    assert book.kept == [("a", "b"), ("c",)]


async def test_different_functions_never_share_one_where_others_write_beside(
    book: Book,
) -> None:
    held = Held(book.lane(mixes=False))
    await held.hold()

    tasks = [
        task
        for n in range(MOST_ALIKE + 1)
        for task in (*held.ask(book.note, n), *held.ask(book.also, -n))
    ]
    await held.let_go(*tasks)

    sizes = [len(items) for items in book.kept if isinstance(items, tuple)]
    assert book.begun == 5
    assert sizes == [MOST_ALIKE, MOST_ALIKE, 1, 1]


async def test_a_call_that_breaks_the_transaction_fails_alone(book: Book) -> None:
    held = Held(book.lane())
    await held.hold()

    answers = await held.let_go(*held.ask(book.note, "a", "poison", "b"))

    assert [str(answer) for answer in answers] == ["a", "poison", "b"]
    assert isinstance(answers[1], ValueError)
    assert book.kept == [("a",), ("b",)]


async def test_an_item_whose_answer_is_an_error_drops_out_alone(book: Book) -> None:
    held = Held(book.lane())
    await held.hold()

    answers = await held.let_go(
        *held.ask(book.note, "a", StaleFence("taken over"), "b")
    )

    assert answers[::2] == ["a", "b"]
    assert isinstance(answers[1], StaleFence)
    assert book.begun == 2
    assert book.failures == []


@pytest.mark.parametrize("mixes", [True, False])
async def test_a_database_that_is_away_is_asked_once_for_all_who_wait(
    book: Book, *, mixes: bool
) -> None:
    held = Held(book.lane(mixes=mixes))
    await held.hold()
    book.away = 1

    answers = await held.let_go(
        *held.ask(book.note, *range(100)), *held.ask(book.also, *range(28))
    )

    assert book.begun == 2
    assert book.failures == ["database_unavailable"]
    assert {getattr(a, "code", None) for a in answers} == {"database_unavailable"}
    assert len(set(map(id, answers))) == 128


async def test_a_database_that_goes_while_calls_are_made_alone_is_asked_no_more(
    book: Book,
) -> None:
    def fails(connection: Connection, items: Sequence[object]) -> list[object]:
        book.away = 1
        raise ValueError("it breaks a rule")

    held = Held(book.lane())
    await held.hold()

    answers = await held.let_go(*held.ask(fails, *range(50)))

    # Together, and the first one alone, which found nobody.
    assert book.begun == 3
    assert {getattr(a, "code", None) for a in answers} == {"database_unavailable"}


async def test_a_lock_that_is_not_had_is_one_calls_own(book: Book) -> None:
    def locked(connection: Connection, items: Sequence[object]) -> list[object]:
        if "locked" in items:
            raise StoreError("a row is locked", code="database_busy", retryable=True)
        return list(items)

    held = Held(book.lane(mixes=False))
    await held.hold()

    answers = await held.let_go(*held.ask(locked, "a", "locked", "b"))

    assert answers[::2] == ["a", "b"]
    assert getattr(answers[1], "code", None) == "database_busy"
    assert book.failures == ["database_busy"]


async def test_urgent_calls_go_before_all_that_wait(book: Book) -> None:
    held = Held(book.lane())
    await held.hold()

    tasks = held.ask(book.note, "a", "b")
    mark = IS_URGENT.set(True)
    tasks += held.ask(book.also, "pushed")
    IS_URGENT.reset(mark)
    await held.let_go(*tasks)

    assert book.kept == [("pushed",), ("a", "b")]


async def test_calls_are_made_in_the_order_in_which_they_came(book: Book) -> None:
    lane = book.lane(mixes=False)

    async with asyncio.TaskGroup() as group:
        for n in range(50):
            function = book.note if n % 10 else book.also
            group.create_task(lane.run(function, n, lingers=False))

    noted = [n for items in book.kept if isinstance(items, tuple) for n in items]
    assert [n for n in noted if n % 10] == [n for n in range(50) if n % 10]
    assert [n for n in noted if not n % 10] == [0, 10, 20, 30, 40]


async def test_a_short_batch_waits_for_those_who_may_bring_more(book: Book) -> None:
    lane = book.lane(linger_s=LONG_S)

    with lane.expecting(), lane.expecting():
        first = asyncio.ensure_future(lane.run(book.note, "a", lingers=True))
        await asyncio.sleep(0)
        second = asyncio.ensure_future(lane.run(book.note, "b", lingers=True))
        await asyncio.gather(first, second)

    assert book.kept == [("a", "b")]


async def test_a_batch_does_not_wait_where_nobody_else_can_bring_more(
    book: Book,
) -> None:
    lane = book.lane(linger_s=LONG_S)

    with lane.expecting():
        await lane.run(book.note, "a", lingers=True)

    assert book.kept == [("a",)]


async def test_a_batch_goes_when_the_last_of_the_others_has_ended(book: Book) -> None:
    lane = book.lane(linger_s=LONG_S)

    with lane.expecting():
        with lane.expecting():
            waiting = asyncio.ensure_future(lane.run(book.note, "a", lingers=True))
            await asyncio.sleep(0)
        await waiting

    assert book.kept == [("a",)]


async def test_a_call_of_its_own_takes_along_what_waits(book: Book) -> None:
    lane = book.lane(linger_s=LONG_S)

    with lane.expecting(), lane.expecting():
        waiting = asyncio.ensure_future(lane.run(book.note, "a", lingers=True))
        await asyncio.sleep(0)
        await lane.run(book.also, "b", lingers=False)
        await waiting

    assert book.kept == [("a",), ("b",)]


async def test_a_call_whose_caller_has_gone_is_not_made(book: Book) -> None:
    held = Held(book.lane())
    await held.hold()

    gone, stays = held.ask(book.note, "gone", "stays")
    await asyncio.sleep(0)
    gone.cancel()
    await held.let_go(gone, stays)

    assert book.kept == [("stays",)]


def test_a_loop_that_ended_leaves_nothing_that_holds_the_next_one_up(
    book: Book,
) -> None:
    lane = book.lane(linger_s=LONG_S)
    left: list[asyncio.Task[object]] = []

    async def leave() -> None:
        left.append(asyncio.ensure_future(lane.run(book.note, "left", lingers=True)))
        await asyncio.sleep(0)

    async def come() -> object:
        return await lane.run(book.note, "came", lingers=True)

    with lane.expecting(), lane.expecting():
        asyncio.run(leave())
    assert asyncio.run(come()) == "came"
    assert book.kept == [("came",)]


async def test_close_waits_for_what_was_asked_for(book: Book) -> None:
    lane = book.lane(linger_s=LONG_S)
    with lane.expecting(), lane.expecting():
        waiting = asyncio.ensure_future(lane.run(book.note, "a", lingers=True))
        await asyncio.sleep(0)

        lane.close()

        assert book.kept == [("a",)]
        assert await waiting == "a"


async def test_nothing_is_taken_on_after_the_end(book: Book) -> None:
    lane = book.lane()
    lane.close()

    with pytest.raises(RuntimeError, match="after the end"):
        await lane.run(book.note, "a", lingers=True)


@given(
    st.lists(
        st.tuples(st.sampled_from(["note", "also"]), st.integers(0, 9), st.booleans()),
        max_size=40,
    ),
    st.booleans(),
)
def test_together_all_comes_out_as_it_does_one_by_one(
    tmp_path_factory: pytest.TempPathFactory,
    database: Database,
    calls: list[tuple[str, int, bool]],
    mixes: bool,
) -> None:
    book = Book(database)
    functions = {"note": book.note, "also": book.also}

    async def run() -> list[object]:
        held = Held(book.lane(mixes=mixes))
        await held.hold()
        tasks = [
            task
            for name, item, is_poison in calls
            for task in held.ask(functions[name], "poison" if is_poison else item)
        ]
        return await held.let_go(*tasks)

    answers = asyncio.run(run())

    good = [item for _, item, is_poison in calls if not is_poison]
    assert [a for a in answers if not isinstance(a, ValueError)] == good
    kept = [n for items in book.kept if isinstance(items, tuple) for n in items]
    assert sorted(kept, key=str) == sorted(good, key=str)
