"""The garbage collector in a process that crawls."""

import gc
from typing import Final

_THRESHOLDS: Final = (20_000, 20, 20)
"""Python's own are made for small programs: a crawl makes thousands of documents a
second, nearly all of which are freed without it."""


def relax() -> None:
    """Look for rings less often, and never among what was loaded until now.

    To be called once the modules are loaded. A fifth of a crawl's CPU seconds.
    """
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
