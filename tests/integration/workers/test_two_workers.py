"""Workers over Redis and PostgreSQL see a registry as one process sees it."""

from pathlib import Path

from support.database_dump import assert_same, dump_of, dump_of_url
from support.worker_crew import a_crew
from weighbridge.audit.progress import Progress
from weighbridge.bootstrap.crawling import crawl
from weighbridge.config import RegistrySettings, load_settings
from weighbridge.demo.server import start_in_thread
from weighbridge.demo.story import demo_content


def test_two_workers_keep_what_one_process_keeps(tmp_path: Path) -> None:
    running = start_in_thread(demo_content())
    try:
        alone = f"sqlite:///{tmp_path / 'alone.db'}"
        settings = load_settings(None, {}, database_url=alone).model_copy(
            update={"registries": (RegistrySettings(name="near", url=running.url),)}
        )
        crawl(settings, [], measure=True, progress=Progress())
        expected = dump_of_url(alone)
        with a_crew(tmp_path, running.url) as crew:
            workers = [crew.worker(), crew.single_worker()]
            crew.ring()

            crew.wait_for(lambda: crew.is_through(14), "everything is looked at")
            ended = [worker.stop() for worker in workers]

            assert_same(expected, dump_of(crew.database))
            assert ended == [0, 0], crew.logs
    finally:
        running.close()
