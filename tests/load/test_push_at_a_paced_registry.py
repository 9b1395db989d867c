"""A push beside 10,000 crawls of a registry that is asked 20 times a second."""

import time
from pathlib import Path
from typing import Final

import pytest

from support.cores import Cores
from support.images_oci import Pusher, made_image, made_layer
from support.message_sink import message_sink
from support.push_latency import Timed, configure, multiply, spread, telling
from support.pushing import notifying_registry
from support.queued_crawls import ask_for_crawls, waiting
from support.serving import free_address
from support.worker_crew import a_crew

CRAWLS: Final = 10_000
PUSHES: Final = 100
EVERY_S: Final = 1.0
"""A push asks four or five questions: most of the rate is left to crawls."""
LIMITS: Final = {"requests_per_second": 20, "concurrency": 8}
BOUND_S: Final = 0.5
BUSY: Final = 0.6


@pytest.mark.timeout(900)
def test_pushes_while_10000_crawls_wait_for_20_requests_a_second(
    tmp_path: Path,
) -> None:
    timed = Timed()
    address = free_address()
    with (
        message_sink() as sink,
        notifying_registry(tmp_path / "registry", address) as registry,
        a_crew(tmp_path, registry.url, limits=LIMITS) as crew,
    ):
        configure(crew.config, telling(sink))
        with Pusher(registry.url) as pusher:
            layers = [made_layer(f"layer {number}", b"x" * 99) for number in range(3)]
            pusher.push("bulk/seed", made_image(*layers), "1.0", "1.1", "latest")
        names = multiply(registry, "bulk/seed", CRAWLS)
        crew.start("serve", "--bind", address)
        ask_for_crawls(crew, registry.url, names)
        crew.worker()
        crew.wait_for(lambda: waiting(crew) < CRAWLS - 5, "the crawls have begun")

        cores = Cores()
        with Pusher(registry.url) as pusher:
            for number in range(PUSHES):
                timed.push(pusher, f"shop/app{number}")
                time.sleep(EVERY_S)
        busy = cores.busy
        left = waiting(crew)
        crew.wait_for(lambda: len(timed.to_message(sink)) == PUSHES, "all are told")
        verdicts = timed.to_verdict(crew.database)

    to_verdict, to_message = spread(verdicts), spread(timed.to_message(sink))
    print(
        f"to the verdict {to_verdict}; to the message {to_message}; cores {busy:.0%}"
        f" busy; {left} crawls left"
    )
    assert left > 0, "the crawls were over before the pushes"
    assert len(verdicts) == PUSHES
    if busy >= BUSY:
        pytest.skip(f"others kept the cores {busy:.0%} busy: this says nothing")
    assert to_verdict.p99 < BOUND_S
