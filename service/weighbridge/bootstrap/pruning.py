"""Prunes once a day, in the process that schedules."""

import asyncio
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import structlog

from weighbridge.bootstrap.patience import patiently
from weighbridge.domain.retention import Retention
from weighbridge.errors import StoreError
from weighbridge.store.pruning import Pruned, prune
from weighbridge.store.session import Database

EVERY: Final = timedelta(days=1)
RETRY: Final = timedelta(minutes=10)
"""A database that was busy is asked again so soon."""


class Pruning:
    """When pruning is due, and the job that does it.

    Nobody notes when it was done last: it is due when the process starts, which costs
    a walk over the tables where there is nothing to remove, and once a day then.
    """

    def __init__(
        self, database: Database, retention: Retention, clock: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._retention = retention
        self._clock = clock
        self._due_at: datetime | None = None
        self._stopped = threading.Event()
        self._log = structlog.get_logger("weighbridge.pruning")

    def is_due(self, now: datetime) -> bool:
        due_at = self._due_at
        # Later than a whole pause: the clock has been put back.
        return due_at is None or not now < due_at <= now + EVERY

    def stop(self) -> None:
        """Let the transaction that is under way be the last."""
        self._stopped.set()

    async def run(self, _: str) -> None:
        """Prune, on a thread of its own; whatever it ends with, it is due again."""
        began, wait = self._clock(), RETRY
        try:
            await asyncio.to_thread(self._prune, began)
            wait = EVERY
        except StoreError as exc:
            level = self._log.warning if exc.retryable else self._log.error
            level("pruning failed", code=exc.code, why=exc.message)
        finally:
            self._due_at = began + wait

    def _prune(self, now: datetime) -> None:
        began = time.monotonic()
        pruned = patiently(
            lambda: prune(
                self._database,
                self._retention,
                now,
                is_stopped=self._stopped.is_set,
            ),
            wait=self._stopped.wait,
        )
        is_any = pruned != Pruned(0, 0, 0)
        tell = self._log.info if is_any else self._log.debug
        tell(
            "pruned",
            passes=pruned.passes,
            manifests=pruned.manifests,
            blobs=pruned.blobs,
            pushes=pruned.pushes,
            violations=pruned.violations,
            seconds=round(time.monotonic() - began, 2),
        )
