"""Celery's scheduler, which notifies the service manager of how it is."""

import os
from typing import Any

from celery.beat import Scheduler

from weighbridge.service_manager import ServiceManager


class NotifyingScheduler(Scheduler):
    """Ready once it has sent something, or nothing was due; alive as long as it goes
    on; it is asked to stop by a signal, which ends Celery's loop."""

    def __init__(self, *args: Any, **options: Any) -> None:
        # Before the first step, which Celery may have taken in here.
        self._manager = ServiceManager(os.environ)
        super().__init__(*args, **options)

    def tick(self, *args: Any, **options: Any) -> Any:
        """See Celery: seconds until the next one is due."""
        pause_s = super().tick(*args, **options)
        self._manager.ready()
        self._manager.alive()
        return pause_s

    def close(self) -> None:
        """See Celery."""
        self._manager.stopping()
        super().close()
