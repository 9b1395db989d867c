"""A Redis server of our own, in a scratch folder, on a free port of loopback.

Skips the test where Redis is not installed, and fails where CI is set.
"""

import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TypeVar

import redis
from redis.exceptions import ConnectionError as RedisConnectionError

from support.certificates import an_authority
from support.guarded_registry import a_free_port
from support.missing import skip_or_fail
from weighbridge.domain.text.printable import Secret

S = TypeVar("S", bound="RedisServer")
_READY_S: Final = 60.0


class RedisServer:
    """It runs between `start` and `stop`; keeps nothing on disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = a_free_port()
        self.password: str | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> Secret:
        """As it is configured."""
        user = f":{self.password}@" if self.password else ""
        return Secret(f"redis://{user}127.0.0.1:{self.port}/0")

    def listening(self) -> list[str]:
        """Where, and for whom."""
        return ["--port", str(self.port)]

    def start(self) -> None:
        """Start it and wait until it answers."""
        program = shutil.which("redis-server")
        if program is None:
            skip_or_fail("redis-server is not installed: run scripts/servers")
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(program, *self.listening(), "--bind", "127.0.0.1"),
                    *("--save", "", "--appendonly", "no", "--dir", str(self._folder)),
                ],
                stdout=log,
                stderr=log,
            )
        ends_at = time.monotonic() + _READY_S
        with self.client() as client:
            while True:
                try:
                    client.ping()
                except RedisConnectionError:
                    assert time.monotonic() < ends_at, "no Redis"
                    time.sleep(0.02)
                else:
                    return

    def stop(self) -> None:
        """End it; all that it held is lost."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                self.resume()
            self._process.kill()
            self._process.wait()
            self._process = None

    @property
    def is_running(self) -> bool:
        """Frozen or not."""
        return self._process is not None

    def freeze(self) -> None:
        """It accepts connections and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """The opposite."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def client(self) -> "redis.Redis":
        """A client of the test's own, to be closed."""
        return redis.Redis(
            port=self.port, password=self.password, decode_responses=True
        )


class GuardedRedis(RedisServer):
    """One that speaks TLS only, and lets users do only what they need."""

    RIGHTS: Final = (
        *("~push", "~crawl", "~measure", "~notify", "~canary.*", "~weighbridge:*"),
        *("~unacked*", "~_kombu.*", "~*.pidbox"),
        *("&/0.celery.pidbox", "&/0.celeryev/*"),
        *("+@read", "+@write", "+@connection", "+@transaction", "+@pubsub"),
        *("+@scripting", "+time", "-@dangerous", "+info"),
    )
    """As docs/deploying/distributed.md has them."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.authority = an_authority(folder)
        self._certificate = self.authority.server_file("127.0.0.1")
        (folder / "users.acl").write_text(
            f"user weighbridge on >secret {' '.join(self.RIGHTS)}\n"
            "user default on >of-tests ~* &* +@all\n"
        )

    @property
    def url(self) -> Secret:
        """As it is configured."""
        return Secret(f"{self.unknown_url.reveal()}?ssl_ca_certs={self._ca_file}")

    @property
    def unknown_url(self) -> Secret:
        """The same, of a server whose authority nobody knows."""
        return Secret(f"rediss://weighbridge:secret@127.0.0.1:{self.port}/0")

    @property
    def _ca_file(self) -> str:
        return self.authority.ca_file

    def listening(self) -> list[str]:
        """Where, and for whom."""
        return [
            *("--port", "0", "--tls-port", str(self.port), "--tls-auth-clients", "no"),
            *("--tls-cert-file", str(self._certificate)),
            *("--tls-key-file", str(self._certificate)),
            *("--tls-ca-cert-file", self._ca_file),
            *("--aclfile", str(self._folder / "users.acl")),
        ]

    def client(self) -> "redis.Redis":
        """A client of the test's own, to be closed."""
        return redis.Redis(
            port=self.port,
            host="127.0.0.1",
            password="of-tests",
            ssl=True,
            ssl_ca_certs=self._ca_file,
            decode_responses=True,
        )


@contextmanager
def a_redis() -> Iterator[RedisServer]:
    """A running server until the block ends."""
    with _a_folder() as folder, _running(RedisServer(folder)) as server:
        yield server


@contextmanager
def a_guarded_redis() -> Iterator[GuardedRedis]:
    """The same with TLS and users."""
    with _a_folder() as folder, _running(GuardedRedis(folder)) as server:
        yield server


@contextmanager
def _a_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="weighbridge-redis-") as folder:
        yield Path(folder)


@contextmanager
def _running(server: S) -> Iterator[S]:
    server.start()
    try:
        yield server
    finally:
        server.stop()
