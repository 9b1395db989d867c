"""What Python's garbage collector and the C library's allocator do in our processes."""

import ctypes
import gc
import threading
from contextlib import suppress
from typing import Final

_THRESHOLDS: Final = (5_000, 20, 20)
"""Python's own are made for small programs: a crawl makes thousands of documents a
second, nearly all of which are freed without it. With more than this, a process that
has little to do keeps megabytes of rings for an hour."""
_PAUSE_S: Final = 60.0
_ARENAS: Final = 2
_MAPPED_BYTES: Final = 128 * 1024
_ARENA_MAX: Final = -8  # M_ARENA_MAX of malloc.h
_MMAP_THRESHOLD: Final = -3  # M_MMAP_THRESHOLD


def prepare() -> None:
    """Look for rings less often, and let threads share what others have freed. To be
    called before modules are loaded, and before there is a second thread.

    Without it glibc gives each of a dozen threads an arena of its own, and after a
    large text that was freed (a scrape, a page) takes the next one from arenas too: 46
    minutes of pushes left 19 MB of a process of 158 MB free and in pieces, and it
    grew. Where the C library is another one, it goes on as it does (mallopt(3)).
    """
    gc.set_threshold(*_THRESHOLDS)
    with suppress(AttributeError, OSError):
        library = ctypes.CDLL(None)
        library.mallopt(_ARENA_MAX, _ARENAS)
        library.mallopt(_MMAP_THRESHOLD, _MAPPED_BYTES)


def collect_now_and_then(pause_s: float = _PAUSE_S) -> threading.Event:
    """Begin a thread that looks for rings among everything. For processes that run for
    long. Returns what ends it.

    By itself Python looks at the oldest objects only once there are a quarter more
    (`gc` of its library, "long_lived_pending"): until then hundreds of closed
    connections stay, and what is made between them keeps their place from being given
    back.
    """
    is_over = threading.Event()

    def collect() -> None:
        while not is_over.wait(pause_s):
            gc.collect()

    threading.Thread(target=collect, name="weighbridge-collect", daemon=True).start()
    return is_over


def keep_loaded() -> None:
    """Never look among what there is now. To be called once modules are loaded."""
    gc.freeze()
