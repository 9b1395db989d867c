"""Every metric with its type and labels, as docs/metrics.md lists them.

`tests/unit/test_docs.py` holds that page to what the endpoints really export.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PAGE: Final = Path(__file__).parents[2] / "docs" / "metrics.md"
_ROW: Final = re.compile(
    r"^\| `(weighbridge_\w+)` \| (counter|gauge|histogram) \| ([\w, ]+) \|",
    re.MULTILINE,
)
_PARTS: Final = ("bucket", "count", "sum")


@dataclass(frozen=True, slots=True)
class Metric:
    """
    is_counter: it only grows, and is read by its rate
    is_scraped: it comes from a process of ours, and has its job; else Prometheus
                makes it, once for all processes
    """

    name: str
    labels: frozenset[str]
    is_counter: bool
    is_scraped: bool = True


_ALERT: Final = frozenset({"alertname", "severity", "registry", "repository", "team"})
_MADE: Final = (
    Metric("ALERTS", _ALERT | {"alertstate"}, is_counter=False, is_scraped=False),
    Metric("ALERTS_FOR_STATE", _ALERT, is_counter=False, is_scraped=False),
)


def metric_catalogue() -> dict[str, Metric]:
    """By the names of series: a histogram has three. Those that Prometheus makes of
    our alerts are there too."""
    metrics = {metric.name: metric for metric in _MADE}
    for name, kind, listed in _ROW.findall(_PAGE.read_text(encoding="utf-8")):
        labels = frozenset(listed.split(", ")) - {"none"}
        if kind != "histogram":
            metrics[name] = Metric(name, labels, kind == "counter")
            continue
        for part in _PARTS:
            more = {"le"} if part == "bucket" else set()
            metrics[f"{name}_{part}"] = Metric(
                f"{name}_{part}", labels | more, is_counter=True
            )
    return metrics
