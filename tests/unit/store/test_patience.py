"""A database that is busy or away is asked again for a while."""

from collections.abc import Callable
from itertools import chain, repeat

import pytest

from weighbridge.errors import StoreError
from weighbridge.store.connection.deadlines import patiently

BUSY = StoreError("locked", code="database_busy", retryable=True)
AWAY = StoreError("away", code="database_unavailable", retryable=True)
FULL = StoreError("full", code="disk_full", retryable=True)


def failing(*errors: StoreError, forever: bool = False) -> Callable[[], str]:
    """Fails so often, and then does what it is asked for."""
    coming = iter(chain(errors, repeat(errors[-1]) if forever else ()))

    def call() -> str:
        error = next(coming, None)
        if error is not None:
            raise error
        return "done"

    return call


def test_a_deadlock_that_chose_us_is_tried_again_after_a_wait() -> None:
    waits: list[float] = []

    assert patiently(failing(BUSY, BUSY, BUSY), wait=waits.append) == "done"

    assert waits == [0.1, 0.2, 0.4]


def test_a_server_that_is_started_again_is_waited_for() -> None:
    waits: list[float] = []

    assert patiently(failing(*6 * [AWAY]), wait=waits.append) == "done"

    assert waits == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0]


def test_what_does_not_go_by_is_raised_at_once() -> None:
    waits: list[float] = []

    with pytest.raises(StoreError) as raised:
        patiently(failing(FULL), wait=waits.append)

    assert raised.value.code == "disk_full"
    assert waits == []


def test_patience_has_an_end() -> None:
    with pytest.raises(StoreError) as raised:
        patiently(failing(BUSY, forever=True), patience_s=0.05)

    assert raised.value.code == "database_busy"
