"""The clocks of a registry client, as one value that tests replace."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from msgspec import Struct


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Clock(Struct, frozen=True):
    """monotonic: seconds that only grow, for waits and lives of tokens
    now:       aware UTC, for dates that a server names
    sleep:     waits that many seconds
    jitter:    0 to 1, so that clients which failed together come back apart
    """

    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = _utc_now
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = random.random
