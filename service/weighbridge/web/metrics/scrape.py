"""`/metrics`, this process's health, `/metrics/repositories`, the inventory, and
`/probe?target=NAME`, whether a configured registry answers.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Final, TypeAlias

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from weighbridge.domain.registry.rate_limit import Probe
from weighbridge.domain.report.inventory import RegistryReport
from weighbridge.errors import StoreError
from weighbridge.telemetry import Telemetry
from weighbridge.web.metrics.rendering import CONTENT_TYPE, Rendered, printable_label
from weighbridge.web.metrics.snapshot import Snapshot, SnapshotKeeper
from weighbridge.web.options import Prober
from weighbridge.web.request.answers import Refusal, prefers
from weighbridge.web.request.parameters import RegistryName
from weighbridge.web.request.threads import ANSWER_S, Threads, no_answer

FIRST_S: Final = 0.5
"""So long a scrape of `/metrics` waits for the first snapshot; what it would have told
is then left out."""
_POLL_S: Final = 0.02
_OPENMETRICS: Final = "application/openmetrics-text"


class Metrics:
    """Both endpoints for Prometheus.

    On the event loop, since they only copy: no thread has to be waited for while
    another one renders, or while all of them wait for the database.
    """

    def __init__(
        self, telemetry: Telemetry, keeper: SnapshotKeeper, threads: Threads
    ) -> None:
        self._process = telemetry.registry
        self._keeper = keeper
        self._threads = threads

    async def process(self, request: Request) -> Response:
        """Counters of this process, its release, and how fresh each crawl is. That is
        left out while the database has not answered yet: health stays readable."""
        registries: Sequence[RegistryReport] | None = None
        with suppress(StoreError):
            registries = (await self._snapshot(FIRST_S)).registries
        is_failed = self._keeper.failed
        return encoded(request, _Joined(self._process, registries, is_failed))

    async def repositories(
        self, request: Request, registry: RegistryName = None
    ) -> Response:
        """The inventory, or one registry's part of it, as it was last rendered."""
        snapshot = await self._snapshot()
        rendered = (
            snapshot.rendered if registry is None else snapshot.of_registry(registry)
        )
        if rendered is None:
            raise Refusal(
                404, "no such registry is configured", code="registry_not_found"
            )
        return _scrape(request, rendered)

    async def _snapshot(self, answer_s: float = ANSWER_S) -> Snapshot:
        """Raises StoreError where there is none yet."""
        keeper = self._keeper
        if not keeper.is_watched:
            return await self._threads.run(keeper.current, answer_s)
        ends_at = time.monotonic() + answer_s
        keeper.ask()
        while (ready := keeper.ready) is None:
            if (why := keeper.why_none) is not None:
                raise why
            if time.monotonic() > ends_at:
                raise no_answer()
            await asyncio.sleep(_POLL_S)
        return ready


def encoded(request: Request, metrics: CollectorRegistry) -> Response:
    """Metrics in the format that the scraper wants."""
    # The client's own negotiation parses the version that the scraper sends
    # and raises on one that is no number; these two forms suit every scraper.
    if prefers(request.headers.getlist("accept"), _OPENMETRICS, "text/plain"):
        encode, content_type = choose_encoder(_OPENMETRICS)
    else:
        encode, content_type = choose_encoder("")
    headers = {"content-type": content_type, "vary": "accept"}
    return Response(encode(metrics), headers=headers)


def _scrape(request: Request, rendered: Rendered) -> Response:
    headers = {"content-type": CONTENT_TYPE, "vary": "accept-encoding"}
    if prefers(request.headers.getlist("accept-encoding"), "gzip", "identity"):
        return Response(rendered.zipped, headers=headers | {"content-encoding": "gzip"})
    return Response(rendered.plain, headers=headers)


