"""Who waits with a body that does not come keeps nobody else out."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from weighbridge.web.request.answers import Refusal
from weighbridge.web.webhooks.inbox import AwaitedBody, GivenUp, Strangers


class Waiting:
    """Senders whose bodies never come, each with what became of it."""

    def __init__(self, strangers: Strangers) -> None:
        self._strangers = strangers
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def add(self, name: str, address: str, held: int = 0) -> None:
        self._tasks[name] = asyncio.create_task(self._wait(address, held))
        await settle()

    async def _wait(self, address: str, held: int) -> None:
        async with self._strangers.enter(address) as place:
            place.hold(held)
            await asyncio.Event().wait()

    def given_up(self) -> list[str]:
        return [
            name
            for name, task in self._tasks.items()
            if task.done() and isinstance(task.exception(), GivenUp)
        ]

    async def end(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_where_all_places_are_taken_the_longest_wait_of_one_address_ends() -> (
    None
):
    waiting = Waiting(Strangers(places=3))
    await waiting.add("sender", "192.0.2.1")
    for number in range(2):
        await waiting.add(f"stranger {number}", "192.0.2.66")

    await waiting.add("stranger 2", "192.0.2.66")

    assert waiting.given_up() == ["stranger 0"]
    await waiting.end()


async def test_of_many_addresses_the_last_ones_get_in() -> None:
    strangers = Strangers(places=3)
    waiting = Waiting(strangers)
    for number in range(9):
        await waiting.add(f"stranger {number}", f"192.0.2.{number}")

    async with strangers.enter("192.0.2.99"):
        await settle()

    assert len(waiting.given_up()) == 7
    await waiting.end()


async def test_the_address_that_holds_most_bytes_gives_them_up() -> None:
    waiting = Waiting(Strangers(size=100))
    await waiting.add("sender", "192.0.2.1", held=30)
    await waiting.add("stranger 0", "192.0.2.66", held=30)
    await waiting.add("stranger 1", "192.0.2.66", held=30)

    await waiting.add("another", "192.0.2.2", held=30)

    assert waiting.given_up() == ["stranger 0"]
    await waiting.end()


async def test_a_body_that_takes_most_of_all_bytes_is_itself_the_one_to_go() -> None:
    strangers = Strangers(size=100)
    waiting = Waiting(strangers)
    await waiting.add("sender", "192.0.2.1", held=50)

    with pytest.raises(GivenUp):
        async with strangers.enter("192.0.2.66") as place:
            place.hold(60)

    assert waiting.given_up() == []
    assert len(strangers) == 1
    await waiting.end()


async def test_who_has_no_place_any_more_counts_nothing() -> None:
    strangers = Strangers(places=1)
    places: list[AwaitedBody] = []

    async def wait() -> None:
        async with strangers.enter("192.0.2.1") as place:
            places.append(place)
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await settle()

    async with strangers.enter("192.0.2.2"):
        # Its place is taken, and it has not noticed yet.
        with pytest.raises(GivenUp):
            places[0].hold(1)

    with pytest.raises(GivenUp):
        await task
    assert len(strangers) == 0


async def test_a_place_is_free_again_however_its_body_ends() -> None:
    strangers = Strangers(places=1)

    async def ends(how: Callable[[AwaitedBody], Awaitable[None]]) -> None:
        async with strangers.enter("192.0.2.1") as place:
            await how(place)

    async def read(place: AwaitedBody) -> None:
        place.hold(5)
        place.release(5)

    async def refuse(_: AwaitedBody) -> None:
        raise Refusal(413, "the body is too large")

    await ends(read)
    with pytest.raises(Refusal):
        await ends(refuse)

    assert len(strangers) == 0
