"""The tasks: each hands the message's argument to the use case of its name.

What a job is told, and where it goes, is in `weighbridge.ports.job_names`.
"""

from weighbridge.ports.job_names import (
    BASES,
    CANARY,
    CRAWL,
    DELIVER,
    DISCOVER,
    MEASURE,
    PRUNE,
    PUSH,
    SEED,
    SETTLE,
    TICK,
)
from weighbridge_workers.app import app

# The first three are sent every few seconds anyway: where such a message ends its
# process, the scheduler's next one is soon enough. Given back it would end one process
# after the other, without a pause.


@app.task(name=TICK, shared=False, reject_on_worker_lost=False)
def tick(argument: str) -> None:
    """Look for what is due, and enqueue it."""
    app.process.do(TICK, argument)


@app.task(name=SETTLE, shared=False, reject_on_worker_lost=False)
def settle(argument: str) -> None:
    """Settle what changed hands between repositories."""
    app.process.do(SETTLE, argument)


@app.task(name=DELIVER, shared=False, reject_on_worker_lost=False)
def deliver(argument: str) -> None:
    """Hand over the messages that are due."""
    app.process.do(DELIVER, argument)


@app.task(name=PUSH, shared=False)
def push(argument: str) -> None:
    """Crawl what was pushed to one repository."""
    app.process.do(PUSH, argument)


@app.task(name=CRAWL, shared=False)
def crawl(argument: str) -> None:
    """Crawl due repositories of one registry, or one that is named."""
    app.process.do(CRAWL, argument)


@app.task(name=DISCOVER, shared=False)
def discover(argument: str) -> None:
    """Find out which repositories a registry has."""
    app.process.do(DISCOVER, argument)


@app.task(name=MEASURE, shared=False)
def measure(argument: str) -> None:
    """Measure the layers of a registry that nobody has measured yet."""
    app.process.do(MEASURE, argument)


@app.task(name=PRUNE, shared=False)
def prune(argument: str) -> None:
    """Remove what is older than is kept."""
    app.process.do(PRUNE, argument)


@app.task(name=BASES, shared=False)
def count_bases(argument: str) -> None:
    """Count what stands on each base."""
    app.process.do(BASES, argument)


@app.task(name=SEED, shared=False)
def seed_bases(argument: str) -> None:
    """Read what images stand on from repositories that are named for that alone."""
    app.process.do(SEED, argument)


@app.task(name=CANARY, shared=False)
def canary() -> None:
    """Show that this worker works."""
    app.process.memory.note_life()
