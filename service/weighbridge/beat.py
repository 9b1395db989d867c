"""A thread that does one thing again and again until it is closed."""

import threading
from collections.abc import Callable


class Beat:
    """Calls `step` at once, and again so many seconds after its end as it returned.

    name: of the thread
    step: must not raise: the thread would end
    """

    def __init__(self, name: str, step: Callable[[], float]) -> None:
        self._step = step
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def close(self, timeout_s: float = 5.0) -> None:
        """Let the step that runs come to its end, and take no other."""
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._closed.is_set():
            self._closed.wait(self._step())
