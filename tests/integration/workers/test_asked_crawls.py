"""What is asked for over HTTP is crawled by workers, and `weighbridge queue` shows what
they have done."""

import json
import os
import re
import subprocess
import sys
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import httpx
import pytest

from support.guarded_registry import a_free_port
from support.tokens import a_token, bearer
from support.worker_crew import Crew, a_crew
from weighbridge.demo.http.server import RunningDemo
from weighbridge.demo.story import demo_content
from weighbridge.ports.job_names import CRAWL, QUEUES

_DONE: Final = re.compile(
    rf'^weighbridge_task_duration_seconds_count{{task="{CRAWL}"}} (\S+)$', re.MULTILINE
)


class Service:
    """A running `weighbridge serve`, asked by an admin."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def text(self, path: str) -> str:
        answer = self._client.get(path)
        return answer.raise_for_status().text

    def ask(self, target: str) -> int:
        answer = self._client.post("/api/v1/crawls", json={"target": target})
        return int(answer.raise_for_status().json()["request"])

    def is_up(self) -> bool:
        try:
            return bool(self.text("/healthz"))
        except httpx.TransportError:
            return False

    def state(self, number: int) -> str:
        found = json.loads(self.text(f"/api/v1/crawl-requests/{number}"))
        return str(found["state"])


def queue(crew: Crew, *arguments: str) -> dict[str, object]:
    """What `weighbridge queue` prints."""
    done = subprocess.run(
        [sys.executable, "-m", "weighbridge", "queue", *arguments, "-o", "json"],
        env={**os.environ, "WEIGHBRIDGE_CONFIG": str(crew.config)},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.mark.long  # 16 s; tests/unit/engine has the rules
def test_workers_crawl_what_is_asked_for_without_a_scheduler(tmp_path: Path) -> None:
    with (
        ExitStack() as stack,
        closing(RunningDemo(demo_content())) as running,
        a_crew(tmp_path, running.url) as crew,
    ):
        token = a_token(crew.database, "admin", datetime.now(UTC))
        port = a_free_port()
        client = stack.enter_context(
            httpx.Client(
                base_url=f"http://127.0.0.1:{port}", headers=bearer(token), timeout=10
            )
        )
        service = Service(client)
        crew.start("serve", "--bind", f"127.0.0.1:{port}")
        crew.single_worker()
        crew.wait_for(service.is_up, "it serves")

        number = service.ask("near")
        crew.wait_for(lambda: service.state(number) == "done", "the request has ended")
        crew.wait_for(
            lambda: _DONE.search(service.text("/metrics")) is not None,
            "the service shows how long crawls took",
        )
        shown, alone = queue(crew), queue(crew, "near/shop/api")

        found = json.loads(service.text(f"/api/v1/crawl-requests/{number}"))
        assert (found["known"], found["complete"], found["left"]) == (14, 14, 0)
        assert shown["redis"] == "ok"
        assert [row["queue"] for row in rows(shown["queues"])] == list(QUEUES)
        tasks = {str(row["task"]): row for row in rows(shown["tasks"])}
        assert tasks[CRAWL]["failed"] == 0
        assert tasks[CRAWL]["mean_seconds"] is not None
        (repository,) = rows(alone["items"])
        assert repository["why"] == "not_due"


def rows(found: object) -> list[dict[str, object]]:
    assert isinstance(found, list)
    return found
