"""`weighbridge doctor` at broken installations: each time it names the cause."""

import os
import socket
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from support.certificates import an_authority
from support.docker_registry import DockerRegistry, docker_registry, htpasswd
from support.doctor import Capture, configure, look, look_apart
from support.mounts import KIB, MIB, SmallDisk, on_a_small_disk
from support.moved_clock import MovedClock
from support.postgres import Cluster, shared_cluster
from support.redis_server import RedisServer, a_redis
from weighbridge.store.schema import upgrade
from weighbridge.store.session import open_database

PASSWORD: Final = "c4nary-of-tests"
OWNER: Final = "ann"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    return made(f"sqlite:///{tmp_path}/w.db")


def made(url: str) -> str:
    database = open_database(url)
    upgrade(database)
    database.close()
    return url


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    """With a user who has a password, and owns nothing."""
    cluster = shared_cluster()
    cluster.execute(f"CREATE ROLE guest LOGIN PASSWORD '{PASSWORD}'")
    rules = cluster.folder / "data" / "pg_hba.conf"
    rules.write_text(f"local all guest scram-sha-256\n{rules.read_text()}")
    cluster.execute("SELECT pg_reload_conf()")
    return cluster


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with a_redis() as server:
        yield server


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    folder = tmp_path_factory.mktemp("guarded")
    auth = htpasswd(folder, OWNER, PASSWORD)
    authority = an_authority(folder)
    with docker_registry(folder / "r", auth=auth, authority=authority) as running:
        yield running


def entry(registry: DockerRegistry, **keys: object) -> dict[str, object]:
    assert registry.authority is not None
    right = {
        "ca_file": registry.authority.ca_file,
        "auth": {"username": OWNER, "password": PASSWORD},
    }
    return {"name": "hub", "url": registry.url, **right, **keys}


def test_where_all_is_right_it_says_so_and_changes_nothing(
    tmp_path: Path, sqlite: str, registry: DockerRegistry, capsys: Capture
) -> None:
    configure(tmp_path, database_url=sqlite, registries=[entry(registry)])
    before = (tmp_path / "w.db").read_bytes()

    found = look(capsys)

    assert (found.code, found.faults) == (0, [])
    assert found.of("database", "ok")["text"].startswith("it answers and has schema")
    assert "lets us in" in found.of("registry hub", "ok")["text"]
    assert found.of("database rights", "ok")
    assert (tmp_path / "w.db").read_bytes() == before
    assert PASSWORD not in found.said


def test_a_wrong_password_of_the_database(
    tmp_path: Path, cluster: Cluster, capsys: Capture
) -> None:
    url = cluster.url(cluster.create()).replace("weighbridge@", "guest:s3cret-wrong@")
    configure(tmp_path, database_url=url)

    found = look(capsys)

    fault = found.of("database", "fault")
    assert (found.code, fault["code"]) == (1, "database_auth")
    assert "s3cret-wrong" not in found.said
    assert "not checked" in found.of("database room", "warning")["text"]


def test_a_user_of_the_database_who_may_not_make_tables(
    tmp_path: Path, cluster: Cluster, capsys: Capture
) -> None:
    name = cluster.create()
    made(cluster.url(name))
    cluster.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO guest", name)
    url = cluster.url(name).replace("weighbridge@", f"guest:{PASSWORD}@")
    configure(tmp_path, database_url=url)

    found = look(capsys)

    assert found.faults == ["database rights"]
    assert "GRANT CREATE" in found.of("database rights", "fault")["action"]
    assert PASSWORD not in found.said


def test_a_database_that_takes_no_writes(
    tmp_path: Path, cluster: Cluster, capsys: Capture
) -> None:
    name = cluster.create()
    made(cluster.url(name))
    cluster.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    configure(tmp_path, database_url=cluster.url(name))

    found = look(capsys)

    assert found.faults == ["database rights"]
    assert found.of("database rights", "fault")["code"] == "read_only"


