"""A PostgreSQL server of our own, in a scratch folder, over a socket in it.

Skips the test where PostgreSQL is not installed, and fails where CI is set.
"""

import atexit
import functools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, LiteralString, TypedDict, cast

import psycopg
from psycopg import sql

from support.missing import skip_or_fail
from weighbridge.store.schema import upgrade
from weighbridge.store.session import open_database

_READY_S: Final = 60.0
_USER: Final = "weighbridge"
_PORT: Final = 5432  # only the name of the socket
# Nothing here outlives the machine; what a server's crash loses stays on.
_QUICK: Final = ("fsync=off", "full_page_writes=off", "max_wal_size=256MB")
_HASTY: Final = ("synchronous_commit=off",)
_TEMPLATE: Final = "migrated"


class _AsUser(TypedDict, total=False):
    user: str
    group: str
    extra_groups: list[str]


class Cluster:
    """A server's data; it runs between `start` and one of the stops."""

    def __init__(self, folder: Path, settings: Sequence[str] = ()) -> None:
        self.folder = folder
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._names = 0
        run_tool(
            "initdb",
            *("-D", str(self._data), "-U", _USER, "-A", "trust", "-E", "UTF8"),
            # Another order than that of bytes, so that a text which is to be sorted
            # by its bytes shows where it is not.
            *("--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US"),
            "--no-sync",
        )

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> str:
        """What the server has printed so far."""
        return (self.folder / "log").read_text(errors="replace")

    def url(self, name: str) -> str:
        """The URL of a database, as a person would configure it."""
        return f"postgresql://{_USER}@/{name}?host={self.folder}"

    @property
    def is_running(self) -> bool:
        """Whether the server has not ended, by itself or by us."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the server and wait until it answers; it recovers by itself."""
        settings = (*_QUICK, *self._settings)
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(_program("postgres"), "-D", str(self._data)),
                    *("-k", str(self.folder), "-p", str(_PORT), "-h", ""),
                    *(word for setting in settings for word in ("-c", setting)),
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
                **_as_user(),
            )
        self._wait_until_ready(self._process)

    def stop(self) -> None:
        """End it: sessions are closed, everything is written."""
        self._end(signal.SIGINT)

    def stop_immediately(self) -> None:
        """As if it had crashed: nothing is written, the next start recovers."""
        self._end(signal.SIGQUIT)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """While the block runs neither the server nor any of its sessions does
        anything; what comes is taken by the system, and never answered."""
        stopped: set[int] = set()
        try:
            # The first one starts the others.
            while found := self._processes() - stopped:
                for pid in found:
                    # A session's process may end just now.
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGSTOP)
                stopped |= found
            yield
        finally:
            for pid in stopped:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def _processes(self) -> set[int]:
        assert self._process is not None
        first = self._process.pid
        children = Path(f"/proc/{first}/task/{first}/children").read_text()
        return {first, *map(int, children.split())}

    def create(
        self,
        name: str | None = None,
        *,
        template: str = "template0",
        tablespace: str = "pg_default",
    ) -> str:
        """A new database; returns its name."""
        if name is None:
            self._names += 1
            name = f"test{self._names}"
        # Copying files costs a third of what writing all of it to the log does.
        self.execute(
            sql.SQL(
                "CREATE DATABASE {} TEMPLATE {} TABLESPACE {} STRATEGY file_copy"
            ).format(*map(sql.Identifier, (name, template, tablespace)))
        )
        return name

    def create_tablespace(self, folder: Path) -> str:
        """A place for databases in a new folder, perhaps of another disk; returns its
        name."""
        folder.mkdir()
        if (user := _as_user().get("user")) is not None:
            shutil.chown(folder, user, user)
        self.execute(
            sql.SQL("CREATE TABLESPACE elsewhere LOCATION {}").format(str(folder))
        )
        return "elsewhere"

    def drop(self, name: str) -> None:
        """Remove a database, whoever is still connected."""
        self.execute(
            sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
        )

    def execute(self, statement: sql.Composed | str, database: str = "postgres") -> str:
        """Run one statement outside a transaction; the first value, as text."""
        with self.connect(database) as connection:
            query = cast(LiteralString, statement)
            cursor = connection.execute(query)
            row = cursor.fetchone() if cursor.description else None
            return "" if row is None else str(row[0])

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """A connection of the test's own, each statement for itself."""
        return psycopg.connect(
            host=str(self.folder), user=_USER, dbname=database, autocommit=True
        )

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(number)
        try:
            self._process.wait(_READY_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        ends_at = time.monotonic() + _READY_S
        while True:
            try:
                self.connect().close()
            except psycopg.OperationalError:
                if process.poll() is not None or time.monotonic() > ends_at:
                    raise AssertionError(f"no server:\n{self.log}") from None
                time.sleep(0.02)
            else:
                return


@contextmanager
def a_cluster(
    *settings: str, folder: Path | None = None, keeps_commits: bool = True
) -> Iterator[Cluster]:
    """A running server until the block ends.

    folder:        an empty one for it; None for one that ends with the block
    keeps_commits: whether a crash of the server loses no transaction
    """
    made = (
        Path(tempfile.mkdtemp(prefix="weighbridge-pg-")) if folder is None else folder
    )
    try:
        if (user := _as_user().get("user")) is not None:
            shutil.chown(made, user, user)
        cluster = Cluster(made, settings if keeps_commits else (*_HASTY, *settings))
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.stop_immediately()
    finally:
        if folder is None:
            shutil.rmtree(made, ignore_errors=True)


@functools.cache
def shared_cluster() -> Cluster:
    """One server for all tests of this process, which ends with it."""
    running = a_cluster(keeps_commits=False)
    cluster = running.__enter__()
    atexit.register(running.__exit__, None, None, None)
    name = cluster.create(_TEMPLATE)
    database = open_database(cluster.url(name))
    upgrade(database)
    database.close()
    return cluster


@contextmanager
def a_postgresql_url(*, is_migrated: bool = True) -> Iterator[str]:
    """A database of today's schema, or an empty one, until the block ends."""
    cluster = shared_cluster()
    name = cluster.create(template=_TEMPLATE if is_migrated else "template0")
    try:
        yield cluster.url(name)
    finally:
        cluster.drop(name)


def run_tool(program: str, *arguments: str) -> str:
    """What one of PostgreSQL's programs prints; it has to end well."""
    done = subprocess.run(
        [_program(program), *arguments],
        capture_output=True,
        text=True,
        check=False,
        **_as_user(),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _as_user() -> _AsUser:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    return {"user": "postgres", "group": "postgres", "extra_groups": []}


def _program(name: str) -> str:
    # Debian keeps the server's programs out of the PATH, one folder a version.
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    found = str(installed[-1]) if installed else shutil.which(name)
    if found is None:
        skip_or_fail(f"{name} is not installed: run scripts/servers")
    return found
