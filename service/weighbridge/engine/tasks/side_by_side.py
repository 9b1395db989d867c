"""Runs awaitables side by side so that none outlives the first failure."""

import asyncio
from collections.abc import Awaitable, Iterable
from typing import TypeVar

T = TypeVar("T")


async def together(awaitables: Iterable[Awaitable[T]]) -> list[T]:
    """Their results in order. The first error is raised once all others have
    been cancelled and have ended."""
    tasks = [asyncio.ensure_future(item) for item in awaitables]
    try:
        return list(await asyncio.gather(*tasks))
    except BaseException:
        await cancel(tasks)
        raise


async def cancel(tasks: Iterable["asyncio.Future[T]"]) -> None:
    """Cancel them and wait until they have ended, whatever they end with."""
    cancelled = list(tasks)
    if not cancelled:
        return
    for task in cancelled:
        task.cancel()
    await asyncio.gather(*cancelled, return_exceptions=True)


async def cancel_begun(tasks: Iterable["asyncio.Future[T]"]) -> None:
    """The same, but one that was made just now begins first: what it does at its end is
    done."""
    made = list(tasks)
    try:
        await asyncio.sleep(0)
    finally:
        await cancel(made)
