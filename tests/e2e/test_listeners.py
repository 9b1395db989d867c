"""`weighbridge up` with tokens, and metrics on a port of their own."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from support.serving import PLAIN
from support.tokens import bearer
from support.wait import wait_in_thread

CONFIG = """\
database_url: sqlite:///weights.db
web: {bind: "127.0.0.1:0", external_url: "https://weighbridge.example"}
metrics: {bind: "127.0.0.1:0"}
"""
SERVES = re.compile(r"^(serves|metrics) +(http://127\.0\.0\.1:\d+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Running:
    process: subprocess.Popen[bytes]
    errors: Path

    @property
    def said(self) -> str:
        return self.errors.read_text()

    @property
    def addresses(self) -> dict[str, str]:
        """Of `serves` and of `metrics`."""
        assert self.process.poll() is None, self.said
        return dict(SERVES.findall(self.said))

    def status(self, listener: str, path: str, token: str | None = None) -> int:
        headers = bearer(token) if token else {}
        url = f"{self.addresses[listener]}{path}"
        return httpx.get(
            url, headers=headers, trust_env=False, verify=PLAIN, timeout=10
        ).status_code


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "weighbridge.yaml").write_text(CONFIG)
    return tmp_path


def weighbridge(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "weighbridge", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=folder,
        check=False,
    )


def created(folder: Path, *arguments: str) -> str:
    done = weighbridge(folder, "token", "create", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def running(folder: Path) -> Iterator[Running]:
    """A service that asks for tokens; one for reading is called `reader`."""
    (folder / "reader").write_text(
        created(folder, "--role", "read", "--name", "reader")
    )
    errors = folder / "stderr"
    with errors.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "weighbridge", "up"],
            stdout=subprocess.DEVNULL,
            stderr=stream,
            cwd=folder,
            env=os.environ | {"TMPDIR": str(folder)},
        )
    service = Running(process, errors)
    try:
        wait_in_thread(
            lambda: len(service.addresses) == 2,
            "both listeners serve",
            seen=errors.read_text,
        )
        yield service
    finally:
        process.kill()
        process.wait()


def test_without_a_token_it_refuses_to_start(folder: Path) -> None:
    done = weighbridge(folder, "up")

    assert done.returncode == 2
    assert "[no_token]" in done.stderr
    assert "weighbridge token create" in done.stderr
    assert "serves" not in done.stderr


def test_a_demo_that_is_not_kept_says_how_it_gets_a_token(folder: Path) -> None:
    alone = weighbridge(folder, "up", "--demo", "--bind", "0.0.0.0:0")

    assert alone.returncode == 2
    assert "[no_token]" in alone.stderr
    assert "--database demo.db" in alone.stderr
    assert "crawled" not in alone.stderr


def test_each_listener_serves_its_own__metrics_007(
    running: Running, folder: Path
) -> None:
    token = (folder / "reader").read_text()

    assert running.status("serves", "/") == 401
    assert running.status("serves", "/", token) == 200
    assert running.status("serves", "/metrics", token) == 404
    for path in ("/metrics", "/metrics/repositories", "/healthz"):
        assert running.status("metrics", path) == 200
    for path in ("/", "/readyz", "/api/v1/registries", "/static/app.js"):
        assert running.status("metrics", path, token) == 404


def test_a_token_works_within_seconds_and_a_revoked_one_no_longer(
    running: Running, folder: Path
) -> None:
    old = (folder / "reader").read_text()
    new = created(folder, "--role", "read")
    wait_in_thread(
        lambda: running.status("serves", "/", new) == 200,
        "the new token is taken",
    )
    assert running.status("serves", "/", old) == 200

    assert weighbridge(folder, "token", "revoke", "reader").returncode == 0
    wait_in_thread(
        lambda: running.status("serves", "/", old) == 401,
        "the old token is refused",
    )
    assert running.status("serves", "/", new) == 200


def test_it_ends_in_peace_and_keeps_when_a_token_was_used(
    running: Running, folder: Path
) -> None:
    token = (folder / "reader").read_text()
    assert running.status("serves", "/", token) == 200

    running.process.send_signal(signal.SIGTERM)

    assert running.process.wait(60) == 0
    listed = weighbridge(folder, "token", "list", "-o", "csv").stdout
    (row,) = [line for line in listed.splitlines() if ",reader," in line]
    assert re.search(r",valid,\S+Z,\S+Z,", row), row
    assert token not in running.said
    assert "Traceback" not in running.said
