"""A worker that is told to stop does so in the time that it has."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from billiard import pool

from weighbridge_workers.overrides import UNHEARD_S, bound_last_words


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    before = pool.GUARANTEE_MESSAGE_CONSUMPTION_RETRY_LIMIT
    yield
    pool.GUARANTEE_MESSAGE_CONSUMPTION_RETRY_LIMIT = before


class _Counter:
    """What the pool's main process counts: never as much as was done."""

    value = 0


def test_a_pool_process_whose_last_answer_nobody_heard_ends_within_seconds() -> None:
    bound_last_words()
    worker: Any = pool.Worker.__new__(pool.Worker)  # its types leave these out
    worker.on_ready_counter = _Counter()

    began = time.monotonic()
    was_heard = worker._ensure_messages_consumed(completed=1)

    assert not was_heard
    # Half a minute, as it comes.
    assert time.monotonic() - began < 8 * UNHEARD_S
