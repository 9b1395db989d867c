"""Asks addresses again and again at a steady pace, whether they are answered or not."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import httpx

from support.serving import PLAIN

EVERY_S: Final = 0.5
SILENT: Final = 0
"""The status of what was not answered at all."""
_PATIENCE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: when it was sent, how long it waited, what the answer was."""

    path: str
    sent_at: float
    seconds: float
    status: int
    code: str


@dataclass(slots=True)
class SteadyAsking:
    """What was asked so far; safe to read once the block has ended."""

    url: str
    all: list[Asked] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def sent_between(self, begin: float, end: float) -> list[Asked]:
        """Those that were sent then, by `time.monotonic`."""
        return [asked for asked in self.all if begin <= asked.sent_at < end]

    def keep_asking(self, path: str) -> None:
        """Until told to stop, each request on a thread of its own."""
        while not self._stop.wait(EVERY_S):
            thread = threading.Thread(target=self._ask, args=(path,), daemon=True)
            thread.start()
            self._threads.append(thread)

    def end(self) -> None:
        """Send no more, and wait for what is not answered yet."""
        self._stop.set()
        for thread in list(self._threads):
            thread.join(_PATIENCE_S)

    def _ask(self, path: str) -> None:
        began = time.monotonic()
        status, code = SILENT, ""
        try:
            answer = httpx.get(
                f"{self.url}{path}", timeout=_PATIENCE_S, trust_env=False, verify=PLAIN
            )
        except httpx.HTTPError as exc:
            code = type(exc).__name__
        else:
            status = answer.status_code
            if status >= 500 and "json" in answer.headers["content-type"]:
                code = answer.json()["error"]["code"]
        self.all.append(Asked(path, began, time.monotonic() - began, status, code))


@contextmanager
def steady_asking(url: str, paths: Sequence[str]) -> Iterator[SteadyAsking]:
    """Each path is asked twice a second while the block runs, and all are answered,
    or were given up, once it has ended."""
    asking = SteadyAsking(url)
    threads = [
        threading.Thread(target=asking.keep_asking, args=(path,), daemon=True)
        for path in paths
    ]
    for thread in threads:
        thread.start()
    try:
        yield asking
    finally:
        asking.end()
        for thread in threads:
            thread.join()
