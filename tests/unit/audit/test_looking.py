"""A repository that is in other hands when a crawl comes to it."""

import pytest

from weighbridge.audit.looking import WAITS_S, when_free
from weighbridge.audit.pass_outcome import PassOutcome
from weighbridge.errors import StaleFence
from weighbridge.store.passes import PassResult

RESULT = PassResult("ok", "", True, 3, 3, 0, 0, 0, 0, 7, 700, frozenset())
OUTCOME = PassOutcome(RESULT, ())


class Hands:
    """Others have it for so many looks."""

    def __init__(self, looks: int) -> None:
        self.left = looks
        self.slept: list[float] = []

    async def look(self) -> PassOutcome | None:
        self.left -= 1
        return None if self.left >= 0 else OUTCOME

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


async def test_a_repository_is_waited_for_while_a_push_to_it_is_looked_at() -> None:
    hands = Hands(looks=2)

    assert await when_free(hands.look, hands.sleep) is OUTCOME
    assert hands.slept == list(WAITS_S[:2])


async def test_a_repository_that_stays_in_other_hands_is_busy() -> None:
    hands = Hands(looks=99)

    with pytest.raises(StaleFence) as refused:
        await when_free(hands.look, hands.sleep)

    assert refused.value.code == "busy"
    assert hands.slept == list(WAITS_S)


async def test_a_free_repository_is_looked_at_once() -> None:
    hands = Hands(looks=0)

    await when_free(hands.look, hands.sleep)

    assert (hands.left, hands.slept) == (-1, [])