class _Joined(CollectorRegistry):
    """The process's registry with facts that are not kept in its objects."""

    def __init__(
        self,
        process: Collector,
        registries: Sequence[RegistryReport] | None,
        is_failed: bool,
    ) -> None:
        super().__init__(auto_describe=False)
        self._process = process
        self._registries = registries
        self._is_failed = is_failed

    def collect(self) -> Iterable[Metric]:
        yield from self._process.collect()
        if self._registries is not None:
            yield from _crawl_gauges(self._registries)
        yield GaugeMetricFamily(
            "weighbridge_exporter_collect_errors",
            "Whether the last attempt to read the inventory failed.",
            value=int(self._is_failed),
        )


def _crawl_gauges(registries: Sequence[RegistryReport]) -> Iterable[Metric]:
    gauges = [
        (GaugeMetricFamily(name, text, labels=["registry"]), value_of)
        for name, text, value_of in _CRAWLS
    ]
    for report in registries:
        label = [printable_label(report.name)]
        for family, value_of in gauges:
            if (value := value_of(report)) is not None:
                family.add_metric(label, value)
    yield from (family for family, _ in gauges)


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else round(moment.timestamp())


_CRAWLS: Final[tuple[tuple[str, str, Callable[[RegistryReport], int | None]], ...]] = (
    (
        "weighbridge_crawl_last_success_timestamp_seconds",
        "When a crawl of one of its repositories was last complete.",
        lambda report: _seconds(report.last_success_at),
    ),
    (
        "weighbridge_crawl_oldest_audit_timestamp_seconds",
        "When the last complete crawl of the longest waiting repository ended.",
        lambda report: _seconds(report.oldest_crawl_at),
    ),
    (
        "weighbridge_crawl_interval_seconds",
        "How often the registry is to be crawled.",
        lambda report: report.interval_s,
    ),
    (
        "weighbridge_crawl_repositories_pending",
        "Repositories that are not crawled yet.",
        lambda report: report.repositories_pending,
    ),
)


Target: TypeAlias = Annotated[
    str,
    Field(min_length=1, description="The name of a configured registry"),
]


class Probing:
    """The route. A registry that does not answer is an answer too: 200."""

    def __init__(self, prober: Prober) -> None:
        self._prober = prober

    async def probe(self, request: Request, target: Target) -> Response:
        """What one small question to a registry has shown, at most a minute ago."""
        return encoded(request, _Probed(await self._prober(target)))


class _Probed(CollectorRegistry):
    """One probe as metrics. No label: `target` is one of the scrape job."""

    def __init__(self, probe: Probe) -> None:
        super().__init__(auto_describe=False)
        self._probe = probe

    def collect(self) -> Iterable[Metric]:
        probe = self._probe
        yield _gauge("success", "Whether it answered as it should.", not probe.failure)
        yield _gauge("duration_seconds", "How long that took.", probe.seconds)
        yield _gauge(
            "timestamp_seconds",
            "When it was asked; for a minute the same answer is given again.",
            probe.probed_at.timestamp(),
        )
        yield _gauge("tls", "Whether it is spoken to over TLS.", probe.is_encrypted)
        yield _gauge("signs_in", "Whether credentials are configured.", probe.signs_in)
        yield _gauge("response_bytes", "Bytes of bodies that came.", probe.bytes_read)
        if probe.certified_until is not None:
            text = "When the first of the certificates ends that were met."
            ends_at = probe.certified_until.timestamp()
            yield _gauge("certificate_expiry_timestamp_seconds", text, ends_at)
        yield from _labelled(probe)


def _labelled(probe: Probe) -> Iterable[Metric]:
    requests = GaugeMetricFamily(
        "weighbridge_probe_requests",
        "Requests that it took, repeats included.",
        labels=["operation"],
    )
    for operation, number in sorted(probe.requests.items()):
        requests.add_metric([operation], number)
    yield requests
    if probe.failure:
        failure = GaugeMetricFamily(
            "weighbridge_probe_failure_info",
            "Always 1; the label says what was wrong.",
            labels=["code"],
        )
        failure.add_metric([probe.failure], 1)
        yield failure
    if (told := probe.rate_limit) is not None:
        yield _gauge("ratelimit_limit", "Requests that it allows us.", told.limit)
        if told.remaining is not None:
            text = "Requests that are left of them."
            yield _gauge("ratelimit_remaining", text, told.remaining)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"weighbridge_probe_{name}", text, value=value)
