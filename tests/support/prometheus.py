"""A Prometheus of our own on a free loopback port, asked over its API."""

import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import httpx
import yaml

from support.missing import skip_or_fail
from support.wait import wait_in_thread

Sample: TypeAlias = tuple[Mapping[str, str], Sequence[float]]
"""The labels of a series, and its values in the order of time."""

_READY_S = 30.0


@dataclass(frozen=True, slots=True)
class Job:
    """What is scraped: a path of each of these addresses."""

    path: str
    targets: Sequence[str]


class QueryRefused(Exception):
    """Prometheus did not answer a query; the text says why."""


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running one; what it stores and prints is in `folder`."""

    url: str
    folder: Path

    @property
    def log(self) -> str:
        return (self.folder / "prometheus.log").read_text(errors="replace")

    def now(self, expression: str) -> list[Sample]:
        """What a query gives at this moment."""
        return self._asked("query", query=expression)

    def over_time(
        self, expression: str, start: float, end: float, step_s: float = 1
    ) -> list[Sample]:
        """What a query gives between two moments, in Unix seconds."""
        return self._asked(
            "query_range", query=expression, start=start, end=end, step=step_s
        )

    def label_values(self, selector: str, label: str) -> list[str]:
        """The values of a label among the series that a selector finds."""
        answer = self._get(f"label/{label}/values", {"match[]": selector})
        assert isinstance(answer, list)
        return [str(value) for value in answer]

    def _asked(self, route: str, **parameters: str | float) -> list[Sample]:
        data = self._get(route, parameters)
        assert isinstance(data, dict)
        return [_sample(series) for series in data["result"]]

    def _get(self, route: str, parameters: Mapping[str, str | float]) -> object:
        answer = httpx.get(
            f"{self.url}/api/v1/{route}",
            params=dict(parameters),
            trust_env=False,
            timeout=10,
        ).json()
        if answer["status"] != "success":
            raise QueryRefused(f"{answer['error']}: {parameters}")
        data: object = answer["data"]
        return data


@contextmanager
def prometheus(
    folder: Path, jobs: Mapping[str, Job], rule_files: Sequence[Path] = ()
) -> Iterator[Prometheus]:
    """A Prometheus that scrapes every second until the block ends.

    jobs: by their names
    """
    program = shutil.which("prometheus")
    if program is None:
        skip_or_fail("prometheus is not installed: run scripts/servers")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    config = folder / "prometheus.yml"
    config.write_text(yaml.safe_dump(_config(jobs, rule_files)))
    running = Prometheus(f"http://127.0.0.1:{port}", folder)
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [
                program,
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_until_ready(running, process)
        yield running
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _config(jobs: Mapping[str, Job], rule_files: Sequence[Path]) -> dict[str, object]:
    scrapes = [
        {
            "job_name": name,
            "metrics_path": job.path,
            "static_configs": [{"targets": list(job.targets)}],
        }
        for name, job in jobs.items()
    ]
    return {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(path) for path in rule_files],
        "scrape_configs": scrapes,
    }


def _wait_until_ready(running: Prometheus, process: subprocess.Popen[bytes]) -> None:
    def is_ready() -> bool:
        assert process.poll() is None, running.log
        try:
            answer = httpx.get(f"{running.url}/-/ready", trust_env=False, timeout=5)
        except httpx.TransportError:
            return False
        return answer.status_code == 200

    wait_in_thread(
        is_ready, "Prometheus is ready", deadline_s=_READY_S, seen=lambda: running.log
    )


def _sample(series: Mapping[str, object]) -> Sample:
    labels = series["metric"]
    points = series["values"] if "values" in series else [series["value"]]
    assert isinstance(labels, dict)
    assert isinstance(points, list)
    return labels, [float(value) for _, value in points]
