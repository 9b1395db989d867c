"""All comparisons, in the order of docs/benchmarks.md."""

from typing import Final

from load.bench import (
    cold_crawl,
    delay,
    ingest,
    many_repositories,
    push,
    reading,
    recrawl,
    replay,
    snapshot,
    startup,
    tick,
)
from load.bench.comparison import Comparison

COMPARISONS: Final[tuple[Comparison, ...]] = (
    cold_crawl.COMPARISON,
    recrawl.COMPARISON,
    replay.COMPARISON,
    delay.COMPARISON,
    many_repositories.COMPARISON,
    ingest.COMPARISON,
    push.COMPARISON,
    snapshot.COMPARISON,
    reading.COMPARISON,
    startup.COMPARISON,
    tick.COMPARISON,
)
