"""What Celery is told, and where each job goes."""

import pytest
from celery import Celery
from celery.beat import PersistentScheduler, Scheduler
from celery.utils.imports import symbol_by_name

from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import load_settings
from weighbridge.domain.text.printable import Secret
from weighbridge.engine.crawl.registry.crawl_job import TURN_S
from weighbridge.errors import UsageError
from weighbridge.ports import job_names
from weighbridge_workers.app import configuration
from weighbridge_workers.process import Process
from weighbridge_workers.workarounds import RedisTransport


def test_every_job_has_a_task_of_its_name(app: Celery) -> None:
    ours = {name for name in app.tasks if name.startswith("weighbridge.")}

    assert ours == {*job_names.QUEUE_OF, job_names.CANARY}


def test_queues_are_served_in_their_order() -> None:
    settings = configuration(Secret("redis://127.0.0.1"))

    assert job_names.QUEUES == ("push", "crawl", "measure", "notify")
    assert [queue.name for queue in settings["task_queues"]] == list(job_names.QUEUES)  # type: ignore[attr-defined] # an object, since Celery's settings have no types
    options = settings["broker_transport_options"]
    assert isinstance(options, dict)
    assert options["queue_order_strategy"] == "priority"


@pytest.mark.parametrize(
    ("job", "queue"),
    [
        (job_names.CRAWL, "crawl"),
        (job_names.DISCOVER, "crawl"),
        (job_names.MEASURE, "measure"),
        (job_names.PRUNE, "measure"),
        (job_names.BASES, "measure"),
        (job_names.SEED, "measure"),
        (job_names.TICK, "notify"),
        (job_names.SETTLE, "notify"),
        (job_names.DELIVER, "notify"),
    ],
)
def test_a_job_goes_to_its_queue(app: Celery, job: str, queue: str) -> None:
    assert app.conf.task_routes[job] == {"queue": queue}


def test_broker_001_nothing_but_json_is_accepted(app: Celery) -> None:
    assert app.conf.accept_content == ["json"]
    assert app.conf.result_accept_content == ["json"]
    assert app.conf.task_serializer == "json"


def test_broker_002_there_are_no_results(app: Celery) -> None:
    assert app.conf.task_ignore_result is True
    assert app.conf.result_backend is None


def test_f15_no_job_outlives_the_time_after_which_others_get_its_message(
    app: Celery,
) -> None:
    visible_s = app.conf.broker_transport_options["visibility_timeout"]

    assert TURN_S < app.conf.task_soft_time_limit < app.conf.task_time_limit
    assert app.conf.task_time_limit < visible_s


def test_f14_a_killed_workers_message_is_handed_on(app: Celery) -> None:
    options = app.conf.broker_transport_options

    assert app.conf.task_acks_late is True
    assert app.conf.task_reject_on_worker_lost is True
    assert app.conf.worker_prefetch_multiplier == 1
    assert options["unacked_restore_interval"] == 5
    assert options["unacked_restore_throttle"] == 1


def test_f19_redis_is_waited_for_however_long_it_takes(app: Celery) -> None:
    assert app.conf.broker_connection_retry_on_startup is True
    assert app.conf.broker_connection_max_retries is None
    assert app.conf.broker_transport_options["socket_timeout"] <= 5


def test_f20_a_beat_rings_often_enough(app: Celery) -> None:
    entries = app.conf.beat_schedule

    assert set(entries) == {"tick", "settle", "deliver"}
    assert entries["tick"]["schedule"].seconds <= 30
    # Celery's own default keeps a file beside it, with times of this machine's clock.
    scheduler = symbol_by_name(app.conf.beat_scheduler)
    assert issubclass(scheduler, Scheduler)
    assert not issubclass(scheduler, PersistentScheduler)


def test_what_stands_in_redis_is_read_by_our_own_transport(app: Celery) -> None:
    connection = app.connection_for_read()

    assert isinstance(connection.transport, RedisTransport)
    assert app.conf.broker_channel_error_retry is True


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://r.example", None),
        ("rediss://:x@r.example", "required"),
    ],
)
def test_t12_the_certificate_of_redis_is_checked(
    url: str, expected: str | None
) -> None:
    app = Celery(set_as_current=False, fixups=[])
    app.conf.update(configuration(Secret(url)))

    told = app.connection_for_read().ssl
    assert (told["ssl_cert_reqs"] if isinstance(told, dict) else None) == expected


def test_without_redis_there_is_no_application() -> None:
    with pytest.raises(UsageError) as refused:
        Process(load_settings(None, {}, KINDS))

    assert refused.value.code == "no_redis"
