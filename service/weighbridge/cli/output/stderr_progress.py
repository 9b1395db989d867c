"""How long work on the database is watched: on stderr, a line that is rewritten on a
terminal, elsewhere a line every 10 s."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TextIO

from weighbridge.presentation.forms.screen import Screen

LINE_EVERY_S: Final = 10.0
_REDRAWN_EVERY_S: Final = 0.2

Watch = Callable[[str, int, int], None]


@contextmanager
def watching(
    screen: Screen, stream: TextIO, clock: Callable[[], float] = time.monotonic
) -> Iterator[Watch]:
    """Give what is to be called with a kind of thing, how many are done, of how
    many."""
    line = _Line(screen, stream, clock)
    try:
        yield line.show
    finally:
        line.clear()


class _Line:
    def __init__(
        self, screen: Screen, stream: TextIO, clock: Callable[[], float]
    ) -> None:
        self._is_redrawn = screen.width is not None
        self._every_s = _REDRAWN_EVERY_S if self._is_redrawn else LINE_EVERY_S
        self._stream = stream
        self._clock = clock
        self._shown_at = clock()
        self._columns = 0

    def show(self, what: str, done: int, total: int) -> None:
        now = self._clock()
        if now - self._shown_at < self._every_s:
            return
        self._shown_at = now
        text = f"{what} {done:,}/{total:,}"
        if self._is_redrawn:
            self._write(f"\r{text.ljust(self._columns)}")
            self._columns = len(text)
        else:
            self._write(f"{text}\n")

    def clear(self) -> None:
        if self._columns:
            self._write(f"\r{' ' * self._columns}\r")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
