"""Databases of each schema that was ever final, as SQL with what was in them.

Make those of today's schema, once it is final, with:

    PYTHONPATH=tests python -m support.stored_database
"""

import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import httpx
from sqlalchemy import make_url

from support.data import data_path
from support.database import Engine
from support.generated_content import generated_content
from support.message_sink import message_sink
from support.postgres import a_postgresql_url, run_tool
from support.serving import PLAIN, free_address, serving
from support.wait import wait_in_thread
from weighbridge.demo.http.server import RunningDemo
from weighbridge.store.schema import REVISION

_SECRET: Final = "a-secret-of-the-sender"
_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
_CONFIG: Final = """
database_url: {database}
registries:
  - {{name: near, url: "http://127.0.0.1:{port}", interval: 1h}}
policies:
  - {{name: small, max_compressed: 1KB}}
webhooks:
  - {{source: distribution, registry: near, secret: {secret}}}
channels:
  - {{name: hook, kind: webhook, url: "{sink}", allow_private: true, plain_http: true}}
"""


def stored_sql(engine: Engine, revision: str) -> Path:
    """The file of one."""
    return data_path(f"databases/{revision}.{engine}.sql")


def load(url: str, engine: Engine, text: str) -> None:
    """Make a database of SQL, where none is yet."""
    if engine == "sqlite":
        with sqlite3.connect(str(make_url(url).database)) as connection:
            connection.executescript(text)
        connection.close()
    else:
        with tempfile.NamedTemporaryFile("w", suffix=".sql", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            Path(file.name).chmod(0o644)
            run_tool("psql", "-q", "-v", "ON_ERROR_STOP=1", "-f", file.name, "-d", url)


def dumped(url: str, engine: Engine, *, is_schema_only: bool = False) -> str:
    """A database as SQL."""
    if engine == "sqlite":
        with sqlite3.connect(str(make_url(url).database)) as connection:
            lines = sorted(_schema(connection)) if is_schema_only else _all(connection)
        connection.close()
        return "\n".join(lines) + "\n"
    less = ("--schema-only",) if is_schema_only else ("--rows-per-insert=50",)
    text = run_tool("pg_dump", "--no-owner", "--no-privileges", *less, "-d", url)
    # Its versions differ in what they say of themselves, and newer ones guard their
    # text with a random key for psql.
    kept = (
        line
        for line in text.splitlines()
        if not line.startswith(("--", "\\", "SET ", "SELECT pg_catalog.set_config"))
    )
    return "\n".join(line for line in kept if line) + "\n"


def _schema(connection: sqlite3.Connection) -> list[str]:
    rows = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")
    # A column that was added later has no line of its own in its table's text.
    return [f"{' '.join(sql.split())};" for (sql,) in rows]


def _all(connection: sqlite3.Connection) -> list[str]:
    # By this number we know a file as ours. Tables that ANALYZE fills are SQLite's own.
    (ours,) = connection.execute("PRAGMA application_id").fetchone()
    lines = (line for line in connection.iterdump() if "sqlite_stat" not in line)
    return [f"PRAGMA application_id = {ours};", *lines]


def make(url: str) -> None:
    """Have Weighbridge learn something of everything, in an empty database."""
    with tempfile.TemporaryDirectory() as folder, message_sink() as sink:
        place = Path(folder)
        running = RunningDemo(generated_content(repositories=2, tags=3))
        port = httpx.URL(running.url).port or 0
        text = _CONFIG.format(database=url, port=port, sink=sink.url, secret=_SECRET)
        (place / "weighbridge.yaml").write_text(text, encoding="utf-8")
        _run(place, "crawl")
        running.close()
        # Another tag in each repository, of which a webhook tells.
        running = RunningDemo(generated_content(repositories=2, tags=4), port)
        address = free_address()
        command = [*_WEIGHBRIDGE, "up", "--bind", address]
        with serving(command, place, address, "/readyz"):
            event = {
                "id": "e-1",
                "action": "push",
                "target": {
                    "mediaType": _MANIFEST,
                    "digest": f"sha256:{'a' * 64}",
                    "repository": "load/r00000",
                    "tag": "t0000003",
                },
            }
            httpx.post(
                f"http://{address}/webhooks/distribution",
                json={"events": [event]},
                headers={"Authorization": f"Bearer {_SECRET}"},
                trust_env=False,
                verify=PLAIN,
            ).raise_for_status()
            wait_in_thread(lambda: bool(sink.taken), "a message")
        _run(place, "token", "create", "--role", "read", "--name", "grafana")
        _run(
            place,
            *("waive", "create", "near/load/r00001:t0000002", "--limit"),
            *("max_compressed", "--reason", "until it is smaller", "--until", "30d"),
        )
        running.close()


_WEIGHBRIDGE: Final = (sys.executable, "-m", "weighbridge")


def _run(folder: Path, *arguments: str) -> None:
    done = subprocess.run(
        [*_WEIGHBRIDGE, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | {"WEIGHBRIDGE_CONFIG": str(folder / "weighbridge.yaml")},
    )
    assert done.returncode in (0, 1), done.stderr


def main() -> None:
    """Write those of today's schema."""
    stored_sql("sqlite", REVISION).parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/weighbridge.db"
        make(url)
        stored_sql("sqlite", REVISION).write_text(dumped(url, "sqlite"), "utf-8")
    with a_postgresql_url(is_migrated=False) as url:
        make(url)
        text = dumped(url, "postgresql")
        stored_sql("postgresql", REVISION).write_text(text, "utf-8")


if __name__ == "__main__":
    main()
