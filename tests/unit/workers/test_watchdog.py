"""A worker that takes no work ends itself; one without Redis waits."""

import pytest

from weighbridge_workers.process import SharedMemory
from weighbridge_workers.signals import MISSES, Canary


class SilentMemory(SharedMemory):
    """Signs of life at moments that a test chooses."""

    def __init__(self) -> None:
        super().__init__()
        self.silence: float | None = None

    def silent_for(self) -> float | None:
        return self.silence


@pytest.fixture
def memory() -> SilentMemory:
    return SilentMemory()


def test_t19_three_messages_without_a_sign_of_life_end_it(memory: SilentMemory) -> None:
    canary = Canary(lambda: True, memory)

    for _ in range(MISSES - 1):
        canary.sing()
    before = canary.is_dead
    canary.sing()

    assert (before, canary.is_dead) == (False, True)


def test_a_sign_of_life_is_enough(memory: SilentMemory) -> None:
    canary = Canary(lambda: True, memory)
    canary.sing()
    canary.sing()

    memory.silence = 3.0
    canary.look()
    memory.silence = 70.0
    canary.sing()

    assert not canary.is_dead


def test_f19_nothing_is_due_while_redis_takes_no_message(memory: SilentMemory) -> None:
    canary = Canary(lambda: False, memory)

    for _ in range(10):
        canary.sing()

    assert not canary.is_dead


def test_the_memory_is_shared_and_begins_empty() -> None:
    memory = SharedMemory()

    before = (memory.silent_for(), memory.stopping_for())
    memory.note_life()
    memory.note_stop()

    assert before == (None, None)
    assert memory.silent_for() is not None
    assert memory.stopping_for() is not None
