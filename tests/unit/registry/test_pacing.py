"""The gate, under a clock that only the test moves."""

import asyncio
import contextlib
from collections import Counter

import pytest

from support.fake_clock import FakeClock
from weighbridge.errors import RateLimited
from weighbridge.registry.pacing.rate_limiter import Rank, RateLimiter


class Watched:
    """A gate with its clock and the waits that it told."""

    def __init__(
        self, *, concurrency: int = 4, requests_per_second: float | None = None
    ) -> None:
        self.time = FakeClock()
        self.waits: list[float] = []
        self.gate = RateLimiter(
            concurrency=concurrency,
            requests_per_second=requests_per_second,
            clock=self.time.clock,
        )

    async def crawls(self, times: int) -> None:
        for _ in range(times):
            async with self.turn():
                pass

    def turn(
        self, rank: Rank = Rank.ORDINARY, owner: object = None
    ) -> contextlib.AbstractAsyncContextManager[None]:
        return self.gate.turn(rank, owner, self.waits.append)


async def test_requests_keep_to_the_rate_after_half_a_second_of_them_at_once() -> None:
    watched = Watched(requests_per_second=20)

    await watched.crawls(10)
    at_once = watched.time.elapsed
    await watched.crawls(60)

    assert at_once == pytest.approx(0.0, abs=1e-9)
    assert watched.time.elapsed == pytest.approx(3.0)
    assert sum(watched.waits) == pytest.approx(3.0)


async def test_a_rate_below_one_a_second_lets_the_first_go_at_once() -> None:
    watched = Watched(requests_per_second=0.5)

    await watched.crawls(1)
    first = watched.time.elapsed
    await watched.crawls(2)

    assert first == 0.0
    assert watched.time.elapsed == pytest.approx(4.0)


async def test_no_rate_means_no_wait() -> None:
    watched = Watched()

    await watched.crawls(1000)

    assert watched.waits == []


async def test_retry_after_holds_everyone_back() -> None:
    watched = Watched()
    watched.gate.saw(429, retry_after=30.0)

    await asyncio.gather(*(watched.crawls(1) for _ in range(3)))

    assert watched.time.elapsed == pytest.approx(30.0)


async def test_a_pause_that_begins_during_a_wait_is_kept_too() -> None:
    watched = Watched(requests_per_second=1)
    await watched.crawls(1)

    async def pause_meanwhile() -> None:
        watched.gate.saw(429, retry_after=60.0)

    await asyncio.gather(watched.crawls(1), pause_meanwhile())

    assert watched.time.elapsed == pytest.approx(60.0)


async def test_a_wait_of_fifteen_minutes_is_told_instead_of_slept() -> None:
    watched = Watched()
    watched.gate.saw(503, retry_after=900.0)

    with pytest.raises(RateLimited) as refused:
        await watched.crawls(1)

    assert refused.value.retry_after == pytest.approx(900.0)
    assert watched.time.sleeps == []


async def test_a_queue_too_long_for_the_rate_is_told_and_takes_no_turn() -> None:
    watched = Watched(concurrency=9, requests_per_second=0.001)
    await watched.crawls(1)

    for _ in range(3):
        with pytest.raises(RateLimited) as refused:
            await watched.crawls(1)

    assert refused.value.retry_after == pytest.approx(1000.0)


async def test_refused_requests_give_their_slot_back() -> None:
    watched = Watched(concurrency=1)
    watched.gate.saw(429, retry_after=900.0)
    with pytest.raises(RateLimited):
        await watched.crawls(1)

    watched.time.advance(900.0)

    await asyncio.wait_for(watched.crawls(1), 30)


@pytest.mark.parametrize("status", [429, 503, None])
async def test_signs_of_overload_halve_the_slots_once_a_second(
    status: int | None,
) -> None:
    watched = Watched(concurrency=32)

    watched.gate.saw(status)
    watched.gate.saw(status)
    in_one_burst = watched.gate.slots
    watched.time.advance(1.0)
    watched.gate.saw(status)

    assert in_one_burst == 16
    assert watched.gate.slots == 8


async def test_slots_grow_back_with_good_answers_but_not_beyond_the_limit() -> None:
    watched = Watched(concurrency=4)
    watched.gate.saw(429)

    for _ in range(50):
        watched.gate.saw(200)

    assert watched.gate.slots == 4


