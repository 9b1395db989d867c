"""A clock that moves only when somebody sleeps or a test says so."""

import asyncio
from datetime import UTC, datetime, timedelta

from weighbridge.registry.pacing.rate_limiter import Clock

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class FakeClock:
    """sleeps: every wait that was asked for, in order"""

    def __init__(self) -> None:
        self.elapsed = 0.0
        self.sleeps: list[float] = []
        self.clock = Clock(
            monotonic=lambda: self.elapsed,
            now=lambda: START + timedelta(seconds=self.elapsed),
            sleep=self._sleep,
            jitter=lambda: 1.0,
        )

    def advance(self, seconds: float) -> None:
        self.elapsed += seconds

    async def _sleep(self, seconds: float) -> None:
        """Everyone who sleeps moves the clock to the end of their own sleep."""
        self.sleeps.append(seconds)
        until = self.elapsed + seconds
        await asyncio.sleep(0)
        self.elapsed = max(self.elapsed, until)
