"""How work is watched on stderr: rewritten on a terminal, elsewhere a line every 10 s.

Work on the database tells how much of what is done; of a crawl there is more to say.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final, TextIO

from weighbridge.domain.text.printable import printable
from weighbridge.domain.text.units import format_bytes, format_duration
from weighbridge.engine.context.crawl_context import Progress
from weighbridge.presentation.forms.phrases import plural
from weighbridge.presentation.forms.screen import Screen, bar

LINE_EVERY_S: Final = 10.0
_REDRAWN_EVERY_S: Final = 0.2

Watch = Callable[[str, int, int], None]


@contextmanager
def watching(
    screen: Screen, stream: TextIO, clock: Callable[[], float] = time.monotonic
) -> Iterator[Watch]:
    """Give what is to be called with a kind of thing, how many are done, of how
    many."""
    is_redrawn = screen.width is not None
    every_s = _REDRAWN_EVERY_S if is_redrawn else LINE_EVERY_S
    shown_at, columns = clock(), 0

    def show(what: str, done: int, total: int) -> None:
        nonlocal shown_at, columns
        now = clock()
        if now - shown_at < every_s:
            return
        shown_at = now
        text = f"{what} {done:,}/{total:,}"
        if is_redrawn:
            write(f"\r{text.ljust(columns)}")
            columns = len(text)
        else:
            write(f"{text}\n")

    def write(text: str) -> None:
        stream.write(text)
        stream.flush()

    try:
        yield show
    finally:
        if columns:
            write(f"\r{' ' * columns}\r")


_BAR: Final = 16
_ENOUGH: Final = 3
"""Repositories after which the time that is left can be guessed."""


def progress_line(progress: Progress, now: datetime) -> str:
    """One line for a log: `09:41:00 hub repositories=13/51 tags=608 ...`."""
    fields = [
        f"{now:%H:%M:%S} {printable(progress.registry) or '-'}",
        f"repositories={_of(progress.repositories_done, progress.repositories_known)}",
        f"tags={_of(progress.tags, progress.tags_known)}",
    ]
    if progress.stage == "measuring":
        fields.append(f"layers={_of(progress.layers_done, progress.layers_known)}")
    fields += [
        f"requests={progress.requests}",
        f"throttled={progress.throttled}",
        f"read={format_bytes(progress.bytes_read).replace(' ', '')}",
        f"weighed={format_bytes(progress.weighed_bytes).replace(' ', '')}",
    ]
    return " ".join(fields)


def progress_block(progress: Progress, elapsed_s: float, screen: Screen) -> str:
    """The block that is redrawn on a terminal."""
    done, known = progress.repositories_done, progress.repositories_known
    drawn = bar(done, known or 0, _BAR, ascii=screen.ascii).ljust(_BAR)
    tags = _of(progress.tags, progress.tags_known, ",")
    requests = f"requests {progress.requests:,}"
    if progress.throttled:
        requests += f" ({progress.throttled:,} answered 429)"
    read = format_bytes(progress.bytes_read, iec=screen.iec)
    weighed = format_bytes(progress.weighed_bytes, iec=screen.iec)
    lines = [
        screen.joined([printable(progress.registry), printable(progress.url)]),
        f"  repositories  {drawn}  {_of(done, known, ',')}"
        f"     tags {tags}     images {progress.images:,}",
        f"  {requests}     {read} read, {weighed} weighed{_left(progress, elapsed_s)}",
        f"  now  {_now(progress)}",
    ]
    return "\n".join(screen.cut(line.rstrip()) for line in lines)


def stopped_text(progress: Progress, command: str) -> str:
    """What an interrupted crawl leaves behind, and how to go on."""
    done, known = progress.repositories_done, progress.repositories_known
    if known is None:
        counted = plural(done, "repository", "repositories")
        verb = "is" if done == 1 else "are"
    else:
        counted = f"{done:,} of {plural(known, 'repository', 'repositories')}"
        verb = "are"
    text = f"Stopped. {counted} {verb} complete and stored"
    if progress.now and progress.stage != "measuring":
        text += (
            f"; {printable(progress.now)} is half read: all but its last answers are "
            "kept and not asked again"
        )
    return f"{text}.\nGo on with: {command}"


@contextmanager
def shown(progress: Progress, screen: Screen, stream: TextIO) -> Iterator[None]:
    """Show the progress on this stream until the block ends."""
    if screen.width is None:
        with _lines(progress, stream):
            yield
    else:
        with _redrawn(progress, screen, stream):
            yield


@contextmanager
def _redrawn(progress: Progress, screen: Screen, stream: TextIO) -> Iterator[None]:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    began = time.monotonic()

    def block() -> Text:
        return Text(progress_block(progress, time.monotonic() - began, screen))

    console = Console(file=stream, highlight=False)
    with Live(
        get_renderable=block, console=console, refresh_per_second=4, transient=True
    ):
        yield


@contextmanager
def _lines(progress: Progress, stream: TextIO) -> Iterator[None]:
    ended = threading.Event()
    writer = threading.Thread(
        target=write_lines, args=(progress, stream, ended.wait), daemon=True
    )
    writer.start()
    try:
        yield
    finally:
        ended.set()
        writer.join()


def write_lines(
    progress: Progress, stream: TextIO, wait: Callable[[float], bool]
) -> None:
    """Write a line each time `wait` has waited in vain for the end."""
    while not wait(LINE_EVERY_S):
        stream.write(f"{progress_line(progress, datetime.now(UTC))}\n")
        stream.flush()


def _of(done: int, known: int | None, group: str = "") -> str:
    """`18/51`; `18` while the listing has not ended."""
    counted = format(done, group)
    return counted if known is None else f"{counted}/{format(known, group)}"


def _left(progress: Progress, elapsed_s: float) -> str:
    done, known = progress.repositories_done, progress.repositories_known
    if known is None or done < _ENOUGH or done >= known:
        return ""
    left_s = elapsed_s / done * (known - done)
    return f"     about {format_duration(left_s)} left"


def _now(progress: Progress) -> str:
    if progress.stage == "measuring":
        layers = _of(progress.layers_done, progress.layers_known, ",")
        return f"measuring layers {layers}"
    return printable(progress.now) or "listing repositories"
