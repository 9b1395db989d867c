"""Everything that a distributed Weighbridge runs, over a registry of made-up images,
and a supervisor that starts anew what has ended."""

import json
import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from support.moved_clock import MovedClock
from support.postgres import Cluster, a_cluster
from support.process_group import group_members
from support.push_latency import POLICY
from support.redis_server import RedisServer, a_redis
from support.replica.process import Replica
from support.serving import free_address
from support.worker_crew import Crew, Process
from weighbridge.store.schema import upgrade
from weighbridge.store.session import Database, open_database

SECRET: Final = "a-secret-of-the-soak"
_LOOK_S: Final = 0.5
_WORKERS: Final = 2


@dataclass(slots=True)
class Site:
    """Who works; what is called `worker-1` stays so when it is started anew.

    restarts: how often each was
    clocks:   of the workers, where they have some
    """

    folder: Path
    cluster: Cluster
    redis: RedisServer
    database_url: str
    database: Database
    registry: Replica
    address: str
    crew: Crew
    running: dict[str, Process] = field(default_factory=dict)
    restarts: Counter[str] = field(default_factory=Counter)
    clocks: dict[str, MovedClock] = field(default_factory=dict)
    _withheld: set[str] = field(default_factory=set)
    _commands: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _is_over: threading.Event = field(default_factory=threading.Event)

    def start(self, *, has_clocks: bool = False) -> None:
        """All of it, and the supervisor.

        has_clocks: workers read the time by clocks of their own
        """
        self._add("serve", "serve", "--bind", self.address)
        for name in (f"worker-{number + 1}" for number in range(_WORKERS)):
            if has_clocks:
                self.clocks[name] = MovedClock(self.folder / f"{name}.clock")
            self._add(name, "worker", "--concurrency", "1")
        self._add("scheduler", "scheduler")
        threading.Thread(target=self._supervise, daemon=True).start()

    def add_up(self) -> str:
        """Also `up`, over a SQLite file of its own; the address at which it serves."""
        address = free_address()
        place = f"sqlite:///{self.folder / 'up.db'}"
        config = str(self.alone("up", database_url=place))
        self._add("up", "up", "--bind", address, "--config", config)
        return address

    def alone(self, name: str, **more: object) -> Path:
        """A configuration for one process, with further keys: what others share by
        Redis is not for it, and nothing limits it."""
        settings = json.loads(self.crew.config.read_text()) | more
        del settings["redis_url"]
        for registry in settings["registries"]:
            registry.pop("limits", None)
        path = self.folder / f"{name}.yaml"
        path.write_text(json.dumps(settings))
        return path

    def stop(self) -> None:
        """All of it, as if the machine died."""
        self._is_over.set()
        for process in list(self.crew.processes):
            _kill_group(process.popen.pid)
            process.popen.wait()

    def pids(self, name: str) -> list[int]:
        """The processes of one of them."""
        return [member.pid for member in group_members(self.running[name].popen.pid)]

    def names(self, start: str = "") -> list[str]:
        return [name for name in self.running if name.startswith(start)]

    def log(self, name: str) -> str:
        """The end of what it printed, also before it was started anew."""
        logs = [p for p in self.crew.processes if p.name.startswith(name)]
        return "\n".join(process.log[-2_000:] for process in logs)

    @contextmanager
    def withheld(self, name: str) -> Iterator[None]:
        """It is killed, and not started anew before the block ends."""
        self._withheld.add(name)
        _kill_group(self.running[name].popen.pid)
        yield
        self._withheld.remove(name)

    def _add(self, name: str, *command: str) -> None:
        self._commands[name] = command
        self.running[name] = self._run(name)

    def _run(self, name: str) -> Process:
        clock = self.clocks.get(name)
        more = {} if clock is None else clock.environment
        return self.crew.start(*self._commands[name], environment=more)

    def _supervise(self) -> None:
        """As systemd does it: where the first process has ended, the others of its
        group are ended, too."""
        while not self._is_over.wait(_LOOK_S):
            for name, process in list(self.running.items()):
                if process.popen.poll() is not None and name not in self._withheld:
                    _kill_group(process.popen.pid)
                    self.restarts[name] += 1
                    self.running[name] = self._run(name)


@contextmanager
def a_site(
    folder: Path, registry: Replica, settings: Mapping[str, object]
) -> Iterator[Site]:
    """Nobody works yet; all end with the block.

    settings: keys of the registry's configuration
    """
    folder.mkdir()
    with ExitStack() as stack:
        cluster = stack.enter_context(a_cluster())
        redis = stack.enter_context(a_redis())
        url = cluster.url(cluster.create())
        database = open_database(url)
        stack.callback(database.close)
        upgrade(database)
        config = folder / "weighbridge.yaml"
        config.write_text(_configuration(url, redis, registry, settings))
        crew = Crew(folder, redis, url, database, config)
        site = Site(
            folder, cluster, redis, url, database, registry, free_address(), crew
        )
        stack.callback(site.stop)
        yield site


def _configuration(
    url: str, redis: RedisServer, registry: Replica, settings: Mapping[str, object]
) -> str:
    """JSON is YAML."""
    return json.dumps(
        {
            "database_url": url,
            "redis_url": redis.url.reveal(),
            "registries": [{"name": "near", "url": registry.url, **settings}],
            "policies": [dict(POLICY)],
            "webhooks": [
                {"source": "distribution", "registry": "near", "secret": SECRET}
            ],
        }
    )


def _kill_group(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
