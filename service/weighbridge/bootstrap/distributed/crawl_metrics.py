"""What workers count of their crawls, as a service shows it that crawls nothing.

Whoever can write to Redis could write anything there: shown is what has the name and
the labels of a metric of ours, and a registry or channel that is configured here.
"""

from collections.abc import Collection, Iterator, Mapping
from math import inf
from typing import Final, get_args

from prometheus_client import Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from weighbridge.domain.report.inventory import SOURCES, RegistryState
from weighbridge.jobs.redis.worker_register import Numbers, Series
from weighbridge.ports.job_names import QUEUE_OF
from weighbridge.registry.exchange.registry_request import Operation
from weighbridge.telemetry import (
    IMAGE_BUCKETS,
    PUSH_BUCKETS,
    REQUEST_BUCKETS,
    TASK_BUCKETS,
    VERDICTS,
    Telemetry,
)

_BUCKETS: Final = tuple(
    floatToGoString(bucket)  # type: ignore[no-untyped-call]  # has no types
    for bucket in sorted(
        {*REQUEST_BUCKETS, *PUSH_BUCKETS, *IMAGE_BUCKETS, *TASK_BUCKETS, inf}
    )
)
"""In the order in which they have to be told."""
_VALUES: Final[Mapping[str, Collection[str]]] = {
    "operation": get_args(Operation),
    "code": ("1xx", "2xx", "3xx", "4xx", "5xx", "401", "403", "404", "429"),
    "reason": (
        *("timeout", "connect", "tls", "http", "auth", "parse"),
        *get_args(RegistryState),
    ),
    "task": QUEUE_OF,
    "verdict": VERDICTS,
    "source": SOURCES,
    "le": _BUCKETS,
}
_PARTS: Final = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}


class CrawlMetrics(Collector):
    """Stands in for this process's own metrics of crawls, which would stay at 0."""

    def __init__(
        self,
        telemetry: Telemetry,
        registries: Collection[str],
        channels: Collection[str] = (),
    ) -> None:
        self.numbers = Numbers()
        self._values = {
            **_VALUES,
            "registry": frozenset(registries),
            "channel": frozenset(channels),
        }
        self._families = [
            (family, frozenset(labels))
            for metric, labels in telemetry.of_crawls.items()
            for family in metric.describe()
        ]
        for metric in telemetry.of_crawls:
            telemetry.registry.unregister(metric)
        telemetry.registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """See `prometheus_client`."""
        numbers = self.numbers
        told: dict[str, list[Series]] = {}
        for series in sorted((*numbers.counted, *numbers.seen), key=_order):
            told.setdefault(series.name, []).append(series)
        for family, labels in self._families:
            shown = Metric(family.name, family.documentation, family.type)
            found = numbers.seen if family.type == "gauge" else numbers.counted
            for part in _PARTS.get(family.type, ("",)):
                name = f"{family.name}{part}"
                wanted = labels | {"le"} if part == "_bucket" else labels
                for series in told.get(name, ()):
                    if series in found and self._is_ours(series, wanted):
                        shown.add_sample(name, dict(series.labels), found[series])
            yield shown

    def _is_ours(self, series: Series, wanted: frozenset[str]) -> bool:
        """Prometheus refuses a scrape that has the same labels twice, so that their
        order counts too."""
        values = dict(series.labels)
        if values.keys() != wanted or series.labels != tuple(sorted(values.items())):
            return False
        return all(value in self._values[label] for label, value in values.items())


def _order(series: Series) -> tuple[object, ...]:
    values = dict(series.labels)
    bucket = values.pop("le", "")
    place = _BUCKETS.index(bucket) if bucket in _BUCKETS else 0
    return (series.name, sorted(values.items()), place)
