"""All comparisons, in the order of docs/benchmarks.md."""

from typing import Final

from load.bench import (
    cold_crawl,
    delay,
    fairness,
    ingest,
    many_repositories,
    overhead,
    push,
    reading,
    recrawl,
    replay,
    snapshot,
    startup,
    tick,
    tls,
    two_workers,
)
from load.bench.comparison import Comparison

COMPARISONS: Final[tuple[Comparison, ...]] = (
    cold_crawl.COMPARISON,
    recrawl.COMPARISON,
    replay.COMPARISON,
    delay.COMPARISON,
    many_repositories.COMPARISON,
    two_workers.COMPARISON,
    fairness.COMPARISON,
    overhead.COMPARISON,
    ingest.COMPARISON,
    push.COMPARISON,
    snapshot.COMPARISON,
    reading.COMPARISON,
    tls.COMPARISON,
    startup.COMPARISON,
    tick.COMPARISON,
)
