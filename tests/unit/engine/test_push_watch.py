"""What is pushed to repositories that are being crawled is asked for together."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import pytest

from support.crawling import Yard, a_yard
from support.push_world import a_push, receive
from support.wait import wait_until
from weighbridge.engine.context.crawl_context import PushWatch
from weighbridge.engine.writer.writer import Writer
from weighbridge.errors import StoreError
from weighbridge.store.pushes.inbox import PushedTo, are_pushed_to
from weighbridge.store.session import Connection

P = ParamSpec("P")
T = TypeVar("T")


@dataclass
class Crawl:
    """One that wants to know."""

    is_handling: bool = False
    looks: int = 0
    errors: list[StoreError] = field(default_factory=list)

    def handle(self) -> None:
        self.looks += 1
        self.is_handling = True

    def fail(self, error: StoreError) -> None:
        self.errors.append(error)


class Noting(Writer):
    """Notes of whom it was asked, and answers with an error where there is one."""

    asked: list[set[PushedTo]]
    error: StoreError | None = None

    async def read(
        self,
        function: Callable[Concatenate[Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        if function is are_pushed_to:
            if self.error is not None:
                raise self.error
            (names, _) = args
            assert isinstance(names, dict)
            self.asked.append(set(names))
        return await super().read(function, *args, **kwargs)


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    with a_yard(tmp_path) as made:
        yield made


@pytest.fixture
def writer(yard: Yard) -> Iterator[Noting]:
    made = Noting(yard.database)
    made.asked = []
    yield made
    made.close()


def to(name: str) -> PushedTo:
    return PushedTo("fake", f"acme/{name}")


async def test_one_question_is_asked_for_all_that_are_crawled(
    yard: Yard, writer: Noting
) -> None:
    watch = PushWatch(writer, lambda: yard.now)
    crawls = {to(str(n)): Crawl() for n in range(20)}
    for name, crawl in crawls.items():
        watch.begin(name, crawl)
    receive(yard.database, yard.now, a_push("1.0", repository="acme/7"))

    await wait_until(lambda: crawls[to("7")].looks == 1, "it is told")

    assert writer.asked == [set(crawls)]
    assert [name for name, crawl in crawls.items() if crawl.looks] == [to("7")]
    for name, crawl in crawls.items():
        watch.end(name, crawl)


async def test_who_looks_already_is_not_told_again(yard: Yard, writer: Noting) -> None:
    watch = PushWatch(writer, lambda: yard.now)
    one, other = Crawl(is_handling=True), Crawl()
    watch.begin(to("one"), one)
    watch.begin(to("other"), other)
    receive(yard.database, yard.now, a_push("1.0", repository="acme/one"))

    await wait_until(lambda: len(writer.asked) == 1, "it asks")

    assert writer.asked == [{to("other")}]
    assert one.looks == 0
    watch.end(to("one"), one)
    watch.end(to("other"), other)


async def test_nobody_asks_once_no_crawl_is_under_way(
    yard: Yard, writer: Noting
) -> None:
    before = asyncio.all_tasks()
    watch = PushWatch(writer, lambda: yard.now)
    crawl = Crawl()

    watch.begin(to("one"), crawl)
    watch.end(to("one"), crawl)
    await asyncio.sleep(0)

    assert asyncio.all_tasks() == before
    assert writer.asked == []


async def test_a_database_that_does_not_answer_ends_all_that_were_asked_for(
    yard: Yard, writer: Noting
) -> None:
    watch = PushWatch(writer, lambda: yard.now)
    writer.error = StoreError("it is away", code="database_unavailable")
    crawls = [Crawl(), Crawl()]
    for n, crawl in enumerate(crawls):
        watch.begin(to(str(n)), crawl)

    await wait_until(lambda: all(crawl.errors for crawl in crawls), "they are told")

    for n, crawl in enumerate(crawls):
        watch.end(to(str(n)), crawl)
