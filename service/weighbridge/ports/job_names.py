"""The names by which work is handed over. Arguments are names and ids only."""

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

Queue: TypeAlias = Literal["push", "crawl", "measure", "notify"]

QUEUES: Final[tuple[Queue, ...]] = ("push", "crawl", "measure", "notify")
"""In the order in which they are served: a push never waits for a backfill."""
SOON: Final[tuple[Queue, ...]] = ("push", "notify")
"""What is never to wait until a long job has ended."""

CRAWL: Final = "weighbridge.crawl"
"""registry: crawl this configured registry now. Between several processes
registry/repository: crawl this one repository."""
PUSH: Final = "weighbridge.push"
"""registry/repository: handle what was pushed there, as the table `pushes` says."""
DISCOVER: Final = "weighbridge.discover"
"""registry: find out which repositories it has."""
MEASURE: Final = "weighbridge.measure"
"""registry: measure the layers that nobody has measured yet."""
SETTLE: Final = "weighbridge.settle"
"""no argument: settle what changed hands between repositories."""
DELIVER: Final = "weighbridge.deliver"
"""no argument: hand over what waits to be told."""
TICK: Final = "weighbridge.tick"
"""no argument: look for what is due, and ask for it."""
PRUNE: Final = "weighbridge.prune"
"""no argument: remove what is older than `history` says and needed by nothing."""
BASES: Final = "weighbridge.bases"
"""no argument: find the images on bases that are new, and count what stands on each."""
CLAIMS: Final = "weighbridge.claims"
"""no argument: no work of its own; when BASES last held what annotations claim against
the names of bases."""
SEED: Final = "weighbridge.seed"
"""registry: read what images stand on from the repositories that `bases` names."""
CANARY: Final = "weighbridge.canary"
"""no argument: nothing is done, which shows that a worker works."""

QUEUE_OF: Final[Mapping[str, Queue]] = {
    PUSH: "push",
    CRAWL: "crawl",
    DISCOVER: "crawl",
    MEASURE: "measure",
    # Walks over whole tables: behind everything that somebody waits for.
    PRUNE: "measure",
    BASES: "measure",
    # Behind what its registry is crawled for.
    SEED: "measure",
    # A moment each, and everything else depends on them.
    SETTLE: "notify",
    DELIVER: "notify",
    TICK: "notify",
}
