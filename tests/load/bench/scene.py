"""What the comparisons share: the sizes that were asked for, and running servers."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from load.bench.content import Paths
from load.bench.measured import clean_environment, measured, module
from support.docker_registry import docker_registry


@dataclass(frozen=True, slots=True)
class Server:
    """A running registry and what it holds."""

    address: str
    paths: Paths

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    @property
    def tags(self) -> int:
        return len(self.paths.manifests)

    def move_tags(self) -> None:
        """Each to an image of its own; of a registry that answers from memory."""
        httpx.get(f"{self.url}/_move", timeout=60, trust_env=False).raise_for_status()

    @property
    def repositories(self) -> int:
        return len({r.partition(":")[0] for r in self.paths.references})


@dataclass(frozen=True, slots=True)
class Options:
    """How much is measured.

    tags:        in docker-registry, spread over the repositories
    replay_tags: in the registry that answers from memory
    skopeo_tags: how many of the tags each way of running skopeo asks for
    ingest_tags: stored in each round
    small:       repositories of one tag
    pushes:      of each kind in each round
    series:      of the snapshots
    scrape_s:    seconds of scraping in each round
    wrk_s:       seconds of each run of wrk
    """

    rounds: int = 5
    tags: int = 1_000
    repositories: int = 1
    replay_tags: int = 4_000
    skopeo_tags: int = 80
    ingest_tags: int = 10_000
    small: int = 2_000
    pushes: int = 100
    series: tuple[int, ...] = (20_000, 100_000)
    scrape_s: int = 20
    wrk_s: int = 3


@dataclass(slots=True)
class Scene:
    """Servers are started when a comparison first asks, and end with `stack`."""

    options: Options
    folder: Path
    stack: ExitStack
    _registry: Server | None = None
    _replays: dict[tuple[int, float, int], Server] = field(default_factory=dict)

    def registry(self) -> Server:
        """docker-registry, filled."""
        if self._registry is None:
            self._registry = self.stack.enter_context(self._filled())
        return self._registry

    def replay(
        self, tags: int, delay_ms: float = 0, repositories: int | None = None
    ) -> Server:
        """The registry that answers from memory, each answer after a delay.

        repositories: in place of those of the options
        """
        key = (tags, delay_ms, repositories or self.options.repositories)
        if key not in self._replays:
            self._replays[key] = self.stack.enter_context(self._replay(*key))
        return self._replays[key]

    def work_folder(self, name: str) -> Path:
        """An empty place for one comparison."""
        folder = self.folder / name
        folder.mkdir()
        return folder

    @contextmanager
    def _filled(self) -> Iterator[Server]:
        folder, listing = self.folder / "registry", self.folder / "registry.json"
        say(f"filling docker-registry with {self.options.tags:,} tags")
        size = str(self.options.repositories), str(self.options.tags)
        measured(module("fill", *size, str(folder / "data"), str(listing)), self.folder)
        with docker_registry(folder) as registry:
            yield Server(registry.address, Paths.load(listing))

    @contextmanager
    def _replay(
        self, tags: int, delay_ms: float, repositories: int
    ) -> Iterator[Server]:
        listing = self.folder / f"replay-{repositories}-{tags}-{delay_ms}.json"
        numbers = str(repositories), str(tags), str(delay_ms)
        process = subprocess.Popen(
            module("replay_server", *numbers, str(listing)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=clean_environment(self.folder),
        )
        with process:
            assert process.stdin is not None
            assert process.stdout is not None
            port = int(process.stdout.readline())
            yield Server(f"127.0.0.1:{port}", Paths.load(listing))
            process.stdin.close()


def say(text: str) -> None:
    """Tell whoever waits; results go to standard output."""
    print(text, file=sys.stderr, flush=True)
