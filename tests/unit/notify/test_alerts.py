"""Violations as alerts: what identifies them, when they end, how they are merged."""

from datetime import timedelta

from support.tolds import NOW, a_told
from weighbridge.domain.growth.cause import Cause
from weighbridge.notify.channels.alertmanager.notifier import (
    ALERTNAME,
    Alert,
    alerts_of,
)


def annotations(alert: Alert) -> dict[str, str]:
    found = alert["annotations"]
    assert isinstance(found, dict)
    return found


def test_labels_are_what_stays_the_same() -> None:
    (alert,) = alerts_of([a_told()], NOW)

    assert alert["labels"] == {
        "alertname": ALERTNAME,
        "severity": "warning",
        "registry": "harbor",
        "repository": "shop/api",
        "policy": "services",
        "team": "shop",
    }


def test_no_team_is_no_label() -> None:
    (alert,) = alerts_of([a_told(team=None)], NOW)

    labels = alert["labels"]
    assert isinstance(labels, dict)
    assert "team" not in labels


def test_tag_line_and_sizes_are_annotations() -> None:
    (alert,) = alerts_of([a_told()], NOW)

    told = annotations(alert)
    assert told["tag"] == "1.4.2"
    assert told["line"] == "RUN pip install torch"
    assert told["limit"] == "max_compressed 500 MB"
    assert told["compressed_bytes"] == "1083000000"
    assert told["description"] == (
        "harbor/shop/api:1.4.2: 1.08 GB compressed, 583 MB over max_compressed "
        "(500 MB). New line, +570 MB compressed: RUN pip install torch"
    )
    assert told["summary"] == "harbor/shop/api:1.4.2 is 583 MB over max_compressed."


def test_a_push_that_breaks_two_limits_is_one_alert_that_says_both() -> None:
    layers = a_told(
        violation_id=8,
        limit_key="max_layers",
        limit_amount=60,
        amount=70,
        cause=Cause("own", None, (), 0, quantity="layers"),
    )

    (alert,) = alerts_of([a_told(), layers], NOW)

    told = annotations(alert)
    assert told["summary"] == (
        "harbor/shop/api:1.4.2 is over max_compressed and max_layers."
    )
    assert told["description"] == (
        "harbor/shop/api:1.4.2: 1.08 GB compressed, 583 MB over max_compressed "
        "(500 MB). New line, +570 MB compressed: RUN pip install torch. "
        "70 layers, 10 layers over max_layers (60 layers)"
    )


def test_a_firing_alert_ends_by_itself_four_minutes_after_it_was_told() -> None:
    now = NOW + timedelta(hours=3)

    (alert,) = alerts_of([a_told()], now)

    assert alert["startsAt"] == "2026-09-22T08:12:00.000000Z"
    assert alert["endsAt"] == "2026-09-22T11:16:00.000000Z"


def test_an_ended_alert_ended_when_its_violation_did() -> None:
    closed = NOW + timedelta(minutes=9)

    (alert,) = alerts_of(
        [a_told(event="resolved", closed_at=closed)], closed + timedelta(minutes=2)
    )

    assert alert["endsAt"] == "2026-09-22T08:21:00.000000Z"


def test_no_alert_ends_before_it_starts_whatever_clock_it_was_opened_by() -> None:
    ahead = NOW + timedelta(hours=1)
    over = a_told(event="resolved", opened_at=ahead, closed_at=NOW, team="pay")

    alerts = alerts_of([a_told(opened_at=ahead), over], NOW)

    assert [str(one["startsAt"]) <= str(one["endsAt"]) for one in alerts] == [True] * 2


def test_violations_with_the_same_labels_are_one_alert_of_the_newest() -> None:
    newer = a_told(tag="1.4.3", opened_at=NOW + timedelta(minutes=5))

    (alert,) = alerts_of([a_told(), newer], NOW + timedelta(minutes=6))

    assert alert["startsAt"] == "2026-09-22T08:12:00.000000Z"
    told = annotations(alert)
    assert (told["tag"], told["violations"]) == ("1.4.3", "2")
    assert told["images"] == "harbor/shop/api:1.4.3, harbor/shop/api:1.4.2"


def test_an_alert_fires_while_one_of_its_violations_is_open() -> None:
    ended = a_told(tag="2.0", event="resolved", closed_at=NOW)

    (alert,) = alerts_of([ended, a_told()], NOW)

    assert alert["endsAt"] == "2026-09-22T08:16:00.000000Z"
    assert annotations(alert)["tag"] == "1.4.2"


def test_other_policies_are_other_alerts() -> None:
    alerts = alerts_of([a_told(), a_told(policy="images")], NOW)

    assert len(alerts) == 2
