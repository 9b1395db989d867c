"""The queries about webhooks, pushes and channels, where there are some."""

import threading
import time
from collections.abc import Iterator

import pytest
from prometheus_client import start_http_server

from support.grafana import DASHBOARDS
from support.grafana.asking import ONLY_WITH_PUSHES, OVERVIEW, Asking
from support.grafana.dashboard import Dashboard, read_dashboards
from support.prometheus import Job, Sample, each_second, prometheus
from weighbridge.telemetry import Telemetry

HAPPENED = (
    "min (count_over_time (weighbridge_pushes_waiting[1m])) > 3",
    "increase (weighbridge_push_audit_duration_seconds_count[1m]) > 0",
)


def happens(telemetry: Telemetry, ended: threading.Event) -> None:
    """Pushes, of which one in ten is judged late; a sender with a wrong secret; a
    channel that takes every second message."""
    telemetry.begin_registry("hub")
    telemetry.begin_webhook("harbor")
    telemetry.begin_channel("ops")
    telemetry.pushes_waiting.set(3)
    telemetry.pushes_oldest_timestamp.set(time.time() - 60)
    number = 0
    while not ended.wait(0.05):
        number += 1
        telemetry.webhook_events.labels("harbor").inc()
        telemetry.webhook_rejections.labels("harbor", "bad_signature").inc()
        telemetry.push_audits.labels("hub", "fail").inc()
        seconds = 40 if number % 10 == 0 else 0.1
        telemetry.push_audit_duration.labels("hub").observe(seconds)
        telemetry.notifications.labels("ops").inc()
        telemetry.notification_failures.labels("ops").inc(number % 2)


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    telemetry, ended = Telemetry(), threading.Event()
    pushing = threading.Thread(target=happens, args=(telemetry, ended))
    server, serving = start_http_server(0, "127.0.0.1", telemetry.registry)
    try:
        pushing.start()
        # Two services that show the same sums.
        port = server.server_port
        both = (f"127.0.0.1:{port}", f"localhost:{port}")
        jobs = {"weighbridge": Job("/metrics", both)}
        folder = tmp_path_factory.mktemp("pushes")
        with prometheus(folder, each_second(jobs)) as asked:
            asking = Asking(asked)
            for expression in HAPPENED:
                asking.wait_for(expression, lambda: asked.log[-2_000:])
            yield asking
    finally:
        ended.set()
        pushing.join()
        server.shutdown()
        server.server_close()
        serving.join()


@pytest.fixture(scope="module")
def overview() -> Dashboard:
    return read_dashboards(DASHBOARDS)[OVERVIEW]


def shown(scraped: Asking, overview: Dashboard, title: str) -> list[list[Sample]]:
    """By the queries of a panel."""
    (panel,) = [panel for panel in overview.shown if panel.title == title]
    return [scraped.samples(target, OVERVIEW) for target in panel.targets]


@pytest.mark.long
def test_what_only_pushes_bring_is_there(scraped: Asking, overview: Dashboard) -> None:
    assert scraped.empty_panels(overview) & ONLY_WITH_PUSHES == set()


def test_webhooks_are_told_from_those_that_were_not_kept(
    scraped: Asking, overview: Dashboard
) -> None:
    known, rejected = shown(scraped, overview, "Webhooks")

    assert [labels for labels, _ in known] == [{"source": "harbor"}]
    assert [labels for labels, _ in rejected] == [
        {"source": "harbor", "reason": "bad_signature"}
    ]


def test_half_of_the_verdicts_are_quick_and_some_are_late(
    scraped: Asking, overview: Dashboard
) -> None:
    half, most = shown(scraped, overview, "From a push to its verdict")

    assert half[0][1][-1] < 1
    assert 30 < most[0][1][-1] <= 60


def test_two_services_are_not_counted_twice(
    scraped: Asking, overview: Dashboard
) -> None:
    tries, failed = shown(scraped, overview, "Messages")

    ((labels, sent),) = tries
    assert labels == {"channel": "ops"}
    # Twenty a second at most; twice as many where both were summed up.
    assert 0 < sent[-1] < 25
    assert failed[0][1][-1] == pytest.approx(sent[-1] / 2, rel=0.3)
