"""Seeds of random histories: a few in every run, all of them where time allows."""

from collections.abc import Sequence

import pytest


def seeds(first: int, count: int, *, quick: int) -> Sequence[object]:
    """So many, of which the first few are `quick` and the others marked `long`."""
    marked = range(first + quick, first + count)
    return [
        *(pytest.param(seed) for seed in range(first, first + quick)),
        *(pytest.param(seed, marks=pytest.mark.long) for seed in marked),
    ]
