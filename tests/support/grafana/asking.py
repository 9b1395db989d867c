"""Asks a Prometheus what a dashboard asks it."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from support.grafana.dashboard import Dashboard
from support.grafana.parts import Target
from support.prometheus import Prometheus, Sample
from support.wait import wait_in_thread

OVERVIEW: Final = "weighbridge-overview"
REPOSITORY: Final = "weighbridge-repository"
ONLY_WITH_WORKERS: Final = frozenset(
    {
        "Workers",
        "Messages that wait",
        "Waits longest",
        "Messages that wait, by queue",
        "Tasks",
    }
)
"""Panels of the overview that say of one process alone that it has no workers."""
ONLY_WITH_A_LIMIT: Final = frozenset({"Request allowance left"})
"""Panels of the overview about what the demo's registry does not have: a limit."""
ONLY_WITH_PUSHES: Final = frozenset(
    {
        "Push that waits longest",
        "Messages given up",
        "Webhooks",
        "From a push to its verdict",
        "Messages",
    }
)
"""Panels of the overview about webhooks and channels, which the demo has none of."""

_RANGE_S: Final = 10
"""More than the beat of the embedded scheduler: something is crawled within it."""
_OF_OVERVIEW: Final = {"$registry": ".+", "$repository": ".+"}
_OF_REPOSITORY: Final = {"$registry": "demo", "$repository": "shop/api"}


@dataclass(frozen=True, slots=True)
class Asking:
    """A Prometheus with some seconds of samples."""

    server: Prometheus

    def wait_for(self, expression: str, logs: Callable[[], str]) -> None:
        """Until it gives something. logs: what is shown if it never does"""
        wait_in_thread(
            lambda: bool(self.server.now(expression)),
            expression,
            seen=logs,
        )

    def samples(self, target: Target, uid: str) -> list[Sample]:
        """What a panel would show."""
        expression = filled(target.expr, uid)
        if target.instant:
            return self.server.now(expression)
        end = time.time()
        return self.server.over_time(expression, end - _RANGE_S, end)

    def empty_panels(self, dashboard: Dashboard) -> set[str]:
        """Those with a query that gives nothing."""
        return set(self._empty_panels(dashboard))

    def _empty_panels(self, dashboard: Dashboard) -> Iterator[str]:
        for panel in dashboard.shown:
            for target in panel.targets:
                if not has_data(self.samples(target, dashboard.uid)):
                    yield panel.title


def filled(text: str, uid: str) -> str:
    """As Grafana fills in what was chosen, with everything on the overview."""
    chosen = _OF_OVERVIEW if uid == OVERVIEW else _OF_REPOSITORY
    given = {"$__rate_interval": f"{_RANGE_S}s", "$__range": "1m", "$job": ".+"}
    for name, value in (chosen | given).items():
        text = text.replace(name, value)
    assert "$" not in text
    return text


def has_data(samples: Sequence[Sample]) -> bool:
    return any(not math.isnan(value) for _, values in samples for value in values)
