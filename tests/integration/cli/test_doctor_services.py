"""`weighbridge doctor` where workers, the scheduler or channels are away, and where a
scrape has no room."""

import asyncio
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.certificates import an_authority
from support.docker_registry import docker_registry
from support.doctor import Capture, Look, configure, look
from support.mail_server import PASSWORD, USER, mail_server
from support.many_repositories import add_repositories
from support.message_sink import message_sink
from support.redis_server import RedisServer, a_redis
from weighbridge.jobs.redis.worker_register import WorkerRegister
from weighbridge.ports.job_names import TICK
from weighbridge.store.leases.jobs import Job, note_done
from weighbridge.store.schema import upgrade
from weighbridge.store.session import Database, open_database

SECRET = "T000-c4nary-of-tests"


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with a_redis() as server:
        yield server


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    database = open_database(url_in(tmp_path))
    upgrade(database)
    yield database
    database.close()


def url_in(folder: Path) -> str:
    return f"sqlite:///{folder}/w.db"


def ticked(database: Database, ago: timedelta) -> None:
    with database.write() as connection:
        note_done(connection, Job(TICK), datetime.now(UTC) - ago)


def test_no_worker_and_a_scheduler_that_has_ended(
    tmp_path: Path, database: Database, redis: RedisServer, capsys: Capture
) -> None:
    configure(tmp_path, database_url=url_in(tmp_path), redis_url=redis.url.reveal())
    ticked(database, timedelta(hours=2))

    found = look(capsys)

    assert (found.code, found.faults) == (1, ["workers", "scheduler"])
    fault = found.of("workers", "fault")
    assert "no worker has reported" in fault["text"]
    assert fault["action"].startswith("start weighbridge worker")
    fault = found.of("scheduler", "fault")
    assert "2 h ago" in fault["text"]
    assert fault["action"].startswith("start weighbridge scheduler")


def test_workers_and_a_scheduler_that_live(
    tmp_path: Path, database: Database, redis: RedisServer, capsys: Capture
) -> None:
    configure(tmp_path, database_url=url_in(tmp_path), redis_url=redis.url.reveal())
    ticked(database, timedelta(seconds=3))
    register = WorkerRegister(redis.url)
    register.note("one")
    try:
        found = look(capsys)
    finally:
        register.strike("one")
        register.close()

    assert found.faults == []
    assert found.of("workers", "ok")["text"] == "1 worker; 0 messages waiting"
    assert "weighbridge scheduler runs" in found.of("scheduler", "ok")["text"]


def test_up_that_has_ended_and_up_that_never_ran(
    tmp_path: Path, database: Database, capsys: Capture
) -> None:
    configure(tmp_path, database_url=url_in(tmp_path))

    never = look(capsys)
    ticked(database, timedelta(minutes=10))
    ended = look(capsys)

    assert (never.code, ended.code) == (0, 1)
    assert never.of("scheduler", "warning")["action"] == "start weighbridge up"
    fault = ended.of("scheduler", "fault")
    assert "weighbridge up does not run" in fault["text"]
    assert {"redis", "workers"}.isdisjoint(never.names)


def test_more_repositories_than_series_are_allowed_for(
    tmp_path: Path, database: Database, capsys: Capture
) -> None:
    add_repositories(database, [f"shop/app{number}" for number in range(40)])
    policy = {"name": "web", "match": {"repository": "web/*"}, "max_compressed": "1GB"}
    configure(
        tmp_path,
        database_url=url_in(tmp_path),
        metrics={"max_series": 100},
        policies=[policy],
    )

    found = look(capsys)

    warning = found.of("scrape", "warning")
    assert "of 100 series" in warning["text"]
    assert "have no series" in warning["text"]
    assert "metrics.max_series" in warning["action"]
    assert "none is about any" in found.of("policies", "warning")["text"]

    configure(tmp_path, database_url=url_in(tmp_path))
    found = look(capsys)

    assert "of 20,000 series" in found.of("scrape", "ok")["text"]
    assert found.of("policies", "ok")["text"] == (
        "1 policy; 0 of 40 repositories without any"
    )


