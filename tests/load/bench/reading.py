"""Metrics and API of many repositories, read while the same process crawls."""

import http.client
import json
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Final

from load.bench.comparison import Comparison
from load.bench.measured import clean_environment, measured, module, weighbridge
from load.bench.results import Figure, Result, Tally, ratio
from load.bench.scene import Scene, say
from load.bench.scraping import percentile
from support.replica.fleet import Fleet
from support.replica.process import Replica, fleet_replica
from support.wait import wait_in_thread

_REPOSITORIES: Final = 50_000
_METRICS: Final = "/metrics/repositories"
_API: Final = "/api/v1/repositories?limit=100"
_PATHS: Final = {_METRICS: "scrape", _API: "API page"}
_P99_MS: Final = {
    (20_000, _METRICS): 50.0,
    (100_000, _METRICS): 1_000.0,
    (20_000, _API): 100.0,
    (100_000, _API): 100.0,
}
"""Milliseconds that design asks for, by budget of series."""
_FLEET: Final = Fleet(repositories=200, tags=400_000, largest=2_000)
"""More than is ever crawled while we look, in repositories of which many end."""
_MOST_ROUNDS: Final = 3
_EVERY_S: Final = 0.05
_START_S: Final = 60.0
_ABOUT: Final = f"""\
`weighbridge up` over a SQLite file with {_REPOSITORIES:,} repositories of a registry
that is away, and with a budget of so many series. `at rest` it crawls nothing;
`crawling` it reads a registry of {_FLEET.tags:,} tags meanwhile, as fast as one process
can, so that readers, the crawl and the rendering of snapshots share one interpreter.
One client asks in turn for the inventory, as gzip, and for the first page of the API,
over one connection with {_EVERY_S * 1000:.0f} ms between; the first scrape, which
has to wait for the first snapshot, is not counted."""


def run(scene: Scene) -> Result:
    """Rounds at each budget, at rest and crawling."""
    options, tally = scene.options, Tally()
    rounds = min(options.rounds, _MOST_ROUNDS)
    folder = scene.work_folder("reading")
    for series in options.series:
        for number in range(rounds):
            say(f"reading: {series:,} series, round {number + 1}")
            _round(tally, series, options.scrape_s, folder)
    figures = [*map(_aimed, tally.figures)]
    figures += [
        ratio(
            f"{series:,}: {name}: median crawling over at rest",
            tally.figure(_name(series, name, "crawling", "median"), "ms"),
            tally.figure(_name(series, name, "at rest", "median"), "ms"),
        )
        for series in options.series
        for name in _PATHS.values()
    ]
    return Result("reading", rounds, tuple(figures))


def _name(series: int, what: str, how: str, which: str) -> str:
    return f"{series:,}: {what} {how}: {which}"


def _aimed(figure: Figure) -> Figure:
    for (series, path), most_ms in _P99_MS.items():
        if figure.name == _name(series, _PATHS[path], "crawling", "p99"):
            return Figure(figure.name, figure.unit, figure.values, "<=", most_ms)
    return figure


def _round(tally: Tally, series: int, seconds: float, folder: Path) -> None:
    database = folder / "weighbridge.db"
    for path in folder.glob("weighbridge.db*"):
        path.unlink()
    count = str(_REPOSITORIES)
    measured(module("reading_store", f"sqlite:///{database}", count), folder)
    with _serving(folder, series, []) as port:
        _note(tally, series, "at rest", _read(port, seconds))
    with (
        fleet_replica(_FLEET) as replica,
        _serving(folder, series, [replica.url]) as port,
    ):
        wait_in_thread(
            lambda: _manifests(replica) > 0, "the crawl begins", deadline_s=_START_S
        )
        before = _manifests(replica)
        _note(tally, series, "crawling", _read(port, seconds))
        read = _manifests(replica) - before
        # A crawl that stands still would make reading look quick.
        if read < 50 * seconds:
            raise RuntimeError(f"only {read} manifests were read in {seconds} s")
        tally.note(f"{series:,}: crawled meanwhile", "manifests/s", read / seconds)


def _manifests(replica: Replica) -> int:
    return replica.counts().get("get_manifest", 0)


def _note(
    tally: Tally, series: int, how: str, took: dict[str, Sequence[float]]
) -> None:
    for path, seconds in took.items():
        name = _PATHS[path]
        for which, value in (
            ("median", median(seconds)),
            ("p99", percentile(seconds, 99)),
            ("slowest", max(seconds)),
        ):
            tally.note(_name(series, name, how, which), "ms", value * 1000)


def _read(port: int, seconds: float) -> dict[str, Sequence[float]]:
    """How long each answer took to its last byte, by path."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_START_S)
    took: dict[str, list[float]] = {path: [] for path in _PATHS}
    try:
        _get(connection, _METRICS)
        ends_at = time.monotonic() + seconds
        while time.monotonic() < ends_at:
            for path, times in took.items():
                began = time.perf_counter()
                _get(connection, path)
                times.append(time.perf_counter() - began)
                time.sleep(_EVERY_S)
    finally:
        connection.close()
    return {path: times for path, times in took.items()}


def _get(connection: http.client.HTTPConnection, path: str) -> None:
    connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{path}: {answer.status}: {body[:500]!r}")


@contextmanager
def _serving(folder: Path, series: int, crawled: Sequence[str]) -> Iterator[int]:
    """`weighbridge up` over the file of this folder; its port."""
    port = _free_port()
    # Nobody listens on port 1: what is known of `hub` stays.
    urls = {"hub": "http://127.0.0.1:1"} | {f"r{n}": u for n, u in enumerate(crawled)}
    settings = {
        "database_url": f"sqlite:///{folder / 'weighbridge.db'}",
        "registries": [
            {"name": name, "url": url, "interval": "1d"} for name, url in urls.items()
        ],
        "metrics": {"max_series": series},
        "web": {"bind": f"127.0.0.1:{port}"},
    }
    # JSON is YAML.
    (folder / "weighbridge.yaml").write_text(json.dumps(settings), encoding="utf-8")
    process = subprocess.Popen(
        weighbridge("up", "--config", "weighbridge.yaml"),
        cwd=folder,
        env=clean_environment(folder),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with process:
        try:
            wait_in_thread(lambda: _answers(port), "it serves", deadline_s=_START_S)
            yield port
        finally:
            process.terminate()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


COMPARISON: Final = Comparison("reading", "Reading while it crawls", _ABOUT, run)
