"""What one registry was asked: as a cost, and as metrics."""

import re
from datetime import datetime
from functools import cached_property
from typing import Final

from prometheus_client import Counter, Histogram

from weighbridge.domain.registry.rate_limit import RateLimit, parse_rate_limit
from weighbridge.errors import (
    AuthError,
    DocumentError,
    TransportError,
    WeighbridgeError,
)
from weighbridge.ports.protocols import CRAWL_COST, JOB_COST, RequestCost
from weighbridge.registry.exchange.endpoint import Endpoint
from weighbridge.registry.exchange.registry_request import Operation, RegistryAnswer
from weighbridge.telemetry import Telemetry

_TOLD_APART: Final = frozenset((401, 403, 404, 429))
_REASONS: Final = {
    "deadline": "timeout",
    "dns_error": "connect",
    "connect_error": "connect",
    "connection_reset": "connect",
    "address_refused": "connect",
    "tls_error": "tls",
    "unauthorized": "auth",
    "not_a_registry": "parse",
}
_RESET: Final = re.compile(r"([0-9]{1,12})(?:\s*[;,].{0,100})?", re.ASCII)
_FIRST_UNIX_TIME: Final = 1_000_000_000


class RequestCounts:
    """The client says what happened; here is where that is counted.

    cost:       since the client was made; the shares of a crawl and of a job go to
                `CRAWL_COST` and `JOB_COST` too
    rate_limit: as it was told last
    """

    def __init__(self, telemetry: Telemetry, endpoint: Endpoint) -> None:
        self.cost = RequestCost()
        self.rate_limit: RateLimit | None = None
        self._telemetry = telemetry
        self._name = endpoint.name
        self._by_answer: dict[tuple[Operation, int], Counter] = {}
        telemetry.begin_registry(endpoint.name)
        telemetry.registry_insecure.labels(endpoint.name).set(endpoint.is_insecure)

    def note_wait(self, seconds: float) -> None:
        self._throttled_seconds.inc(seconds)

    def note_duration(self, seconds: float) -> None:
        self._durations.observe(seconds)

    def note_request(self, operation: Operation) -> None:
        for cost in self._costs():
            cost.requests += 1
            cost.by_operation[operation] = cost.by_operation.get(operation, 0) + 1

    def note_throttled(self) -> None:
        """The registry said that it was asked too much."""
        for cost in self._costs():
            cost.throttled += 1

    def note_bytes(self, body_bytes: int) -> None:
        for cost in self._costs():
            cost.bytes_read += body_bytes
        self._response_bytes.inc(body_bytes)

    def note_answer(
        self, operation: Operation, answer: RegistryAnswer, now: datetime
    ) -> None:
        counter = self._by_answer.get((operation, answer.status))
        if counter is None:
            counter = self._telemetry.registry_requests.labels(
                self._name, operation, _status_class(answer.status)
            )
            self._by_answer[operation, answer.status] = counter
        counter.inc()
        if "ratelimit-limit" in answer.headers:
            self._note_quota(answer, now)

    def note_failure(self, operation: Operation, error: WeighbridgeError) -> None:
        """Count what brought no usable answer. A status alone, such as 404, is none:
        the answers are counted by it."""
        if reason := _reason(error):
            failures = self._telemetry.registry_request_failures
            failures.labels(self._name, operation, reason).inc()

    def note_mismatch(self) -> None:
        """Content did not hash to the digest that it was asked by."""
        self._telemetry.integrity_errors.labels(self._name).inc()

    # Finding a metric by its labels takes longer than counting, and happens with every
    # request.

    @cached_property
    def _throttled_seconds(self) -> Counter:
        return self._telemetry.registry_throttled_seconds.labels(self._name)

    @cached_property
    def _durations(self) -> Histogram:
        return self._telemetry.registry_request_duration.labels(self._name)

    @cached_property
    def _response_bytes(self) -> Counter:
        return self._telemetry.registry_response_bytes.labels(self._name)

    def _costs(self) -> list[RequestCost]:
        costs = [self.cost]
        if (of_crawl := CRAWL_COST.get()) is not None:
            costs.append(of_crawl)
        if (of_job := JOB_COST.get()) is not None:
            costs.append(of_job)
        return costs

    def _note_quota(self, answer: RegistryAnswer, now: datetime) -> None:
        headers = answer.headers
        told = parse_rate_limit(
            headers.get("ratelimit-limit"), headers.get("ratelimit-remaining"), now
        )
        if told is None:
            return
        self.rate_limit = told
        limit = self._telemetry.registry_ratelimit_limit
        limit.labels(self._name).set(told.limit)
        if told.remaining is not None:
            remaining = self._telemetry.registry_ratelimit_remaining
            remaining.labels(self._name).set(told.remaining)
        if reset := _RESET.fullmatch(headers.get("ratelimit-reset")):
            # Seconds from now in the IETF's draft, Unix time at GitLab.
            at = int(reset[1])
            is_time = at >= _FIRST_UNIX_TIME
            gauge = self._telemetry.registry_ratelimit_reset_timestamp
            gauge.labels(self._name).set(at if is_time else now.timestamp() + at)


def _status_class(status: int) -> str:
    return str(status) if status in _TOLD_APART else f"{status // 100}xx"


def _reason(error: WeighbridgeError) -> str:
    if isinstance(error, AuthError):
        return "auth"
    if isinstance(error, DocumentError):
        return "parse"
    return _REASONS.get(error.code, "http" if isinstance(error, TransportError) else "")
