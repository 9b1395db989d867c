"""Whose question is asked first, where they have to wait."""

import asyncio

import httpx
from msgspec.structs import replace

from support.registry_client import Asking, an_endpoint, asking, json_answer
from weighbridge.domain.image.digest import digest_of
from weighbridge.ports.protocols import CRAWL_COST, IS_URGENT, RequestCost

CONTENT = b'{"schemaVersion":2}'


async def order_of(*names: str) -> list[str]:
    """In which order manifests are asked for that are all wanted at once, by one crawl
    for each repository and one push, while a first request is under way."""
    order: list[str] = []
    may_answer = asyncio.Event()
    may_answer.set()

    async def answer(request: httpx.Request) -> httpx.Response:
        order.append(request.url.path.split("/")[2])
        await may_answer.wait()
        return json_answer(CONTENT)

    ask = asking(answer, replace(an_endpoint(), concurrency=1))
    wanted = ("first", *names)
    costs = {name: RequestCost() for name in wanted}
    for name in wanted:
        # What the first request of each teaches is known from here on.
        await asyncio.create_task(asked(ask, name, costs[name]))
    order.clear()
    may_answer.clear()
    tasks = [asyncio.create_task(asked(ask, name, costs[name])) for name in wanted]
    for _ in range(20):
        await asyncio.sleep(0)
    may_answer.set()
    await asyncio.gather(*tasks)
    return order[1:]


async def asked(ask: Asking, name: str, cost: RequestCost) -> None:
    CRAWL_COST.set(cost)
    IS_URGENT.set(name == "push")
    await ask.registry.get_manifest(name, str(digest_of(CONTENT)))


async def test_a_push_goes_before_crawls_and_crawls_take_turns() -> None:
    order = await order_of("big", "big", "big", "small", "push")

    assert order == ["push", "big", "small", "big", "big"]
