"""What a query names: metrics with their matchers, labels, windows.

Enough of PromQL to compare a query with the catalogue; whether it can be evaluated at
all, a real Prometheus is asked.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from support.metric_catalogue import Metric

_METRIC: Final = re.compile(
    r"\b(weighbridge_\w+|ALERTS(?:_FOR_STATE)?)\b(?:\{([^}]*)\})?(\[[^\]]*\])?"
)
_MATCHER: Final = re.compile(r'(\w+)(?:=~|=|!=|!~)"[^"]*"')
_GROUPING: Final = re.compile(r"\b(?:by|on|ignoring|without)\s*\(([^)]*)\)")
_RATE: Final = re.compile(r"\b(?:rate|increase)\s*\($")
_FAMILY: Final = re.compile(
    r"\b(?:max|min)(?: by \([^)]*\))? \($|\btopk without \([^)]*\) \(1, $"
)
_WINDOWS: Final = frozenset({"[$__rate_interval]", "[$__range]"})


@dataclass(frozen=True, slots=True)
class Used:
    """One metric in a query. before: the text that leads to it"""

    name: str
    matchers: str
    window: str
    before: str

    @property
    def matched(self) -> set[str]:
        return set(_MATCHER.findall(self.matchers))


def metrics_in(expression: str) -> Iterator[Used]:
    for found in _METRIC.finditer(expression):
        before = expression[: found.start()]
        yield Used(found[1], found[2] or "", found[3] or "", before)


def complaints_about(expression: str, catalogue: Mapping[str, Metric]) -> Iterator[str]:
    """What is wrong with a query beside its grammar."""
    used = list(metrics_in(expression))
    if not used:
        yield "asks for no metric of ours"
    known: set[str] = set()
    for use in used:
        metric = catalogue.get(use.name)
        if metric is None:
            yield f"{use.name} is not in the catalogue"
            continue
        # Prometheus gives every series the job that it was scraped by.
        labels = metric.labels | {"job"}
        known |= labels
        yield from _complaints_about_use(use, metric, labels)
    grouped = set(re.findall(r"\w+", " ".join(_GROUPING.findall(expression))))
    if unknown := grouped - known:
        yield f"groups by {', '.join(sorted(unknown))}, which no metric of it has"


def _complaints_about_use(
    use: Used, metric: Metric, labels: frozenset[str]
) -> Iterator[str]:
    if metric.is_scraped and 'job=~"$job"' not in use.matchers:
        yield f"{use.name} is asked without the job"
    if unknown := use.matched - labels:
        yield f"{use.name} has no label {', '.join(sorted(unknown))}"
    is_rate = bool(_RATE.search(use.before))
    if is_rate != metric.is_counter:
        kind = "a counter" if metric.is_counter else "a gauge"
        yield f"{use.name} is {kind}, {'with' if is_rate else 'without'} a rate"
    if is_rate and use.window not in _WINDOWS:
        yield f"{use.name} has the window {use.window or 'of none'}"
    if metric.is_scraped and not is_rate and not _FAMILY.search(use.before):
        yield f"{use.name} is twice there where two processes serve one database"
