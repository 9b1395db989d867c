"""What a month costs, kept for a minute: it is summed up from every repository."""

import threading
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from msgspec import Struct

from weighbridge.domain.policy.policy import PolicySet
from weighbridge.domain.traffic.costs import (
    MonthCosts,
    Per,
    Prices,
    month_costs,
    owner_of,
)
from weighbridge.store.reports.traffic import month_uses
from weighbridge.store.session import Database
from weighbridge.web.request.threads import no_answer
from weighbridge.web.request.unknown_names import check_names

KEPT_S: Final = 60
"""Storage is noted once a day, pulls once a crawl."""
MOST_ROWS: Final = 100_000
"""So many rows of all answers together are kept; about 600 bytes each."""

WAIT_S: Final = 3.0
"""Whoever waits longer for another's sum is told that there is no answer."""

_Question: TypeAlias = tuple[int, str | None, Per]


class _KeptSum(Struct, frozen=True):
    costs: MonthCosts
    policies: PolicySet
    at: datetime


class KeptCosts:
    """Safe to use from several threads: one sums up, the others wait for what it finds.
    So the pages of one answer are of one state, too."""

    def __init__(
        self,
        database: Database,
        prices: Prices | None,
        *,
        most_rows: int = MOST_ROWS,
        wait_s: float = WAIT_S,
    ) -> None:
        self._database = database
        self._prices = prices
        self._most_rows = most_rows
        self._wait_s = wait_s
        self._lock = threading.Lock()
        self._kept: dict[_Question, _KeptSum] = {}

    def find(
        self,
        month: int,
        registry: str | None,
        per: Per,
        policies: PolicySet,
        now: datetime,
    ) -> MonthCosts:
        """What everything, or one registry, stored and pulled in a month.

        Raises Refusal(404) for a registry that is not known, StoreError(
        database_unavailable) where another's sum is waited for too long.
        """
        question = (month, registry, per)
        if not self._lock.acquire(timeout=self._wait_s):
            raise no_answer()
        try:
            for name in [n for n, kept in self._kept.items() if _is_old(kept, now)]:
                del self._kept[name]
            kept = self._kept.get(question)
            if kept is not None and kept.policies is policies:
                return kept.costs
            with self._database.read() as connection:
                uses = month_uses(connection, month, now, registry)
                owner = owner_of(per, policies)
                found = month_costs(uses, month, self._prices, owner)
                if not found.rows:
                    check_names(connection, registry)
            self._keep(question, _KeptSum(found, policies, now))
        finally:
            self._lock.release()
        return found

    def _keep(self, question: _Question, new: _KeptSum) -> None:
        self._kept.pop(question, None)
        room = self._most_rows - _room(new)
        if room < 0:
            return
        while sum(map(_room, self._kept.values())) > room:
            del self._kept[next(iter(self._kept))]  # The oldest.
        self._kept[question] = new


def _is_old(kept: _KeptSum, now: datetime) -> bool:
    return not timedelta() <= now - kept.at < timedelta(seconds=KEPT_S)


def _room(kept: _KeptSum) -> int:
    # An answer without a row needs some room as well.
    return len(kept.costs.rows) + 100
