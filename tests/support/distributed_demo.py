"""The demo's images crawled by a worker, with what goes wrong in an installation.

Beside the registry of the demo, which tells a limit on requests, one is down and one
cannot be signed in to; nobody measures, so that something waits.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from support.limited_registry import limited_registry
from support.serving import free_address
from support.worker_crew import Crew, a_crew
from weighbridge.demo.story import demo_content
from weighbridge.jobs.redis.over_celery import CeleryJobs
from weighbridge.ports.job_names import CRAWL

_INTERVAL: Final = "2s"
_LIMIT: Final = 5_000


@contextmanager
def distributed_demo(folder: Path) -> Iterator[tuple[Crew, str]]:
    """The crew, and the address of its service."""
    folder.mkdir(exist_ok=True)
    with (
        limited_registry(demo_content(), _LIMIT) as registry,
        a_crew(folder, registry.url, engine="sqlite", interval=_INTERVAL) as crew,
    ):
        _add_troubled_registries(crew)
        address = free_address()
        crew.start("serve", "--bind", address)
        crew.start("worker", "--queues", "push,crawl,notify", "--concurrency", "1")
        crew.start("scheduler")
        _ask_for_what_is_not_configured(crew)
        yield crew, address


def _add_troubled_registries(crew: Crew) -> None:
    no_login = crew.folder / "login.json"
    no_login.write_text("{")
    configuration = json.loads(crew.config.read_text())
    configuration["registries"] += [
        {"name": "gone", "url": f"http://{free_address()}", "interval": _INTERVAL},
        {
            "name": "locked",
            "url": f"http://{free_address()}",
            "auth": {"docker_config": str(no_login)},
            "interval": _INTERVAL,
        },
    ]
    crew.config.write_text(json.dumps(configuration))


def _ask_for_what_is_not_configured(crew: Crew) -> None:
    """As a scheduler does whose configuration is newer than that of its workers."""
    jobs = CeleryJobs(crew.redis.url)
    try:
        jobs.put(CRAWL, "added/a")
    finally:
        jobs.close()
