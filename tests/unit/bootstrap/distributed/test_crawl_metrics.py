"""Numbers from Redis are shown as this process's own would be, if they are ours."""

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import choose_encoder

from weighbridge.bootstrap.distributed.process import numbers_of
from weighbridge.bootstrap.distributed.service import CrawlMetrics
from weighbridge.jobs.redis.worker_register import Numbers, Series
from weighbridge.telemetry import Telemetry

HUB = ("registry", "hub")
REQUESTS = "weighbridge_registry_requests_total"


def counted(telemetry: Telemetry) -> None:
    """Something of every kind."""
    telemetry.begin_registry("hub")
    telemetry.registry_requests.labels("hub", "manifest_get", "2xx").inc(3)
    telemetry.registry_request_failures.labels("hub", "tags", "timeout").inc()
    telemetry.registry_request_duration.labels("hub").observe(0.3)
    telemetry.registry_ratelimit_remaining.labels("hub").set(90)
    telemetry.registry_insecure.labels("hub").set(0)
    telemetry.project_quota_used.labels("hub", "shop").set(5)
    telemetry.crawl_failures.labels("hub", "unreachable").inc()
    telemetry.db_write_errors.inc()
    telemetry.push_audits.labels("hub", "fail").inc()
    telemetry.push_audit_duration.labels("hub").observe(0.3)
    telemetry.push_image_compressed_bytes.labels("hub").observe(300e6)


def shown(numbers: Numbers, *registries: str) -> CollectorRegistry:
    telemetry = Telemetry()
    CrawlMetrics(telemetry, registries).numbers = numbers
    return telemetry.registry


def test_a_service_shows_what_a_worker_would_have_shown() -> None:
    worker = Telemetry()
    counted(worker)

    service = shown(numbers_of(worker), "hub")

    def lines(registry: CollectorRegistry) -> list[str]:
        return sorted(generate_latest(registry).decode().splitlines())

    assert lines(service) == lines(worker.registry)
    openmetrics, _ = choose_encoder("application/openmetrics-text; version=1.0.0")
    assert openmetrics(service).decode().endswith("# EOF\n")


def test_broker_003_numbers_of_strange_names_are_not_shown() -> None:
    strange = {
        Series(REQUESTS, (("code", "2xx"), ("operation", "evil"), HUB)): 1.0,
        Series(REQUESTS, (("code", "evil"), ("operation", "tags"), HUB)): 1.0,
        Series(REQUESTS, (("code", "2xx"), ("operation", "tags"))): 1.0,
        Series("weighbridge_crawl_runs_total", (("registry", "evil"),)): 1.0,
        Series("weighbridge_crawl_runs_total", (HUB, ("evil", "1"))): 1.0,
        Series("weighbridge_evil_total", (HUB,)): 1.0,
        Series("weighbridge_http_requests_total", (("method", "evil"),)): 1.0,
    }

    text = generate_latest(shown(Numbers(strange), "hub")).decode()

    assert "evil" not in text
    assert f"{REQUESTS}{{" not in text


def test_a_service_knows_the_values_of_every_label_of_its_crawls() -> None:
    """A scrape with one that it does not know would fail as a whole."""
    telemetry = Telemetry()
    labels = {
        (family.name, each)
        for metric, names in telemetry.of_crawls.items()
        for family in metric.describe()
        for each in [tuple(sorted((name, "evil!") for name in names))]
    }
    numbers = {
        Series(f"{name}{part}", each): 1.0
        for name, each in labels
        if each
        for part in ("", "_total", "_count")
    }

    text = generate_latest(shown(Numbers(numbers, numbers), "hub")).decode()

    assert "evil" not in text


def test_the_same_labels_in_another_order_are_not_shown_twice() -> None:
    labels = (("code", "2xx"), ("operation", "tags"), HUB)
    numbers = {
        Series(REQUESTS, labels): 5.0,
        Series(REQUESTS, labels[::-1]): 7.0,
        Series(REQUESTS, (*labels, HUB)): 9.0,
    }

    text = generate_latest(shown(Numbers(numbers), "hub")).decode()

    assert text.count(f"{REQUESTS}{{") == 1
    assert " 5.0" in text


def test_messages_are_shown_of_channels_that_are_configured() -> None:
    name = "weighbridge_notification_failures_total"
    told = {Series(name, (("channel", c),)): 2.0 for c in ("ops", "evil")}
    telemetry = Telemetry()
    collector = CrawlMetrics(telemetry, ["hub"], ["ops"])
    collector.numbers = Numbers(told)

    text = generate_latest(telemetry.registry).decode()

    assert f'{name}{{channel="ops"}} 2.0' in text
    assert "evil" not in text


def test_a_number_of_the_other_kind_is_not_shown() -> None:
    gauge = Series("weighbridge_registry_ratelimit_remaining", (HUB,))
    counter = Series("weighbridge_crawl_runs_total", (HUB,))

    text = generate_latest(shown(Numbers({gauge: 1.0}, {counter: 1.0}), "hub")).decode()

    assert 'registry="hub"' not in text


def test_what_is_neither_of_crawls_nor_of_each_service_is_forgotten_by_nobody() -> None:
    telemetry = Telemetry()
    of_crawls = {f.name for m in telemetry.of_crawls for f in m.describe()}

    others = {family.name for family in telemetry.registry.collect()} - of_crawls

    assert others == {
        "weighbridge_build_info",
        # What only the database tells.
        "weighbridge_base_repositories",
        "weighbridge_crawl_repositories_waiting",
        "weighbridge_config_last_reload_success_timestamp_seconds",
        "weighbridge_config_last_reload_successful",
        "weighbridge_db_up",
        "weighbridge_http_request_duration_seconds",
        "weighbridge_http_requests",
        "weighbridge_pushes_oldest_timestamp_seconds",
        "weighbridge_pushes_waiting",
        "weighbridge_scheduler_last_tick_timestamp_seconds",
        "weighbridge_sign_ins_refused",
        # `WorkerCollector` stands in for these.
        "weighbridge_task_failures",
        "weighbridge_tasks",
        "weighbridge_tls_certificate_expiry_timestamp_seconds",
        "weighbridge_tls_certificate_start_timestamp_seconds",
        "weighbridge_tls_reload_failures",
        "weighbridge_webhook_events",
        "weighbridge_webhook_rejections",
    }
