"""A beat goes on until it is closed, and waits as long as each step says."""

import threading

from weighbridge.beat import Beat


def test_steps_follow_each_other_until_it_is_closed() -> None:
    third = threading.Event()
    waits = iter([0.0, 0.0, 60.0])

    def step() -> float:
        wait_s = next(waits)
        if wait_s:
            third.set()
        return wait_s

    beat = Beat("test", step)
    beat.start()
    came = third.wait(60)
    beat.close()

    assert came
    assert next(waits, None) is None


def test_one_that_was_never_begun_can_be_closed() -> None:
    Beat("test", lambda: 1.0).close()
