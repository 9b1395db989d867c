"""Shows what Redis knows of the workers, and whether Redis is there at all."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import structlog

from weighbridge.beat import Beat
from weighbridge.bootstrap.distributed.crawl_metrics import CrawlMetrics
from weighbridge.bootstrap.distributed.worker_metrics import (
    WorkerCollector,
    WorkerReport,
)
from weighbridge.config import Settings
from weighbridge.domain.text.secret import Secret
from weighbridge.jobs.redis.worker_register import Totals, WorkerRegister
from weighbridge.telemetry import Telemetry

EVERY_S: Final = 5.0


def _utc_now() -> datetime:
    return datetime.now(UTC)


class BrokerWatch:
    """Reads Redis every few seconds, on a thread of its own, until closed.

    away_since: since when it does not answer; None where it does
    """

    def __init__(
        self,
        redis_url: Secret,
        settings: Settings,
        telemetry: Telemetry,
        *,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self.away_since: datetime | None = None
        self._now = now
        self._register = WorkerRegister(redis_url)
        self._totals = Totals(redis_url)
        self._crew = WorkerCollector(telemetry)
        channels = [channel.name for channel in settings.channels]
        self._crawls = CrawlMetrics(telemetry, settings.names, channels)
        self._log = structlog.get_logger("weighbridge.scheduler")
        self._beat = Beat("weighbridge-broker-watch", self.look)

    def start(self) -> None:
        """Begin to read; returns at once."""
        self._beat.start()

    def close(self) -> None:
        """End the thread and close every connection."""
        self._beat.close()
        self._register.close()
        self._totals.close()

    def look(self) -> float:
        """Read it once; the seconds until the next time."""
        register = self._register
        try:
            report = WorkerReport(
                register.workers(), register.waiting(), register.counts()
            )
            numbers = self._totals.read()
        except OSError:
            self._crew.show_away()
            if self.away_since is None:
                self.away_since = self._now()
                self._log.warning("workers cannot be watched", code="redis_unavailable")
        else:
            self.away_since = None
            self._crew.show(report)
            self._crawls.numbers = numbers
        return EVERY_S
