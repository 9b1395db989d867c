"""Python's garbage collector in our processes."""

import gc
from typing import Final

_THRESHOLDS: Final = (5_000, 20, 20)
"""Python's own are made for small programs: a crawl makes thousands of documents a
second, nearly all of which are freed without it. With more than this, a process that
has little to do keeps megabytes of rings for an hour."""


def relax() -> None:
    """Look for rings less often. To be called before modules are loaded: what they
    make stays, and each look at it is in vain."""
    gc.set_threshold(*_THRESHOLDS)


def keep_loaded() -> None:
    """Never look among what there is now. To be called once modules are loaded."""
    gc.freeze()
