"""A Prometheus of our own on a free loopback port, asked over its API."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import httpx
import yaml

from support.alert_rules import program
from support.serving import PLAIN, free_address, log_of, serving

Sample: TypeAlias = tuple[Mapping[str, str], Sequence[float]]
"""The labels of a series, and its values in the order of time."""


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
        return log_of(self.folder)

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
            verify=PLAIN,
            timeout=10,
        ).json()
        if answer["status"] != "success":
            raise QueryRefused(f"{answer['error']}: {parameters}")
        data: object = answer["data"]
        return data


@contextmanager
def prometheus(
    folder: Path, configuration: Mapping[str, object]
) -> Iterator[Prometheus]:
    """A Prometheus with this configuration until the block ends."""
    folder.mkdir(exist_ok=True)
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    address = free_address()
    command = [
        program("prometheus"),
        "--config.file=prometheus.yml",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        "--storage.tsdb.retention.time=1h",
        f"--web.listen-address={address}",
    ]
    with serving(command, folder, address):
        yield Prometheus(f"http://{address}", folder)


def each_second(
    jobs: Mapping[str, Job], rule_files: Sequence[Path] = ()
) -> dict[str, object]:
    """A configuration that scrapes and judges every second.

    jobs: by their names
    """
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


def _sample(series: Mapping[str, object]) -> Sample:
    labels = series["metric"]
    points = series["values"] if "values" in series else [series["value"]]
    assert isinstance(labels, dict)
    assert isinstance(points, list)
    return labels, [float(value) for _, value in points]
