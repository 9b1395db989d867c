"""Tasks that are ended together."""

import asyncio

from weighbridge.engine.tasks.side_by_side import cancel_begun


async def test_a_task_that_was_made_just_now_does_what_it_does_at_its_end() -> None:
    ended: list[str] = []

    async def work(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(name)

    before = asyncio.create_task(work("before"))
    await asyncio.sleep(0)
    just_now = asyncio.create_task(work("just now"))

    await cancel_begun([before, just_now])

    assert sorted(ended) == ["before", "just now"]
    assert before.cancelled()
    assert just_now.cancelled()
