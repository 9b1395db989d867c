"""`weighbridge up` with TLS on both listeners, asked by curl and openssl."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from support.certificates import Authority, an_authority
from support.missing import skip_or_fail
from support.wait import wait_in_thread

SAYS: Final = re.compile(
    r"^(serves|metrics) +(https://127\.0\.0\.1:(\d+))", re.MULTILINE
)
CONFIG: Final = """\
database_url: sqlite:///w.db
web: {bind: "127.0.0.1:0", tls: {cert_file: tls.pem, key_file: tls.pem}}
metrics:
  bind: "127.0.0.1:0"
  tls: {cert_file: tls.pem, key_file: tls.pem, client_ca_file: authority.pem}
"""


@dataclass(frozen=True, slots=True)
class Running:
    """One that serves, with its files in `folder`."""

    process: "subprocess.Popen[bytes]"
    folder: Path
    authority: Authority

    @property
    def said(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def _found(self) -> dict[str, tuple[str, int]]:
        assert self.process.poll() is None, self.said
        found = SAYS.findall(self.said)
        return {word: (url, int(port)) for word, url, port in found}

    @property
    def is_ready(self) -> bool:
        return len(self._found()) == 2

    def url(self, word: str = "serves") -> str:
        return self._found()[word][0]

    def port(self, word: str = "serves") -> int:
        return self._found()[word][1]

    def curl(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = ["curl", "--silent", "--show-error", "--max-time", "30"]
        command += ["--noproxy", "*", "--cacert", self.authority.ca_file]
        return said_by(*command, *arguments)

    def s_client(self, word: str, *arguments: str) -> str:
        """All that openssl says of a handshake."""
        where = f"127.0.0.1:{self.port(word)}"
        command = ["openssl", "s_client", "-connect", where, "-brief"]
        done = said_by(*command, "-CAfile", self.authority.ca_file, *arguments)
        return done.stdout + done.stderr


def said_by(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, input=""
    )


def configured(folder: Path) -> Authority:
    """A folder with a configuration and its certificates."""
    for program in ("curl", "openssl"):
        if shutil.which(program) is None:
            skip_or_fail(f"{program} is not installed")
    authority = an_authority(folder)
    authority.server_file("localhost", "127.0.0.1").replace(folder / "tls.pem")
    (folder / "weighbridge.yaml").write_text(CONFIG)
    return authority


def command_of(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "weighbridge", *arguments]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("tls")
    authority = configured(folder)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command_of("up"), cwd=folder, stdout=subprocess.DEVNULL, stderr=log
        )
    service = Running(process, folder, authority)
    try:
        wait_in_thread(lambda: service.is_ready, "it serves", seen=lambda: service.said)
        yield service
    finally:
        process.terminate()
        process.wait(60)


def test_curl_trusts_it_and_asks_twice_on_one_connection(running: Running) -> None:
    url = f"{running.url()}/healthz"

    done = running.curl("--verbose", "--write-out", "%{num_connects} ", url, url)

    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["ok", "1", "ok", "0"]
    assert done.stderr.count("HTTP/1.1 200 OK") == 2
    assert "ALPN: server accepted http/1.1" in done.stderr


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_versions_that_are_taken(running: Running, version: str) -> None:
    said = running.s_client("serves", f"-tls{version.replace('.', '_')}")

    assert f"Protocol version: TLSv{version}" in said
    assert "Verification: OK" in said


@pytest.mark.parametrize("version", ["1", "1_1"])
def test_versions_that_are_refused(running: Running, version: str) -> None:
    said = running.s_client("serves", f"-tls{version}", "-cipher", "DEFAULT@SECLEVEL=0")

    assert "alert protocol version" in said
    assert "Protocol version:" not in said


def test_who_must_show_a_certificate_is_told_so(running: Running) -> None:
    url = f"{running.url('metrics')}/healthz"

    refused = running.curl(url)
    # TLS 1.2 has no alert of that name.
    before = running.curl("--tls-max", "1.2", url)

    assert "alert certificate required" in refused.stderr
    assert "alert handshake failure" in before.stderr
    assert (refused.stdout, before.stdout) == ("", "")


def test_a_certificate_of_the_right_authority_opens_it(
    running: Running, tmp_path: Path
) -> None:
    mine = str(running.authority.server_file("prometheus"))
    stranger = str(an_authority(tmp_path).server_file("prometheus"))
    url = f"{running.url('metrics')}/metrics"

    shown = running.curl("--cert", mine, url)
    other = running.curl("--cert", stranger, url)

    assert 'weighbridge_tls_reload_failures_total{listener="web"}' in shown.stdout
    assert other.stdout == ""
    assert "alert unknown ca" in other.stderr


def test_a_forwarded_host_or_scheme_is_nowhere_in_an_answer(running: Running) -> None:
    forged = [
        *("--header", "X-Forwarded-Host: evil.example"),
        *("--header", "X-Forwarded-Proto: gopher"),
        *("--header", "Forwarded: host=evil.example;proto=gopher"),
    ]
    url = running.url()

    done = running.curl("--include", *forged, f"{url}/", f"{url}/violations/")

    assert done.stdout.count("HTTP/1.1 200") == 1
    assert "<html" in done.stdout
    assert not re.search(
        "evil|gopher|^(location|set-cookie):", done.stdout, re.M | re.I
    )


def test_plain_http_is_told_what_this_port_speaks(running: Running) -> None:
    begun = time.monotonic()

    done = running.curl("--include", f"http://127.0.0.1:{running.port()}/healthz")

    assert done.stdout.startswith("HTTP/1.1 400 Bad Request")
    assert "write https://" in done.stdout
    assert time.monotonic() - begun < 10


def test_health_asks_over_tls_and_takes_its_own_certificate_as_it_is(
    running: Running, tmp_path: Path
) -> None:
    asked = {
        word: own_health(tmp_path / word, running, port=running.port(word))
        for word in ("serves", "metrics")
    }

    # The second wants a certificate that nobody has who only asks how it is.
    assert [done.stderr for done in asked.values()] == ["", ""]
    assert [done.returncode for done in asked.values()] == [0, 0]
    assert asked["serves"].stdout == f"alive: {running.url()}\n"


def own_health(
    folder: Path, running: Running, port: int
) -> "subprocess.CompletedProcess[str]":
    """As of the process that listens at this port."""
    folder.mkdir()
    pem = running.folder / "tls.pem"
    text = f"{{bind: '127.0.0.1:{port}', tls: {{cert_file: {pem}, key_file: {pem}}}}}"
    (folder / "weighbridge.yaml").write_text(f"web: {text}\n")
    command = command_of("health", "--config", str(folder / "weighbridge.yaml"))
    return said_by(*command)


def test_health_of_a_named_address_trusts_what_the_system_does(
    running: Running,
) -> None:
    done = said_by(*command_of("health", "--url", running.url()))

    assert done.returncode == 1
    assert "its certificate is not trusted" in done.stderr


def test_garbage_ends_its_connection_and_nothing_else(running: Running) -> None:
    with socket.create_connection(("127.0.0.1", running.port()), 30) as connection:
        connection.sendall(b"\x00" * 64)
        while connection.recv(1024):
            pass

    assert running.curl(f"{running.url()}/healthz").returncode == 0


@pytest.mark.long
def test_who_says_nothing_is_let_go_after_ten_seconds(running: Running) -> None:
    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", running.port()), 60) as connection:
        assert connection.recv(1) == b""

    assert 5 < time.monotonic() - begun < 40


def test_a_hundred_requests_while_certificates_change_and_none_fails(
    running: Running,
) -> None:
    file = running.folder / "tls.pem"
    serials = set()
    is_over = threading.Event()
    failures: list[str] = []

    def ask() -> int:
        count = 0
        while not is_over.is_set():
            # A new connection each time, and twenty requests on it.
            done = running.curl("--fail", *[f"{running.url()}/healthz"] * 20)
            count += done.stdout.count("ok")
            if done.returncode:
                failures.append(done.stderr)
        return count

    with ThreadPoolExecutor(2) as threads:
        asking = [threads.submit(ask) for _ in range(2)]
        for number in range(4):
            running.authority.server_file("localhost", "127.0.0.1").replace(file)
            wanted = serial_of(file.read_text())
            if number % 2:
                os.kill(running.process.pid, signal.SIGHUP)
            wait_in_thread(partial(is_shown, running, wanted), "the new one is shown")
            serials.add(wanted)
        is_over.set()
        counts = [each.result() for each in asking]

    assert failures == []
    assert len(serials) == 4
    assert sum(counts) >= 100


def is_shown(running: Running, serial: str) -> bool:
    return serial_shown(running) == serial


def serial_shown(running: Running) -> str:
    where = f"127.0.0.1:{running.port()}"
    return serial_of(said_by("openssl", "s_client", "-connect", where).stdout)


def serial_of(pem: str) -> str:
    command = ["openssl", "x509", "-noout", "-serial"]
    done = subprocess.run(
        command, input=pem, capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout


def test_a_broken_new_one_is_logged_and_counted_and_the_old_one_stays(
    running: Running, tmp_path: Path
) -> None:
    file = running.folder / "tls.pem"
    whole = file.read_bytes()
    shown = serial_shown(running)
    mine = str(running.authority.server_file("prometheus"))
    try:
        file.write_bytes(whole[:200])
        os.kill(running.process.pid, signal.SIGHUP)
        wait_in_thread(
            lambda: "the old one stays in force" in running.said, "it is refused"
        )

        metrics = running.curl("--cert", mine, f"{running.url('metrics')}/metrics")

        failed = re.findall(
            r'reload_failures_total\{listener="web"\} (\S+)', metrics.stdout
        )
        assert [float(count) >= 1 for count in failed] == [True]
        assert serial_shown(running) == shown
    finally:
        file.write_bytes(whole)


def test_config_check_reads_certificates_and_says_what_clients_refuse(
    tmp_path: Path,
) -> None:
    authority = configured(tmp_path)
    config = tmp_path / "weighbridge.yaml"
    command = command_of("config", "check", "--config", str(config))
    config.write_text(
        CONFIG.replace("web: {", "web: {external_url: 'https://w.example', ")
    )

    fine = said_by(*command)
    authority.server_file("w.example", expired=True).replace(tmp_path / "tls.pem")
    expired = said_by(*command)

    assert "\nweb.tls: its certificate is valid until " in fine.stdout
    assert "and not w.example, the host of web.external_url" in fine.stdout
    assert "\nmetrics.tls: its certificate is valid until " in fine.stdout
    assert fine.stdout.count("warning") == 1
    assert expired.returncode == 0
    assert expired.stdout.count("has expired on") == 2


def test_files_that_cannot_be_served_with_end_the_start(tmp_path: Path) -> None:
    authority = configured(tmp_path)
    key = authority.server_file("localhost").replace(tmp_path / "other.pem")
    text = CONFIG.replace("key_file: tls.pem", f"key_file: {key.name}", 1)
    (tmp_path / "weighbridge.yaml").write_text(text)

    done = subprocess.run(
        command_of("up"),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 2
    assert "does not belong to cert_file" in done.stderr
    assert "[tls_files]" in done.stderr
    assert "serves" not in done.stderr
