"""`/probe?target=NAME`: whether a configured registry answers, for Prometheus."""

from collections.abc import Iterable
from typing import Annotated, TypeAlias

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from weighbridge.domain.registry.rate_limit import Probe
from weighbridge.web.metrics.scrape import encoded
from weighbridge.web.options import Prober

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