@pytest.mark.parametrize(
    ("revision", "action"),
    [
        ("0005", "run: weighbridge db upgrade"),
        ("9005", "use that version, or name another database"),
    ],
)
def test_a_database_of_another_schema(
    tmp_path: Path, sqlite: str, capsys: Capture, revision: str, action: str
) -> None:
    with closing(sqlite3.connect(tmp_path / "w.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", [revision])
    configure(tmp_path, database_url=sqlite)

    fault = look(capsys).of("database", "fault")

    assert f"has schema {revision}" in fault["text"]
    assert fault["action"] == action


def test_a_disk_that_is_nearly_full(tmp_path: Path, capsys: Capture) -> None:
    def story(disk: SmallDisk) -> None:
        configure(tmp_path, database_url=made(f"sqlite:///{disk.folder}/w.db"))
        disk.fill(but=600 * KIB)

        fault = look(capsys).of("database room", "fault")

        assert fault["code"] == "disk_full"
        assert "free some space" in fault["action"]

    on_a_small_disk(8 * MIB, story)


def test_a_clock_that_is_off(tmp_path: Path, cluster: Cluster) -> None:
    name = cluster.create()
    configure(tmp_path, database_url=made(cluster.url(name)))
    clock = MovedClock(tmp_path / "clock")
    clock.move(-7200)

    found = look_apart(tmp_path, {**os.environ, **clock.environment})

    fault = found.of("database clock", "fault")
    assert found.code == 1
    assert "2 h behind" in fault["text"]
    assert "NTP" in fault["action"]


@pytest.mark.parametrize("url_has_one", [True, False])
def test_a_wrong_password_of_redis(
    tmp_path: Path,
    sqlite: str,
    redis: RedisServer,
    capsys: Capture,
    *,
    url_has_one: bool,
) -> None:
    user = ":s3cret-wrong@" if url_has_one else ""
    url = f"redis://{user}127.0.0.1:{redis.port}/0"
    configure(tmp_path, database_url=sqlite, redis_url=url)
    with redis.client() as client:
        client.config_set("requirepass", PASSWORD)
        try:
            found = look(capsys)
        finally:
            client.config_set("requirepass", "")

    assert found.of("redis", "fault")["code"] == "redis_auth"
    assert "s3cret-wrong" not in found.said


def test_a_redis_that_drops_what_workers_are_to_do(
    tmp_path: Path, sqlite: str, redis: RedisServer, capsys: Capture
) -> None:
    configure(tmp_path, database_url=sqlite, redis_url=redis.url.reveal())
    with redis.client() as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            found = look(capsys)
        finally:
            client.config_set("maxmemory-policy", "noeviction")

    assert found.of("redis", "ok")
    fault = found.of("redis memory", "fault")
    assert "allkeys-lru" in fault["text"]
    assert "noeviction" in fault["action"]


def test_a_registry_that_refuses_the_password(
    tmp_path: Path, sqlite: str, registry: DockerRegistry, capsys: Capture
) -> None:
    wrong = entry(registry, auth={"username": OWNER, "password": "s3cret-wrong"})
    configure(tmp_path, database_url=sqlite, registries=[wrong])

    found = look(capsys)

    fault = found.of("registry hub", "fault")
    assert (found.faults, fault["code"]) == (["registry hub"], "unauthorized")
    assert fault["text"].startswith("sign in: ")
    assert fault["action"] not in ("", "None")
    assert "s3cret-wrong" not in found.said


def test_a_registry_whose_certificate_is_unknown_and_one_whose_name_is(
    tmp_path: Path, sqlite: str, registry: DockerRegistry, capsys: Capture
) -> None:
    unknown = entry(registry, ca_file=None)
    nowhere = {"name": "gone", "url": "https://registry.invalid"}
    configure(tmp_path, database_url=sqlite, registries=[unknown, nowhere])

    found = look(capsys)

    fault = found.of("registry hub", "fault")
    assert fault["code"] == "tls_error"
    assert "ca_file" in fault["action"]
    fault = found.of("registry gone", "fault")
    assert fault["code"] == "dns_error"


def test_a_secret_that_cannot_be_read_and_one_that_everybody_can(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    with tempfile.TemporaryDirectory(prefix="weighbridge-doctor-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        secret = folder / "password"
        secret.write_text(PASSWORD)
        url = f"sqlite:///{folder}/w.db"
        auth = {"username": OWNER, "password_file": str(secret)}
        hub = {"name": "hub", "url": "http://127.0.0.1:1", "auth": auth}
        configure(folder, database_url=url, registries=[hub])
        environ = {**os.environ, "HOME": name}

        secret.chmod(0o000)
        closed = look_apart(folder, environ, obeys_rights=True)
        secret.chmod(0o444)
        monkeypatch.chdir(folder)
        opened = look(capsys)
        monkeypatch.undo()

    fault = closed.of("configuration", "fault")
    assert closed.code == 1
    assert f"{secret} cannot be read: Permission denied" in fault["text"]
    warning = opened.of("secrets", "warning")
    assert "every user of this machine may read" in warning["text"]
    assert warning["action"] == f"chmod o= {secret}"
    assert PASSWORD not in closed.said + opened.said


@pytest.mark.parametrize(
    ("url", "is_told"),
    [
        (f"postgresql://weighbridge:{PASSWORD}@127.0.0.1:1/w", True),
        ("postgresql://weighbridge@127.0.0.1:1/w", False),
    ],
)
def test_a_configuration_file_with_a_password_that_everybody_can_read(
    url: str, is_told: bool, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    with tempfile.TemporaryDirectory(prefix="weighbridge-doctor-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        configure(folder, database_url=url)
        file = folder / "weighbridge.yaml"
        monkeypatch.chdir(folder)

        file.chmod(0o644)
        opened = look(capsys)
        file.chmod(0o640)
        closed = look(capsys)
        monkeypatch.undo()

    assert ("secrets" in opened.names) is is_told
    assert "secrets" not in closed.names
    if is_told:
        told = opened.of("secrets", "warning")["text"]
        assert "holds secrets itself: every user of this machine may read" in told
    assert PASSWORD not in opened.said + closed.said


def test_with_everything_away_it_ends_in_time_and_says_each(
    tmp_path: Path, capsys: Capture
) -> None:
    """They accept connections and say nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        configure(
            tmp_path,
            database_url=f"postgresql://weighbridge@127.0.0.1:{port}/w",
            redis_url=f"redis://127.0.0.1:{port}/0",
            registries=[
                {"name": f"r{number}", "url": f"http://127.0.0.1:{port}/{number}"}
                for number in range(3)
            ],
        )
        began = time.monotonic()
        found = look(capsys, "--timeout", "3s")
        took_s = time.monotonic() - began

    assert found.code == 1
    assert {*found.faults} >= {"database", "redis", "registry r0", "registry r2"}
    assert "not answered" in found.of("registry r0", "fault")["text"]
    assert took_s < 15.0
