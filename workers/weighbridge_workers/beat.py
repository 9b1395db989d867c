"""Celery's scheduler, which notifies the service manager of how it is, and ends once
the schema is another version's."""

import os
from typing import Any, Final

from celery.beat import Scheduler

from weighbridge.service_manager import ServiceManager
from weighbridge.store.schema_watch import SchemaWatch
from weighbridge.store.session import open_database
from weighbridge_workers.app import app

_OTHER_VERSION: Final = 2
"""The exit code of all commands for the database of another version."""


class NotifyingScheduler(Scheduler):
    """Ready once it has sent something, or nothing was due; alive as long as it goes
    on; it is asked to stop by a signal, which ends Celery's loop."""

    def __init__(self, *args: Any, **options: Any) -> None:
        # Before the first step, which Celery may have taken in here.
        self._manager = ServiceManager(os.environ)
        self._watch: SchemaWatch | None = None
        super().__init__(*args, **options)

    def tick(self, *args: Any, **options: Any) -> Any:
        """See Celery: seconds until the next one is due."""
        if self._watch is None:
            url = app.process.settings.database_url.reveal()
            self._watch = SchemaWatch(open_database(url), self._end)
            self._watch.start()
        pause_s = super().tick(*args, **options)
        self._manager.ready()
        self._manager.alive()
        return pause_s

    def close(self) -> None:
        """See Celery."""
        self._manager.stopping()
        super().close()

    def _end(self) -> None:
        """At once: what was sent when is kept by Redis and the database."""
        self._manager.stopping()
        os._exit(_OTHER_VERSION)
