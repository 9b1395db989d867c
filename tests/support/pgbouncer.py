"""A PgBouncer of our own before a PostgreSQL server of the tests.

Skips the test where it is not installed, and fails where CI is set.
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal
from urllib.parse import parse_qs, urlsplit

import psycopg

from support.guarded_registry import a_free_port
from support.missing import skip_or_fail

_READY_S: Final = 30.0


@contextmanager
def in_session_mode(url: str) -> Iterator[str]:
    """The URL of the same database through PgBouncer, until the block ends."""
    with _a_pgbouncer(url, "session") as pooled:
        yield pooled


@contextmanager
def _a_pgbouncer(url: str, mode: Literal["session", "transaction"]) -> Iterator[str]:
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if program is None:
        skip_or_fail("pgbouncer is not installed: run scripts/servers")
    parts = urlsplit(url)
    name, port = parts.path.removeprefix("/"), a_free_port()
    (host,) = parse_qs(parts.query)["host"]
    with tempfile.TemporaryDirectory(prefix="weighbridge-pgbouncer-") as made:
        folder = Path(made)
        (folder / "users.txt").write_text('"weighbridge" ""\n')
        (folder / "pgbouncer.ini").write_text(
            "[databases]\n"
            f"{name} = host={host} dbname={name} user=weighbridge\n"
            "[pgbouncer]\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
            f"pool_mode = {mode}\nauth_type = trust\nauth_file = {folder}/users.txt\n"
            "default_pool_size = 40\nserver_reset_query = DISCARD ALL\n"
        )
        is_root = os.geteuid() == 0
        if is_root:
            folder.chmod(0o755)
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [program, str(folder / "pgbouncer.ini")],
                stdout=log,
                stderr=log,
                # It refuses to run as root.
                user="postgres" if is_root else None,
                group="postgres" if is_root else None,
            )
        pooled = f"postgresql://weighbridge@127.0.0.1:{port}/{name}"
        try:
            _wait_until_ready(pooled, folder / "log")
            yield pooled
        finally:
            process.kill()
            process.wait()


def _wait_until_ready(url: str, log: Path) -> None:
    ends_at = time.monotonic() + _READY_S
    while True:
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError:
            assert time.monotonic() < ends_at, log.read_text()
            time.sleep(0.05)
        else:
            return
