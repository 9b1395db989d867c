"""F42: nobody takes what is printed: a closed pipe, a full disk."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from support.fault_proxy import FaultProxy, fault_proxy
from support.faulty_crawls import CrawledDatabase
from support.serving import PLAIN
from support.two_moments import TwoMoments
from support.wait import wait_in_thread

pytestmark = pytest.mark.only_on("sqlite")  # what is kept is not the matter

WEIGHBRIDGE = f"{sys.executable} -m weighbridge"
_FULL_TMPFS = """
mount -t tmpfs -o size=4k none "$FULL" || exit 77
dd if=/dev/zero of="$FULL/filler" bs=1k 2>/dev/null
"""


@pytest.fixture
def proxy(moments: TwoMoments) -> Iterator[FaultProxy]:
    with fault_proxy(moments.after.url) as made:
        yield made


def crawl_command(database: CrawledDatabase, proxy: FaultProxy) -> str:
    config = database.path.parent / "weighbridge.yaml"
    config.write_text(
        f"registries: [{{name: near, url: '{proxy.url}'}}]\nlog_level: debug\n"
    )
    return f"{WEIGHBRIDGE} crawl --config {config} --database {database.url}"


def shell(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | environment,
        check=False,
    )


# A pipe that is closed, no descriptor at all, a full disk, each with both outputs once;
# the others are the same for one of the two.
@pytest.mark.parametrize(
    "ending",
    [
        pytest.param("-o csv | head -1", marks=pytest.mark.long),
        pytest.param("-o json | true", marks=pytest.mark.long),
        pytest.param("-o table >&-", marks=pytest.mark.long),
        "-o json >&- 2>&-",
        pytest.param("-o json >/dev/full", marks=pytest.mark.long),
        ">/dev/full 2>/dev/full",
        "2>&1 | head -1",
    ],
)
def test_f42_a_crawl_whose_output_nobody_takes_keeps_what_it_learned(
    moments: TwoMoments, database: CrawledDatabase, proxy: FaultProxy, ending: str
) -> None:
    done = shell(f"{crawl_command(database, proxy)} {ending}")

    assert "Traceback" not in done.stdout + done.stderr
    assert "Exception ignored" not in done.stderr
    assert database.records() == moments.new


def in_a_full_tmpfs(script: str, folder: Path) -> list[str]:
    """The command that runs it with $FULL, a file system of its own without room."""
    if shutil.which("unshare") is None or os.geteuid() != 0:
        pytest.skip("a mount of one's own needs root and unshare")
    full = folder / "full"
    full.mkdir()
    return ["unshare", "-m", "bash", "-c", f"FULL={full}\n{_FULL_TMPFS}\n{script}"]


def test_f42_a_crawl_whose_log_disk_is_full_keeps_what_it_learned(
    moments: TwoMoments, database: CrawledDatabase, proxy: FaultProxy, tmp_path: Path
) -> None:
    script = f'{crawl_command(database, proxy)} -o json >"$FULL/out" 2>"$FULL/log"'

    done = subprocess.run(in_a_full_tmpfs(script, tmp_path), timeout=60, check=False)

    assert done.returncode != 77, "no tmpfs could be mounted"
    assert database.records() == moments.new


@contextmanager
def up_logging_to(
    where: str, database: CrawledDatabase, proxy: FaultProxy, folder: Path
) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """`up` with its stderr there, in a full tmpfs if that is named."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    config = folder / "up.yaml"
    config.write_text(
        f"registries: [{{name: near, url: '{proxy.url}', interval: 1m}}]\n"
        f"web: {{bind: '127.0.0.1:{port}'}}\nlog_level: debug\n"
    )
    script = (
        f"exec {WEIGHBRIDGE} up --config {config} --database {database.url} {where}"
    )
    command = ["bash", "-c", script]
    if "$FULL" in where:
        command = in_a_full_tmpfs(script, folder)
    process = subprocess.Popen(command)
    try:
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    "where",
    ['2>"$FULL/log"', pytest.param("2>/dev/full", marks=pytest.mark.long), ">&- 2>&-"],
)
def test_f42_up_serves_and_crawls_though_its_log_takes_nothing(
    moments: TwoMoments,
    database: CrawledDatabase,
    proxy: FaultProxy,
    tmp_path: Path,
    where: str,
) -> None:
    # Its last look was in the past, so that it crawls at once.
    with up_logging_to(where, database, proxy, tmp_path) as (url, process):

        def is_ready() -> bool:
            assert process.poll() is None, f"it ended with {process.returncode}"
            try:
                answer = httpx.get(f"{url}/readyz", trust_env=False, verify=PLAIN)
            except httpx.TransportError:
                return False
            return answer.status_code == 200

        wait_in_thread(is_ready, "it serves")
        wait_in_thread(lambda: database.records() == moments.new, "it crawls")
        assert is_ready()
        process.terminate()
        assert process.wait(60) is not None
