"""A worker's process that is told to stop ends, whatever it waits for."""

from support.wait import wait_in_thread
from weighbridge_workers.process import (
    FORCED_S,
    GRACE_S,
    LAST_CALL_S,
    SharedMemory,
    Stopping,
)


class Told(SharedMemory):
    """Says how long ago the worker was told to stop."""

    def __init__(self, seconds: float | None) -> None:
        super().__init__()
        self.seconds = seconds

    def stopping_for(self) -> float | None:
        return self.seconds


def done_after(seconds: float | None) -> list[object]:
    """What is done once: the seconds given to the database, and the end."""
    done: list[object] = []
    stopping = Stopping(Told(seconds), done.append, lambda: done.append("end"))
    stopping.start()
    stopping.close()
    return done


def test_nothing_is_done_while_the_job_may_go_on() -> None:
    assert done_after(None) == []
    assert done_after(GRACE_S - 0.1) == []


def test_the_database_is_not_waited_for_any_more_once_the_job_is_given_back() -> None:
    assert done_after(GRACE_S) == [LAST_CALL_S]


def test_what_hangs_all_the_same_is_ended_by_force() -> None:
    assert done_after(FORCED_S) == [LAST_CALL_S, "end"]


def test_the_database_is_told_once() -> None:
    done: list[float] = []
    memory = Told(GRACE_S)
    looks: list[float] = []

    class Counting(Told):
        def stopping_for(self) -> float | None:
            looks.append(1.0)
            return memory.seconds

    stopping = Stopping(Counting(None), done.append, lambda: None)
    stopping.start()
    wait_in_thread(lambda: len(looks) > 1, "it looks again")
    stopping.close()

    assert done == [LAST_CALL_S]
