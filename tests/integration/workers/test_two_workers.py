"""Workers over Redis and PostgreSQL see a registry as one process sees it, and a
service shows what they count."""

import re
import urllib.request
from pathlib import Path
from typing import Final

from support.database_dump import assert_same, dump_of, dump_of_url
from support.guarded_registry import a_free_port
from support.worker_crew import a_crew
from weighbridge.bootstrap.engine.assembly import crawl
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import RegistrySettings, load_settings
from weighbridge.demo.http.server import RunningDemo
from weighbridge.demo.story import demo_content
from weighbridge.engine.context.crawl_context import Progress

_REQUESTS: Final = re.compile(
    r"^weighbridge_registry_requests_total\{.*\} (\S+)$", re.MULTILINE
)


def requests_shown(port: int) -> float:
    """How many requests to registries `/metrics` of a service shows."""
    url = f"http://127.0.0.1:{port}/metrics"
    with urllib.request.urlopen(url, timeout=5) as answer:
        return sum(map(float, _REQUESTS.findall(answer.read().decode())))


def test_two_workers_keep_what_one_process_keeps(tmp_path: Path) -> None:
    running = RunningDemo(demo_content())
    try:
        alone = f"sqlite:///{tmp_path / 'alone.db'}"
        settings = load_settings(None, {}, KINDS, database_url=alone).model_copy(
            update={"registries": (RegistrySettings(name="near", url=running.url),)}
        )
        crawl(settings, [], measure=True, progress=Progress())
        expected = dump_of_url(alone)
        with a_crew(tmp_path, running.url) as crew:
            asked_before = running.server.requests.total()
            port = a_free_port()
            crew.start("serve", "--bind", f"127.0.0.1:{port}")
            workers = [crew.worker(), crew.single_worker()]
            crew.enqueue_tick()
            # What a worker asks of others while Redis stands still is asked again.
            crew.quick_scheduler()

            crew.wait_for(lambda: crew.is_through(14), "everything is looked at")
            asked = running.server.requests.total() - asked_before
            # While they live: the last sums of who ends are lost where Redis stands
            # still, and those that it took without saying so are counted twice.
            crew.wait_for(
                lambda: asked <= requests_shown(port) < 2 * asked,
                f"the service shows what both have asked, {asked} requests",
            )
            ended = [worker.stop() for worker in workers]

            assert_same(expected, dump_of(crew.database))
            assert ended == [0, 0], crew.logs
    finally:
        running.close()
