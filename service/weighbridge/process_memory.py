"""What Python's garbage collector and the C library's allocator do in our processes."""

import ctypes
import gc
from contextlib import suppress
from typing import Final

_THRESHOLDS: Final = (5_000, 20, 20)
"""Python's own are made for small programs: a crawl makes thousands of documents a
second, nearly all of which are freed without it. With more than this, a process that
has little to do keeps megabytes of rings for an hour."""
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


def keep_loaded() -> None:
    """Never look among what there is now. To be called once modules are loaded."""
    gc.freeze()