async def test_at_least_one_slot_is_left() -> None:
    watched = Watched(concurrency=1)

    for _ in range(5):
        watched.time.advance(2.0)
        watched.gate.saw(429)

    assert watched.gate.slots == 1


async def test_no_more_than_the_slots_are_inside_at_once() -> None:
    watched = Watched(concurrency=3)
    inside, most = Counter[Rank](), Counter[Rank]()

    async def visit(rank: Rank) -> None:
        async with watched.turn(rank):
            inside[rank] += 1
            most[rank] = max(most[rank], inside[rank])
            assert inside.total() <= 3
            await asyncio.sleep(0)
            inside[rank] -= 1

    ranks = [Rank.ORDINARY, Rank.URGENT] * 20
    await asyncio.gather(*(visit(rank) for rank in ranks))

    assert most == {Rank.ORDINARY: 2, Rank.URGENT: 3}


async def test_who_is_not_urgent_leaves_one_of_two_slots_free() -> None:
    watched = Watched(concurrency=2)

    async with watched.turn():
        other = asyncio.create_task(watched.crawls(1))
        for _ in range(5):
            await asyncio.sleep(0)
        was_let_in = other.done()
        async with asyncio.timeout(30), watched.turn(Rank.URGENT):
            pass
    await other

    assert not was_let_in


async def test_the_only_slot_is_kept_for_nobody() -> None:
    watched = Watched(concurrency=1)

    async with asyncio.timeout(30):
        await watched.crawls(1)

    assert watched.waits == []


async def test_a_push_goes_before_hundreds_that_wait_for_a_turn_in_the_rate() -> None:
    watched = Watched(concurrency=8, requests_per_second=20)
    crawling = [asyncio.create_task(watched.crawls(1)) for _ in range(300)]
    for _ in range(20):
        await asyncio.sleep(0)

    began = watched.time.elapsed
    for _ in range(12):
        async with watched.turn(Rank.URGENT):
            pass
    took = watched.time.elapsed - began
    for task in crawling:
        task.cancel()
    await asyncio.gather(*crawling, return_exceptions=True)

    # Ten of them go at once, and each further one has the next turn.
    assert took <= 3 / 20 + 1e-6


async def test_owners_are_served_in_turn() -> None:
    watched = Watched(concurrency=1)
    order: list[str] = []

    async def ask(owner: str) -> None:
        async with watched.turn(owner=owner):
            order.append(owner)

    async with watched.turn():
        asking = [asyncio.create_task(ask(o)) for o in ["big"] * 200 + ["a", "b", "b"]]
        await asyncio.sleep(0)
    await asyncio.gather(*asking)

    assert order[:7] == ["big", "a", "b", "big", "b", "big", "big"]


async def test_f08_who_has_waited_once_goes_before_those_that_wait() -> None:
    watched = Watched(concurrency=1)
    order: list[str] = []

    async def enter(name: str, rank: Rank) -> None:
        async with watched.turn(rank):
            order.append(name)
            await asyncio.sleep(0)

    ranks = {
        "first": Rank.ORDINARY,
        "late": Rank.ORDINARY,
        "again": Rank.AHEAD,
        "and again": Rank.AHEAD,
        "push": Rank.URGENT,
    }
    await asyncio.gather(*(enter(name, rank) for name, rank in ranks.items()))

    assert order == ["first", "push", "again", "and again", "late"]


async def test_cancelled_requests_lose_no_slot() -> None:
    watched = Watched(concurrency=2)

    async def visit() -> None:
        async with watched.turn():
            await asyncio.sleep(0)

    for at_step in range(6):
        tasks = [asyncio.ensure_future(visit()) for _ in range(8)]
        for _ in range(at_step):
            await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async with asyncio.timeout(30), watched.turn(), watched.turn(Rank.URGENT):
        pass


async def test_who_only_sends_us_away_is_left_after_a_quarter_of_an_hour() -> None:
    watched = Watched()

    async def ask(times: int) -> None:
        for _ in range(times):
            await watched.crawls(1)
            watched.gate.saw(503, retry_after=890)

    with pytest.raises(RateLimited) as refused:
        await ask(200)

    assert watched.time.elapsed <= 2 * 890
    assert "the next crawl" in refused.value.hint


async def test_short_waits_between_good_answers_are_borne_for_ever() -> None:
    watched = Watched()

    for _ in range(2000):
        await watched.crawls(1)
        watched.gate.saw(429, retry_after=1)
        watched.gate.saw(200)

    assert watched.time.elapsed == pytest.approx(1999, abs=2)
