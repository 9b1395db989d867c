"""What one of several processes may ask while they know nothing of each other."""

from typing import Final, Protocol

from msgspec import Struct

from weighbridge.domain.registry.request_rate import RequestRate
from weighbridge.domain.registry.slots import open_to_all


class PaceOfAll(Protocol):
    """How fast a registry may be asked by all processes together."""

    @property
    def requests_per_second(self) -> float | None: ...

    @property
    def concurrency(self) -> int: ...


class PaceSharers(Struct, frozen=True):
    """The processes that asked a registry last.

    rank:    which of them we are; None: not told
    told_at: when Redis said so
    """

    count: int
    rank: int | None
    told_at: float

    def slots(self, concurrency: int) -> tuple[int, int]:
        """Our part of all slots, and of those that are open to all. The parts of
        all make the whole; where there are more processes than slots, the last have
        none."""
        if self.rank is None:
            most = max(1, concurrency // self.count)
            return most, most
        most = self._part(concurrency, self.rank)
        if concurrency <= self.count:
            return most, most
        return most, self._part(open_to_all(concurrency), self.rank)

    def rate(self, pace: PaceOfAll, now: float) -> RequestRate | None:
        """Our part of the rate; None for no limit."""
        if pace.requests_per_second is None:
            return None
        # Who has no slot makes no requests.
        asking = self.count if self.rank is None else min(self.count, pace.concurrency)
        rate = RequestRate(pace.requests_per_second / asking)
        rate.spend(now)
        return rate

    def _part(self, whole: int, rank: int) -> int:
        return whole // self.count + (rank < whole % self.count)


NOT_TOLD: Final = PaceSharers(8, None, float("-inf"))
"""What is assumed where Redis has not told how many processes ask."""
