"""Redis behind TLS, with a user who may do no more than Weighbridge needs."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery
from kombu.exceptions import OperationalError

from support.doctor import Capture, look
from support.generated_content import generated_content
from support.redis_server import GuardedRedis, a_guarded_redis
from support.worker_crew import a_crew
from weighbridge.bootstrap.distributed.joining import redis_warnings
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import load_settings
from weighbridge.demo.http.server import RunningDemo
from weighbridge.jobs.redis.over_celery import CeleryJobs
from weighbridge.jobs.redis.worker_register import WorkerRegister
from weighbridge.ports.job_names import TICK
from weighbridge_workers.app import configuration


@pytest.fixture(scope="module")
def server() -> Iterator[GuardedRedis]:
    with a_guarded_redis() as running:
        yield running


@pytest.mark.long  # 16 s; a test beside it compares the rights
def test_workers_and_scheduler_work_with_the_rights_that_are_documented(
    tmp_path: Path, capsys: Capture
) -> None:
    running = RunningDemo(generated_content(repositories=2, tags=2))
    try:
        with a_crew(
            tmp_path, running.url, engine="sqlite", a_server=a_guarded_redis
        ) as crew:
            worker = crew.worker()
            crew.start("scheduler")

            crew.wait_for(lambda: crew.is_through(2), "everything is crawled")

            roll = WorkerRegister(crew.redis.url)
            crew.wait_for(lambda: roll.workers() == 2, "both are on the roll")
            roll.close()
            found = look(capsys, "--config", str(crew.config))
            assert found.of("redis memory", "ok")
            assert "2 workers" in found.of("workers", "ok")["text"]
            assert found.of("scheduler", "ok")
            assert "NOPERM" not in worker.log
            assert "permission" not in worker.log.lower()
            assert worker.stop() == 0
    finally:
        running.close()


def test_the_rights_in_the_docs_are_those_that_were_tried() -> None:
    page = Path(__file__).parents[3] / "docs/deploying/distributed.md"

    words = " ".join(page.read_text().replace("\\", " ").split())

    assert " ".join(GuardedRedis.RIGHTS) in words


def test_what_redis_says_is_read_over_tls(server: GuardedRedis) -> None:
    environ = {"WEIGHBRIDGE_REDIS_URL": server.url.reveal()}

    assert redis_warnings(load_settings(None, environ, KINDS)) == []


def test_t12_a_redis_whose_authority_nobody_knows_is_given_nothing(
    server: GuardedRedis,
) -> None:
    url = server.unknown_url
    app = Celery(set_as_current=False, fixups=[])
    app.conf.update(configuration(url))
    jobs = CeleryJobs(url)

    with pytest.raises(OperationalError, match="CERTIFICATE_VERIFY_FAILED"):
        app.connection_for_read().ensure_connection(max_retries=1)
    with pytest.raises(OperationalError, match="CERTIFICATE_VERIFY_FAILED"):
        jobs._celery.connection_for_write().ensure_connection(max_retries=1)
    jobs.put(TICK, "")
    jobs.close()

    with server.client() as client:
        assert client.dbsize() == 0
