"""The metric objects of one process: made once, passed in, never global."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)

from weighbridge.domain.report.inventory import SOURCES

PUSH_BUCKETS: Final = (0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
IMAGE_BUCKETS: Final = tuple(10e6 * 2**power for power in range(11))
"""Of images: 10 MB to 10.24 GB."""
VERDICTS: Final = ("pass", "warn", "fail", "error")
OF_CHANNEL: Final = ("channel",)
OF_LISTENER: Final = ("listener",)
OF_VERDICT: Final = ("registry", "verdict")
_OF_PROJECT: Final = ("registry", "project")

_OF_WEBHOOK: Final = ("source",)
_OF_REJECTION: Final = ("source", "reason")
_REJECTIONS: Final = (
    "bad_signature",
    "unreadable",
    "malformed",
    "not_a_push",
    "unknown_registry",
    "ignored",
    "duplicate",
    "overload",
    "unavailable",
)
"""Why what a webhook brought is not kept."""

REQUEST_BUCKETS: Final = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

TASK_BUCKETS: Final = (0.01, 0.05, 0.25, 1.0, 2.5, 5.0, 10.0, 60.0, 300.0)

_OF_TASK: Final = ("task",)
_OF_REGISTRY: Final = ("registry",)
_OF_REQUEST: Final = ("registry", "operation", "code")
_OF_FAILED_REQUEST: Final = ("registry", "operation", "reason")
_OF_FAILED_CRAWL: Final = ("registry", "reason")
_OF_CONFLICT: Final = ("registry", "source")
_FAILED_CRAWLS: Final = ("unauthorized", "unreachable", "error")
"""The states that a crawl which did not end well leaves a registry in."""

# A `_created` series beside each counter would double the number of series.
_without_created: Callable[[], None] = disable_created_metrics


class Telemetry:
    """Counters and gauges for what happens in this process.

    What the database knows is not here: the web face renders it from a snapshot.
    Each test makes its own; `registry` is what a scrape reads.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        _without_created()
        self.registry = CollectorRegistry() if registry is None else registry
        self._add_webhooks()
        self._add_pushes()
        self._add_channels()
        self._add_requests()
        self._add_pacing()
        self._add_trust()
        self._add_crawl()
        self._add_tasks()
        self._add_service()

    def begin_registry(self, name: str) -> None:
        """Show the counters of a registry as 0 before anything was asked.

        Without that, `rate()` does not see the first increase.
        """
        for counter in (
            self.registry_response_bytes,
            self.registry_throttled_seconds,
            self.registry_desync,
            self.integrity_errors,
            self.crawl_runs,
            self.crawl_manifests,
            self.crawl_manifests_unchanged,
        ):
            counter.labels(name)
        for source in SOURCES:
            self.size_conflicts.labels(name, source)
        for verdict in VERDICTS:
            self.push_audits.labels(name, verdict)
        self.push_audit_duration.labels(name)
        for reason in _FAILED_CRAWLS:
            self.crawl_failures.labels(name, reason)

    def begin_webhook(self, source: str) -> None:
        """Show the counters of a webhook as 0 before anything came."""
        self.webhook_events.labels(source)
        for reason in _REJECTIONS:
            self.webhook_rejections.labels(source, reason)

    def begin_channel(self, name: str) -> None:
        """The same for the counters of a channel."""
        for counter in self.of_channels:
            counter.labels(name)

    @property
    def of_crawls(self) -> Mapping[Counter | Gauge | Histogram, tuple[str, ...]]:
        """What crawling counts, with its labels: a process that does nothing else is
        not scraped, and hands this over to one that is."""
        of_registry = (
            self.registry_request_duration,
            self.registry_response_bytes,
            self.registry_throttled_seconds,
            self.registry_ratelimit_limit,
            self.registry_ratelimit_remaining,
            self.registry_ratelimit_reset_timestamp,
            self.integrity_errors,
            self.registry_insecure,
            self.registry_desync,
            self.crawl_runs,
            self.crawl_manifests,
            self.crawl_manifests_unchanged,
            self.push_audit_duration,
            self.push_image_compressed_bytes,
        )
        return {
            self.registry_requests: _OF_REQUEST,
            self.registry_request_failures: _OF_FAILED_REQUEST,
            self.crawl_failures: _OF_FAILED_CRAWL,
            self.size_conflicts: _OF_CONFLICT,
            self.project_quota_used: _OF_PROJECT,
            self.project_quota_limit: _OF_PROJECT,
            self.push_audits: OF_VERDICT,
            self.db_write_errors: (),
            self.task_duration: _OF_TASK,
            **dict.fromkeys(self.of_channels, OF_CHANNEL),
            **dict.fromkeys(of_registry, _OF_REGISTRY),
        }

    def _add_requests(self) -> None:
        self.registry_requests = self._counter(
            "weighbridge_registry_requests_total",
            "Answers of a registry or its token server, by status class.",
            _OF_REQUEST,
        )
        self.registry_request_failures = self._counter(
            "weighbridge_registry_request_failures_total",
            "Requests that brought no usable answer.",
            _OF_FAILED_REQUEST,
        )
        self.registry_request_duration = self._histogram(
            "weighbridge_registry_request_duration_seconds",
            "From sending a request to the end of its answer, waits left out.",
            buckets=REQUEST_BUCKETS,
        )
        self.registry_response_bytes = self._counter(
            "weighbridge_registry_response_bytes_total",
            "Bytes of bodies that were really read.",
        )

    def _add_pacing(self) -> None:
        self.registry_throttled_seconds = self._counter(
            "weighbridge_registry_throttled_seconds_total",
            "Time that requests waited in our own limiter.",
        )
        self.registry_ratelimit_limit = self._gauge(
            "weighbridge_registry_ratelimit_limit",
            "Requests that the registry allows in its window, by its last answer.",
        )
        self.registry_ratelimit_remaining = self._gauge(
            "weighbridge_registry_ratelimit_remaining",
            "Requests left in the registry's window, by its last answer.",
        )
        self.registry_ratelimit_reset_timestamp = self._gauge(
            "weighbridge_registry_ratelimit_reset_timestamp_seconds",
            "When the registry's next window begins, by its last answer.",
        )

        self.project_quota_used = self._gauge(
            "weighbridge_registry_project_quota_used_bytes",
            "Bytes that a project stores by the registry's own count.",
            _OF_PROJECT,
        )
        self.project_quota_limit = self._gauge(
            "weighbridge_registry_project_quota_limit_bytes",
            "Bytes that a project may store, where the registry sets a limit.",
            _OF_PROJECT,
        )

    def _add_trust(self) -> None:
        self.size_conflicts = self._counter(
            "weighbridge_size_conflicts_total",
            "Claims about the size of a blob that the registry contradicts, each "
            "counted once when it is found. The source manifest: a manifest claims it; "
            "bulk: the size in a listing of the registry's own API.",
            _OF_CONFLICT,
        )
        self.integrity_errors = self._counter(
            "weighbridge_integrity_errors_total",
            "Contents that did not hash to the digest that they were asked by, and "
            "HEADs that named another digest than GET.",
        )
        self.registry_insecure = self._gauge(
            "weighbridge_registry_insecure",
            "1 where a registry beyond loopback is spoken to without TLS.",
        )
        self.registry_desync = self._counter(
            "weighbridge_registry_desync_total",
            "How often open connections were closed for unexpected bytes on one.",
        )

    def _add_crawl(self) -> None:
        self.crawl_runs = self._counter(
            "weighbridge_crawl_runs_total", "Crawls of a registry that were begun."
        )
        self.crawl_failures = self._counter(
            "weighbridge_crawl_failures_total",
            "Crawls that did not end with the registry's state ok.",
            _OF_FAILED_CRAWL,
        )
        self.crawl_manifests = self._counter(
            "weighbridge_crawl_manifests_total", "Tags whose manifest was asked for."
        )
        self.crawl_manifests_unchanged = self._counter(
            "weighbridge_crawl_manifests_unchanged_total",
            "Of those, the ones that were known already.",
        )

        self.crawl_repositories_waiting = self._gauge(
            "weighbridge_crawl_repositories_waiting",
            "Repositories that are crawled now or wait for it, by reason; each is "
            "counted up to 5000.",
            ("registry", "reason"),
        )
        self.base_repositories = self._gauge(
            "weighbridge_base_repositories",
            "Repositories that `bases` names, by how far they are read.",
            ("state",),
        )

    def _add_tasks(self) -> None:
        self.task_duration = self._histogram(
            "weighbridge_task_duration_seconds",
            "From the beginning to the end of a task's work, waits in queues left out.",
            _OF_TASK,
            buckets=TASK_BUCKETS,
        )
        self.tasks = self._counter(
            "weighbridge_tasks_total",
            "Tasks that were done, whatever their result.",
            _OF_TASK,
        )
        self.task_failures = self._counter(
            "weighbridge_task_failures_total",
            "Of these, the ones that ended with an error.",
            _OF_TASK,
        )

    def _add_service(self) -> None:
        self.http_requests = self._counter(
            "weighbridge_http_requests_total",
            "Requests that this service answered.",
            ("method", "route", "code"),
        )
        self.sign_ins_refused = self._counter(
            "weighbridge_sign_ins_refused_total",
            "Requests with a sign-in header that were refused.",
            ("reason",),
        )
        self.http_request_duration = self._histogram(
            "weighbridge_http_request_duration_seconds",
            "Time to answer a request.",
            ("route",),
        )
        self.build_info = self._gauge(
            "weighbridge_build_info",
            "Always 1; the labels are the running version.",
            ("version", "revision"),
        )
        self._add_configuration()
        self._add_tls()
        self.db_up = self._gauge(
            "weighbridge_db_up",
            "1 if the database commits writes, 0 if none was committed within 5 s.",
            (),
        )
        self.db_up.set(1)  # until whoever serves has found out
        self.scheduler_last_tick_timestamp = self._gauge(
            "weighbridge_scheduler_last_tick_timestamp_seconds",
            "When the scheduler last searched for due work.",
            (),
        )
        self.db_write_errors = self._counter(
            "weighbridge_db_write_errors_total",
            "Transactions of crawls that the database refused or lost.",
            (),
        )

    def _add_configuration(self) -> None:
        self.config_last_reload_successful = self._gauge(
            "weighbridge_config_last_reload_successful",
            "Whether the policies were loaded at the last attempt.",
            (),
        )
        # Where nothing is ever read again, the first reading was good: with a fault
        # in its configuration no process starts.
        self.config_last_reload_successful.set(1)
        self.config_last_reload_success_timestamp = self._gauge(
            "weighbridge_config_last_reload_success_timestamp_seconds",
            "When the policies in force were read.",
            (),
        )

    def _add_tls(self) -> None:
        self.tls_certificate_expiry_timestamp = self._gauge(
            "weighbridge_tls_certificate_expiry_timestamp_seconds",
            "When the certificate expires that a listener shows.",
            OF_LISTENER,
        )
        self.tls_certificate_start_timestamp = self._gauge(
            "weighbridge_tls_certificate_start_timestamp_seconds",
            "Since when that certificate is valid.",
            OF_LISTENER,
        )
        self.tls_reload_failures = self._counter(
            "weighbridge_tls_reload_failures_total",
            "Attempts to read a listener's certificate again that left the old one.",
            OF_LISTENER,
        )

    def _add_webhooks(self) -> None:
        self.webhook_events = self._counter(
            "weighbridge_webhook_events_total",
            "Webhooks with the right secret.",
            _OF_WEBHOOK,
        )
        self.webhook_rejections = self._counter(
            "weighbridge_webhook_rejections_total",
            "Webhooks, or events in one, of which nothing was stored.",
            _OF_REJECTION,
        )

    def _add_pushes(self) -> None:
        self.push_audit_duration = self._histogram(
            "weighbridge_push_audit_duration_seconds",
            "From the receipt of a push to its verdict, all waiting included.",
            buckets=PUSH_BUCKETS,
        )
        self.push_audits = self._counter(
            "weighbridge_push_audits_total",
            "Pushed tags that were crawled, by what policies say of them.",
            OF_VERDICT,
        )
        self.push_image_compressed_bytes = self._histogram(
            "weighbridge_push_image_compressed_bytes",
            "Bytes that a pull of each newly pushed image moves.",
            buckets=IMAGE_BUCKETS,
        )
        self.pushes_waiting = self._gauge(
            "weighbridge_pushes_waiting",
            "Push events that were received and are not handled yet.",
            (),
        )
        self.pushes_oldest_timestamp = self._gauge(
            "weighbridge_pushes_oldest_timestamp_seconds",
            "When the push was received that waits longest; 0 where none waits.",
            (),
        )

    def _add_channels(self) -> None:
        self.notifications = self._counter(
            "weighbridge_notifications_total",
            "Attempts to send a message to a channel.",
            OF_CHANNEL,
        )
        self.notification_failures = self._counter(
            "weighbridge_notification_failures_total",
            "Of those, the ones that failed.",
            OF_CHANNEL,
        )
        self.notifications_given_up = self._counter(
            "weighbridge_notifications_given_up_total",
            "Messages that a channel did not accept for a day: never delivered.",
            OF_CHANNEL,
        )
        self.of_channels = (
            self.notifications,
            self.notification_failures,
            self.notifications_given_up,
        )

    def _counter(
        self, name: str, text: str, labels: Sequence[str] = _OF_REGISTRY
    ) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _gauge(
        self, name: str, text: str, labels: Sequence[str] = _OF_REGISTRY
    ) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry)

    def _histogram(
        self,
        name: str,
        text: str,
        labels: Sequence[str] = _OF_REGISTRY,
        buckets: Sequence[float] = Histogram.DEFAULT_BUCKETS,
    ) -> Histogram:
        return Histogram(name, text, labels, registry=self.registry, buckets=buckets)
