"""PostgreSQL behind PgBouncer in session mode is like PostgreSQL."""

from pathlib import Path

import pytest

from support.database_dump import assert_same, dump_of, dump_of_url
from support.generated_content import generated_content
from support.pgbouncer import in_session_mode
from support.worker_crew import a_crew
from weighbridge.bootstrap.engine.assembly import crawl
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import RegistrySettings, load_settings
from weighbridge.demo.http.server import RunningDemo
from weighbridge.engine.context.crawl_context import Progress


@pytest.mark.long  # 11 s; test_two_workers has the same without it
def test_workers_crawl_through_pgbouncer_what_one_process_crawls_without_it(
    tmp_path: Path,
) -> None:
    running = RunningDemo(generated_content(repositories=6, tags=8))
    alone = f"sqlite:///{tmp_path / 'alone.db'}"
    near = RegistrySettings(name="near", url=running.url)
    settings = load_settings(None, {}, KINDS, database_url=alone)
    try:
        crawl(
            settings.model_copy(update={"registries": (near,)}),
            [],
            measure=True,
            progress=Progress(),
        )
        with a_crew(tmp_path, running.url, pooled=in_session_mode) as crew:
            workers = [crew.worker(), crew.worker()]
            crew.quick_scheduler()

            crew.wait_for(lambda: crew.is_through(6), "everything is crawled")

            assert_same(dump_of_url(alone), dump_of(crew.database))
            for worker in workers:
                assert worker.stop() == 0
                assert '"level": "error"' not in worker.log
    finally:
        running.close()
