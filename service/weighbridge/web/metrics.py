"""`/metrics`, this process's health, and `/metrics/repositories`, the inventory."""

from collections.abc import Iterable
from typing import Final

from fastapi import Request
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.responses import Response

from weighbridge.errors import StoreError
from weighbridge.telemetry import Telemetry
from weighbridge.web.errors import Refusal
from weighbridge.web.exposition import CONTENT_TYPE, printable_label
from weighbridge.web.snapshot import Rendered, SnapshotKeeper

_OPENMETRICS: Final = "application/openmetrics-text"


class Metrics:
    """Both endpoints for Prometheus."""

    def __init__(self, telemetry: Telemetry, keeper: SnapshotKeeper) -> None:
        self._joined = _Joined(telemetry.registry, keeper)
        self._keeper = keeper

    def process(self, request: Request) -> Response:
        """Counters of this process, its release, and how fresh each crawl is."""
        # The client's own negotiation parses the version that the scraper sends
        # and raises on one that is no number; these two forms suit every scraper.
        if _OPENMETRICS in request.headers.get("accept", ""):
            encode, content_type = choose_encoder(_OPENMETRICS)
        else:
            encode, content_type = choose_encoder("")
        headers = {"content-type": content_type, "vary": "accept"}
        return Response(encode(self._joined), headers=headers)

    def repositories(self, request: Request, registry: str | None = None) -> Response:
        """The inventory, or one registry's part of it, as it was last rendered."""
        snapshot = self._keeper.current()
        rendered = (
            snapshot.rendered if registry is None else snapshot.of_registry(registry)
        )
        if rendered is None:
            raise Refusal(
                404, "no such registry is configured", code="registry_not_found"
            )
        return _scrape(request, rendered)


def _scrape(request: Request, rendered: Rendered) -> Response:
    headers = {"content-type": CONTENT_TYPE, "vary": "accept-encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(rendered.zipped, headers=headers | {"content-encoding": "gzip"})
    return Response(rendered.plain, headers=headers)


class _Joined(CollectorRegistry):
    """The process's registry with facts that are not kept in its objects."""

    def __init__(self, process: Collector, keeper: SnapshotKeeper) -> None:
        super().__init__(auto_describe=False)
        self._process = process
        self._keeper = keeper

    def collect(self) -> Iterable[Metric]:
        yield from self._process.collect()
        yield from self._crawl_gauges()
        yield GaugeMetricFamily(
            "weighbridge_exporter_collect_errors",
            "Whether the last look at the inventory failed.",
            value=int(self._keeper.failed),
        )

    def _crawl_gauges(self) -> Iterable[Metric]:
        """Left out while the database does not answer: health stays readable."""
        try:
            registries = self._keeper.current().inventory.registries
        except StoreError:
            return
        success = GaugeMetricFamily(
            "weighbridge_crawl_last_success_timestamp_seconds",
            "When a pass over one of its repositories was last complete.",
            labels=["registry"],
        )
        interval = GaugeMetricFamily(
            "weighbridge_crawl_interval_seconds",
            "How often the registry is to be looked at.",
            labels=["registry"],
        )
        for report in registries:
            label = [printable_label(report.name)]
            if report.last_success_at is not None:
                success.add_metric(label, round(report.last_success_at.timestamp()))
            interval.add_metric(label, report.interval_s)
        yield from (success, interval)
