"""Waiting for something to become true, instead of sleeping and hoping."""

import asyncio
from collections.abc import Callable
from typing import Final

PATIENCE_S: Final = 60.0
"""Nobody's property: a machine that is busy with others, or stands still for a few
seconds, is no fault of what is tested."""
_FIRST_PAUSE_S: Final = 0.005
_PAUSE_S: Final = 0.05
"""Between two looks at what takes longer: a look takes time from what is waited for."""


async def wait_until(
    condition: Callable[[], bool],
    what: str,
    *,
    deadline_s: float = PATIENCE_S,
    seen: Callable[[], object] | None = None,
) -> None:
    """Return once `condition` holds; fail with `what`, and what was seen, if it does
    not within `deadline_s`."""
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + deadline_s
    pause_s = _FIRST_PAUSE_S
    while not condition():
        if loop.time() > ends_at:
            detail = f"; seen: {seen()!r}" if seen is not None else ""
            raise AssertionError(f"not within {deadline_s:g} s: {what}{detail}")
        await asyncio.sleep(pause_s)
        pause_s = min(1.5 * pause_s, _PAUSE_S)


def wait_in_thread(
    condition: Callable[[], bool],
    what: str,
    *,
    deadline_s: float = PATIENCE_S,
    seen: Callable[[], object] | None = None,
) -> None:
    """The same for tests without an event loop."""
    asyncio.run(wait_until(condition, what, deadline_s=deadline_s, seen=seen))
