"""One process that serves: the parts of `weighbridge up` and `weighbridge serve`."""

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Final, Protocol

import structlog

from weighbridge import process_memory
from weighbridge.bootstrap.databases import checked_database, ready_database
from weighbridge.bootstrap.engine.one_process import Embedded
from weighbridge.config import PolicySource, Settings
from weighbridge.engine.judge.policy_reload import PolicyReload
from weighbridge.store.leases.database_clock import DatabaseClock
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry
from weighbridge.web.server.listeners import MainServer, listeners

LAST_CALL_S: Final = 12.0
"""So long after a signal the database is still waited for, for what is under way."""
STOP_S: Final = 25.0
"""So long after it the process has ended; whoever sent it may wait for thirty."""
_INTERRUPTED: Final = 128 + signal.SIGINT
"""What a shell says of a process that Ctrl-C has ended."""


class _Beside(Protocol):
    """What goes on beside serving."""

    def start(self) -> None:
        """Begin; returns at once."""

    def close(self) -> None:
        """End it."""


def up(
    settings: Settings, policies: PolicySource, announce: Callable[[], None]
) -> None:
    """Serve and crawl what is configured until SIGINT or SIGTERM.

    announce: called once the database is open
    """
    process_memory.keep_loaded()
    telemetry = Telemetry()
    reload = reloaded(policies, telemetry)
    with ready_database(settings) as database:
        embedded = Embedded(settings, database, telemetry, policies=reload.current)
        server = listeners(settings, database, telemetry, reload, embedded.jobs)
        announce()
        run(server, embedded, reload, database)


def serve(
    settings: Settings, policies: PolicySource, announce: Callable[[], None]
) -> None:
    """Serve until SIGINT or SIGTERM, and leave the crawling to workers.

    Raises StoreError(schema_version) for the database of another version.
    """
    # Needs redis, which only the extra `workers` brings.
    from weighbridge.bootstrap.distributed.service import (
        WorkerWatch,
        probe_paces,
        service_enqueuer,
    )

    process_memory.keep_loaded()
    telemetry = Telemetry()
    reload = reloaded(policies, telemetry)
    with checked_database(settings) as database, service_enqueuer(settings) as jobs:
        watch = WorkerWatch(settings, database, telemetry)
        server = listeners(
            settings,
            database,
            telemetry,
            reload,
            jobs,
            probe_paces(settings),
            watch.broker_away_since,
            DatabaseClock(database).now,
        )
        announce()
        run(server, watch, reload, database)


def reloaded(policies: PolicySource, telemetry: Telemetry) -> PolicyReload:
    """Made early: a SIGHUP that nobody handles ends a process that only starts."""
    reload = PolicyReload(policies, telemetry)
    signal.signal(signal.SIGHUP, reload.wake)
    return reload


def run(
    server: MainServer, beside: _Beside, reload: PolicyReload, database: Database
) -> None:
    """Serve until SIGINT or SIGTERM, with what goes on beside it."""

    def on_stop(number: int) -> None:
        """Whatever hangs, the process ends."""
        database.end_within(LAST_CALL_S)
        end_after(STOP_S, 0 if number == signal.SIGTERM else _INTERRUPTED)

    server.on_stop = on_stop
    # uvicorn stops serving at a signal and then raises it again: without a handler
    # of ours the process would end there, before anything is put away.
    signal.signal(signal.SIGTERM, _stop)
    reload.start()
    beside.start()
    try:
        server.run()
    finally:
        beside.close()
        reload.close()


def end_after(seconds: float, code: int) -> None:
    """End this process then with this exit code, whatever in it still waits or works:
    to be called once it is told to stop. What is committed is safe at any moment."""

    def end() -> None:
        log = structlog.get_logger("weighbridge")
        log.warning("ended with work under way", waited_s=seconds)
        os._exit(code)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()


def _stop(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)
