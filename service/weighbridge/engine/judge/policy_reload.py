"""Keeps policies current while a process serves: a thread that reads them again."""

import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Final, Protocol

import structlog

from weighbridge.config import PolicySource
from weighbridge.domain.policy.policy import PolicySet
from weighbridge.errors import ConfigError
from weighbridge.service_manager import UNMANAGED, ServiceManager
from weighbridge.telemetry import Telemetry

POLL_S: Final = 1.0


class Reloaded(Protocol):
    """What else is read again while a process serves. Neither method raises."""

    def poll(self) -> None:
        """Read again what has changed."""

    def reload(self) -> None:
        """Read everything again."""


class PolicyReload:
    """The policies in force. They are read again when one of their files has changed,
    and whenever `wake` is called, for which it is a handler of SIGHUP.

    All or nothing: where any file has a fault, the policies stay as they are.

    manager: is notified of what `wake` asks for
    beside:  is read again by the same thread, for the same reasons
    """

    def __init__(
        self,
        source: PolicySource,
        telemetry: Telemetry,
        *,
        manager: ServiceManager = UNMANAGED,
        beside: Sequence[Reloaded] = (),
        poll_s: float = POLL_S,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._source = source
        self._manager = manager
        self._beside = beside
        self._telemetry = telemetry
        self._poll_s = poll_s
        self._wall = wall
        self._log = structlog.get_logger("weighbridge.policies")
        self._failed_since: datetime | None = None
        self._state = self._seen = source.state()
        # A signal may come while another is being handled. To put something into this
        # queue waits for no lock; to set an Event does.
        self._rung: SimpleQueue[None] = SimpleQueue()
        self._closed = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name="weighbridge-policies", daemon=True
        )
        self._note_success()

    def current(self) -> PolicySet:
        """The policies in force now; another object after each reload."""
        return self._source.policies

    def failed_since(self) -> datetime | None:
        """Since when the files cannot be read again; None: the policies in force are
        what they say."""
        return self._failed_since

    def start(self) -> None:
        """Begin to look for changes; returns at once."""
        self._thread.start()

    def wake(self, number: int = 0, frame: FrameType | None = None) -> None:
        """Have everything read again soon, changed or not. May be called by a signal
        handler."""
        self._rung.put(None)

    def close(self, timeout_s: float = 5.0) -> None:
        self._closed.set()
        self._rung.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def poll(self) -> None:
        """Read again what has changed. A file that somebody is still writing is left
        alone: only what two looks have seen alike is read."""
        state = self._source.state()
        is_settled, self._seen = state == self._seen, state
        if is_settled and state != self._state:
            self.reload()

    def reload(self) -> None:
        """Read everything again; the old policies stay where there is any fault."""
        # Before reading: what is written meanwhile is then seen as a change.
        self._state = self._source.state()
        try:
            self._source = self._source.again()
        except ConfigError as exc:
            self._telemetry.config_last_reload_successful.set(0)
            if self._failed_since is None:
                self._failed_since = datetime.fromtimestamp(self._wall(), UTC)
            self._log.error(
                "policies cannot be read, the old ones stay in force",
                code=exc.code,
                faults=exc.message.splitlines(),
            )
        else:
            self._note_success()
            self._log.info(
                "policies were read again", policies=len(self.current().policies)
            )

    def _run(self) -> None:
        while True:
            is_rung = self._wait()
            if self._closed.is_set():
                return
            if is_rung:
                with self._manager.reloading():
                    self.reload()
                    for other in self._beside:
                        other.reload()
            else:
                self.poll()
                for other in self._beside:
                    other.poll()

    def _wait(self) -> bool:
        """Until the next look is due, or somebody calls `wake`; whether somebody did.
        Several calls at once are one."""
        try:
            self._rung.get(timeout=self._poll_s)
        except Empty:
            return False
        while not self._rung.empty():
            self._rung.get()
        return True

    def _note_success(self) -> None:
        self._failed_since = None
        self._telemetry.config_last_reload_successful.set(1)
        self._telemetry.config_last_reload_success_timestamp.set(self._wall())
