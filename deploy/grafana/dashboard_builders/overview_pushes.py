"""From a push to whoever is to know of it."""

from typing import Final

from dashboard_builders import fields
from dashboard_builders.fields import Look
from dashboard_builders.layout import Section, Strip
from dashboard_builders.lines import Line, chart
from dashboard_builders.panels import stat
from dashboard_builders.queries import Selection
from dashboard_builders.shapes import Object

_NO_PUSH: Final = "no push event was received"
_NO_WEBHOOK: Final = "no webhooks configured"
_NO_CHANNEL: Final = "no channels configured"


def pushes(registries: Selection, service: Selection) -> Section:
    return Section(
        "Pushes and messages",
        [
            Strip(4, _now(service)),
            Strip(7, [_webhooks(service), _judged(registries), _verdicts(registries)]),
            Strip(7, [_messages(service)]),
        ],
    )


def _now(service: Selection) -> list[Object]:
    oldest = service.latest("weighbridge_pushes_oldest_timestamp_seconds")
    given_up = "weighbridge_notifications_given_up_total"
    return [
        stat(
            "Pushes that wait",
            "Push events that were received and whose tags are not crawled yet.",
            service.latest("weighbridge_pushes_waiting"),
            Look(fields.COUNT, "no service"),
        ),
        stat(
            "Push that waits longest",
            "How long ago it was received.",
            # It is 0 where none waits.
            f"time() - ({oldest} > 0)",
            Look(fields.SECONDS, "none waits", decimals=0),
        ),
        stat(
            "Messages given up",
            "Messages in the shown time that a channel did not accept for a day: they"
            " were never delivered.",
            service.common_increase(given_up, "channel"),
            Look(fields.COUNT, _NO_CHANNEL, fields.ANY_IS_BAD, decimals=0),
        ),
    ]


def _webhooks(service: Selection) -> Object:
    rejected = service.rate("weighbridge_webhook_rejections_total", "source", "reason")
    return chart(
        "Webhooks",
        "Webhooks of senders that are known, and those of which nothing was kept, by"
        " reason: `bad_signature` is a wrong secret, `ignored` is not configured here.",
        [
            Line(
                "{{source}}", service.rate("weighbridge_webhook_events_total", "source")
            ),
            Line("{{source}} not kept: {{reason}}", f"{rejected} > 0"),
        ],
        Look(fields.EVENTS_A_SECOND, _NO_WEBHOOK),
        steps=False,
    )


def _judged(registries: Selection) -> Object:
    audits = registries.common_rate(
        "weighbridge_push_audits_total", "registry", "verdict"
    )
    return chart(
        "Pushes judged",
        "Pushed tags that were crawled, by what policies say of them.",
        [Line("{{registry}} {{verdict}}", audits)],
        Look(fields.EVENTS_A_SECOND, _NO_PUSH),
        steps=False,
    )


def _verdicts(registries: Selection) -> Object:
    buckets = registries.common_rate(
        "weighbridge_push_audit_duration_seconds_bucket", "registry", "le"
    )
    return chart(
        "From a push to its verdict",
        "From the receipt of a webhook until the push is judged, all waiting included:"
        " half of them, and 95 % of them. A gap where nothing was pushed.",
        [
            Line("{{registry}} half", f"histogram_quantile (0.5, {buckets})"),
            Line("{{registry}} 95 %", f"histogram_quantile (0.95, {buckets})"),
        ],
        Look(fields.SECONDS, _NO_PUSH),
        steps=False,
    )


def _messages(service: Selection) -> Object:
    tries = service.common_rate("weighbridge_notifications_total", "channel")
    failed = service.common_rate("weighbridge_notification_failures_total", "channel")
    return chart(
        "Messages",
        "Attempts to send a message to a channel, and those that failed.",
        [Line("{{channel}}", tries), Line("{{channel}} failed", failed)],
        Look(fields.EVENTS_A_SECOND, _NO_CHANNEL),
        steps=False,
    )
