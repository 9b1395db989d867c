"""How long a command that somebody waits for may ask registries."""

import asyncio
from collections.abc import Awaitable
from typing import Final, TypeVar

from weighbridge.domain.text.units import written_duration
from weighbridge.errors import TransportError

Done = TypeVar("Done")

TIMEOUT_S: Final = 300
"""A slow registry cannot hold a job of CI for ever."""
OUT_OF_TIME: Final = "out_of_time"


async def within(seconds: int, work: Awaitable[Done]) -> Done:
    """What the work returns. Raises TransportError(out_of_time) once its time is up:
    what was learned until then is dropped, as half an image is no image."""
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError as exc:
        raise TransportError(
            f"not everything was answered within {written_duration(seconds)}",
            code=OUT_OF_TIME,
            hint="again later, or allow more time: --timeout 15m",
            retryable=False,
        ) from exc
