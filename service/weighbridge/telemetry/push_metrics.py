"""The metrics of the way from a webhook to a message."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

PUSH_BUCKETS: Final = (0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
IMAGE_BUCKETS: Final = tuple(10e6 * 2**power for power in range(11))
"""Of images: 10 MB to 10.24 GB."""
VERDICTS: Final = ("pass", "warn", "fail", "error")
OF_CHANNEL: Final = ("channel",)
OF_VERDICT: Final = ("registry", "verdict")

_OF_REGISTRY: Final = ("registry",)
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


class PushMetrics:
    """What webhooks bring, what is said of it, and who is told. A part of Telemetry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._add_webhooks()
        self._add_pushes()
        self._add_channels()

    def begin_webhook(self, source: str) -> None:
        """Show the counters of a webhook as 0 before anything came."""
        self.webhook_events.labels(source)
        for reason in _REJECTIONS:
            self.webhook_rejections.labels(source, reason)

    def begin_channel(self, name: str) -> None:
        """The same for the counters of a channel."""
        for counter in self.of_channels:
            counter.labels(name)

    def _add_webhooks(self) -> None:
        self.webhook_events = Counter(
            "weighbridge_webhook_events_total",
            "Webhooks with the right secret.",
            _OF_WEBHOOK,
            registry=self.registry,
        )
        self.webhook_rejections = Counter(
            "weighbridge_webhook_rejections_total",
            "Webhooks, or events in one, of which nothing was stored.",
            _OF_REJECTION,
            registry=self.registry,
        )

    def _add_pushes(self) -> None:
        self.push_audit_duration = Histogram(
            "weighbridge_push_audit_duration_seconds",
            "From the receipt of a push to its verdict, all waiting included.",
            _OF_REGISTRY,
            buckets=PUSH_BUCKETS,
            registry=self.registry,
        )
        self.push_audits = Counter(
            "weighbridge_push_audits_total",
            "Pushed tags that were crawled, by what policies say of them.",
            OF_VERDICT,
            registry=self.registry,
        )
        self.push_image_compressed_bytes = Histogram(
            "weighbridge_push_image_compressed_bytes",
            "Bytes that a pull of each newly pushed image moves.",
            _OF_REGISTRY,
            buckets=IMAGE_BUCKETS,
            registry=self.registry,
        )
        self.pushes_waiting = Gauge(
            "weighbridge_pushes_waiting",
            "Push events that were received and are not handled yet.",
            registry=self.registry,
        )
        self.pushes_oldest_timestamp = Gauge(
            "weighbridge_pushes_oldest_timestamp_seconds",
            "When the push was received that waits longest; 0 where none waits.",
            registry=self.registry,
        )

    def _add_channels(self) -> None:
        self.notifications = Counter(
            "weighbridge_notifications_total",
            "Attempts to send a message to a channel.",
            OF_CHANNEL,
            registry=self.registry,
        )
        self.notification_failures = Counter(
            "weighbridge_notification_failures_total",
            "Of those, the ones that failed.",
            OF_CHANNEL,
            registry=self.registry,
        )
        self.notifications_given_up = Counter(
            "weighbridge_notifications_given_up_total",
            "Messages that a channel did not accept for a day: never delivered.",
            OF_CHANNEL,
            registry=self.registry,
        )
        self.of_channels = (
            self.notifications,
            self.notification_failures,
            self.notifications_given_up,
        )
