"""Two versions over one database, while its schema goes one step on."""

import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Final

from support.docker_registry import docker_registry
from support.guarded_registry import a_free_port
from support.images_oci import Pusher, made_image, made_layer
from support.newer_version import NEXT, newer_version
from support.push_world import a_push, receive
from support.wait import PATIENCE_S
from support.worker_crew import Crew, Process, a_crew
from weighbridge.jobs.redis.over_celery import CeleryJobs
from weighbridge.ports.job_names import PUSH
from weighbridge.store.leases.validity import DatabaseClock
from weighbridge.store.reports.tags import tag_page
from weighbridge.store.schema import REVISION

REPOSITORY: Final = "shop/app"
OTHER_VERSION: Final = 2
"""The exit code of what met the schema of another version."""


def push(crew: Crew, registry_url: str, tag: str) -> None:
    """An image is pushed, and a service is told; a worker that is free may look."""
    with Pusher(registry_url) as pusher:
        layer = made_layer(tag, tag.encode() * 500)
        pusher.push(REPOSITORY, made_image(layer, label=tag), tag)
    clock = DatabaseClock(crew.database)
    clock.measure()
    event = a_push(tag, repository=REPOSITORY)
    receive(crew.database, clock(), event, registry="near")
    jobs = CeleryJobs(crew.redis.url, give_up_s=PATIENCE_S)
    try:
        jobs.put(PUSH, f"near/{REPOSITORY}", first=True)
    finally:
        jobs.close()


def has(crew: Crew, tag: str) -> bool:
    with crew.database.read() as connection:
        page = tag_page(connection, "near", REPOSITORY, limit=1000)
    return page is not None and tag in {found.name for found in page.items}


def is_ready(port: int) -> bool:
    try:
        url = f"http://127.0.0.1:{port}/readyz"
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def db_upgrade(crew: Crew, environment: dict[str, str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "weighbridge", "db", "upgrade"],
        env={**os.environ, "WEIGHBRIDGE_CONFIG": str(crew.config), **environment},
        cwd=crew.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_old_parts_stop_new_ones_wait_and_no_push_is_lost(tmp_path: Path) -> None:
    newer = newer_version(tmp_path / "newer")
    with (
        docker_registry(tmp_path / "registry") as registry,
        a_crew(tmp_path, registry.url) as crew,
    ):
        ports = a_free_port(), a_free_port()
        old = [
            crew.start("serve", "--bind", f"127.0.0.1:{ports[0]}"),
            crew.single_worker(),
            crew.start("scheduler"),
        ]
        crew.wait_for(lambda: is_ready(ports[0]), "the old version serves")
        push(crew, registry.url, "1.0")
        crew.wait_for(lambda: has(crew, "1.0"), "the old version looks at pushes")

        serve = ("serve", "--bind", f"127.0.0.1:{ports[1]}")
        one = ("worker", "--concurrency", "1")
        new = [
            crew.start(*command, environment=newer)
            for command in (serve, one, ("scheduler",))
        ]
        crew.wait_for(lambda: all(map(waits, new)), "the new version waits")
        assert is_ready(ports[0])
        assert not is_ready(ports[1])
        assert all(process.popen.poll() is None for process in old)

        push(crew, registry.url, "1.1")
        upgrades = [db_upgrade(crew, newer) for _ in range(2)]
        push(crew, registry.url, "1.2")
        for upgrade in upgrades:
            said, _ = upgrade.communicate(timeout=PATIENCE_S)
            assert (upgrade.returncode, f"has schema {NEXT}" in said) == (0, True), said

        codes = [process.popen.wait(PATIENCE_S) for process in old]
        assert codes == [OTHER_VERSION] * 3, crew.logs
        assert all(f"the database has schema {NEXT}" in each.log for each in old)
        crew.wait_for(lambda: is_ready(ports[1]), "the new version serves")
        crew.wait_for(lambda: new[1].has_begun(2), "the new version works")
        crew.wait_for(lambda: has(crew, "1.1") and has(crew, "1.2"), "no push is lost")
        assert [process.stop() for process in new] == [0, 0, 0], crew.logs


def waits(process: Process) -> bool:
    return f"the database has schema {REVISION}, this version needs" in process.log