def test_channels_that_are_not_reached_and_one_that_is(
    tmp_path: Path, database: Database, capsys: Capture
) -> None:
    authority = an_authority(tmp_path)
    with (
        message_sink() as sink,
        docker_registry(tmp_path / "tls", authority=authority) as tls,
        socket.create_server(("127.0.0.1", 0)) as taken,
    ):
        closed = f"127.0.0.1:{taken.getsockname()[1]}"
        taken.close()
        slack = {"kind": "slack", "allow_private": True}
        channels = [
            {"name": "good", "kind": "webhook", "url": sink.url, "allow_private": True},
            {**slack, "name": "gone", "url": f"https://{closed}/services/{SECRET}"},
            {**slack, "name": "unknown", "url": f"{tls.url}/services/{SECRET}"},
            {
                **slack,
                "name": "known",
                "url": f"{tls.url}/services/{SECRET}",
                "ca_file": authority.ca_file,
            },
            {"name": "ntfy", "kind": "apprise", "url": f"ntfy://{SECRET}"},
        ]
        configure(tmp_path, database_url=url_in(tmp_path), channels=channels)

        found = look(capsys)

        assert sink.received == []
    assert found.faults == ["channel gone", "channel unknown"]
    gone = found.of("channel gone", "fault")
    assert gone["code"] == "connect_error"
    assert gone["text"] == "nothing listens there"
    assert found.of("channel unknown", "fault")["code"] == "tls_error"
    for name in ("good", "known"):
        assert "is reached" in found.of(f"channel {name}", "ok")["text"]
    assert "not tried" in found.of("channel ntfy", "ok")["text"]
    assert SECRET not in found.said


async def test_a_mail_server_that_refuses_the_password_gets_no_mail(
    tmp_path: Path, database: Database, capsys: Capture
) -> None:
    authority = an_authority(tmp_path)
    context = authority.server("127.0.0.1")
    async with mail_server(starttls=context, has_users=True) as server:
        smtp = {"host": "127.0.0.1", "port": server.port, "username": USER}
        mail = {
            "kind": "email",
            "from": "w@example.org",
            "to": ["ops@example.org"],
            "allow_private": True,
            "ca_file": authority.ca_file,
        }
        channels = [
            {**mail, "name": "right", "smtp": {**smtp, "password": PASSWORD}},
            {**mail, "name": "wrong", "smtp": {**smtp, "password": "s3cret-wrong"}},
        ]
        configure(tmp_path, database_url=url_in(tmp_path), channels=channels)

        found = await asyncio.to_thread(look, capsys)

        assert server.mails == []
    assert found.faults == ["channel wrong"]
    fault = found.of("channel wrong", "fault")
    assert "user or password are not accepted" in fault["text"]
    assert "s3cret-wrong" not in found.said


def test_the_secrets_of_webhooks_are_read(
    tmp_path: Path, database: Database, capsys: Capture
) -> None:
    (tmp_path / "hook").write_text(SECRET)
    configure(
        tmp_path,
        database_url=url_in(tmp_path),
        registries=[{"name": "hub", "url": "http://127.0.0.1:9"}],
        webhooks=[{"source": "harbor", "registry": "hub", "secret_file": "hook"}],
    )

    found = look(capsys, "--timeout", "2s")

    assert found.of("webhook hub harbor", "ok")["text"] == (
        "1 secret that senders may use"
    )
    assert SECRET not in found.said


def test_the_files_of_tls_and_how_long_they_hold(
    tmp_path: Path, database: Database, capsys: Capture
) -> None:
    authority = an_authority(tmp_path)
    good = authority.server_file("weighbridge.example")
    expired = authority.server_file("weighbridge.example", expired=True)

    def found(cert: Path, key: Path) -> Look:
        configure(
            tmp_path,
            database_url=url_in(tmp_path),
            web={
                "tls": {"cert_file": str(cert), "key_file": str(key)},
                "external_url": "https://weighbridge.example",
            },
        )
        return look(capsys)

    other, late = found(good, expired), found(expired, expired)
    right = found(good, good)

    fault = other.of("tls web", "fault")
    assert fault["code"] == "tls_files"
    assert "does not belong to cert_file" in fault["text"]
    assert "has expired" in late.of("tls web", "fault")["text"]
    assert right.faults == []
    line = next(item for item in right.items if item["name"] == "tls web")
    assert str(line["text"]).partition("for ")[2].startswith("weighbridge.example, ")
