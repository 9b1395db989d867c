"""Where there is no internet: what is connected to, and how it is installed
(docs/deploying/air-gapped.md, and the same section of docs/deploying/systemd.md)."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Final

import pytest

from support.message_sink import message_sink
from support.missing import skip_or_fail
from support.page_examples import blocks_of
from support.wait import wait_in_thread
from support.weighbridge_up import weighbridge_up
from weighbridge.demo.http.server import RunningDemo
from weighbridge.demo.story import demo_content

ROOT: Final = Path(__file__).parents[3]
AIR_GAPPED: Final = "deploying/air-gapped.md"
_HOOK: Final = """
import os
import sys

_LOG = os.open({log!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def _note(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = arguments[1]
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        address = (arguments[0], int(arguments[3]) if len(arguments) > 3 else "any")
    else:
        return
    if isinstance(address, tuple):
        os.write(_LOG, f"{{event}} {{address[0]}} {{address[1]}}\\n".encode())


sys.addaudithook(_note)
"""
"""For every Python that starts with it: what is connected to, and what is resolved."""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where processes that are started from now on note whom they ask."""
    folder = tmp_path / "hook"
    folder.mkdir()
    log = folder / "asked"
    (folder / "sitecustomize.py").write_text(_HOOK.format(log=str(log)))
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return log


@pytest.fixture
def demo() -> Iterator[RunningDemo]:
    running = RunningDemo(demo_content())
    yield running
    running.close()


def addresses(log: Path) -> set[str]:
    return {
        f"{host}:{port}"
        for event, host, port in map(str.split, log.read_text().splitlines())
        if event != "socket.getaddrinfo"
    }


def resolved(log: Path) -> set[str]:
    """Names; what is an address already asks nobody. Where no type of socket is wanted,
    the guard has the system read an address in any spelling, and nothing is asked
    (AI_NUMERICHOST, which is no argument of the event)."""
    asked = re.findall(r"^socket\.get\S+ (\S+) (\S+)$", log.read_text(), re.MULTILINE)
    return {name for name, kind in asked if kind != "0" and not _is_address(name)}


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def test_nothing_is_connected_to_but_what_is_configured(
    tmp_path: Path, asked: Path, demo: RunningDemo
) -> None:
    with message_sink() as sink:
        configuration = {
            "registries": [{"name": "builds", "url": demo.url}],
            "channels": [
                {
                    "name": "hook",
                    "kind": "webhook",
                    "url": sink.url,
                    "allow_private": True,
                }
            ],
        }
        with weighbridge_up(tmp_path / "up", json.dumps(configuration)) as up:

            def is_weighed() -> bool:
                found = json.loads(up.get("/api/v1/repositories"))["items"]
                return len(found) > 5

            wait_in_thread(is_weighed, "the registry is crawled")
            page = up.get("/")
            command = [sys.executable, "-m", "weighbridge", "notify", "test", "hook"]
            subprocess.run(command, cwd=tmp_path / "up", check=True)

    registry = demo.url.removeprefix("http://")
    channel = re.sub(r"^http://([^/]+).*", r"\1", sink.url)
    assert addresses(asked) == {registry, channel}
    assert resolved(asked) == set()
    # What a browser would load.
    loaded = re.findall(r"<(?:link|script|img)\b[^>]*(?:src|href)=\"([^\"]+)\"", page)
    assert loaded
    assert [url for url in loaded if not url.startswith(("/", "data:"))] == []


def test_whatever_is_asked_would_be_seen(asked: Path) -> None:
    program = """if True:
        import asyncio, contextlib, socket
        socket.getaddrinfo("localhost", None, type=socket.SOCK_STREAM)
        socket.getaddrinfo("127.0.0.2", None, type=socket.SOCK_STREAM)
        with contextlib.suppress(OSError):
            asyncio.run(asyncio.open_connection("127.0.0.3", 9))
    """

    subprocess.run([sys.executable, "-c", program], check=True)

    assert resolved(asked) == {"localhost"}
    assert addresses(asked) == {"127.0.0.3:9"}


def _blocks(page: str, heading: str) -> list[str]:
    found = [
        b.text for b in blocks_of(page) if (b.heading, b.language) == (heading, "sh")
    ]
    assert found
    return found


def _with_places_of_its_own(*lines: str) -> "subprocess.CompletedProcess[str]":
    """A shell as root in the folder of the source, with an empty /opt and /tmp."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        skip_or_fail("a mount of one's own needs root and unshare")
    script = "\n".join(
        [
            f"mount --bind {ROOT} /mnt",
            "cd /mnt",
            "mount -t tmpfs empty /opt",
            "mount -t tmpfs empty /tmp",
            *lines,
        ]
    )
    return subprocess.run(
        ["unshare", "--mount", "sh", "-ec", script],
        env={**os.environ, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TMPDIR": "/tmp"},  # noqa: S108 - its own
        capture_output=True,
        text=True,
        timeout=540,
        check=False,
    )


def _downloaded(done: "subprocess.CompletedProcess[str]") -> str:
    """What it printed; skips the test where nothing can be downloaded."""
    if done.returncode and re.search(r"Failed to (resolve|establish)", done.stderr):
        skip_or_fail("no package index can be reached")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.long  # it downloads all wheels
@pytest.mark.timeout(600)
def test_it_is_installed_as_the_page_about_systemd_says() -> None:
    (block,) = _blocks("deploying/systemd.md", "Install")

    done = _with_places_of_its_own(block, "/opt/weighbridge/bin/weighbridge --version")

    assert _downloaded(done).endswith("weighbridge 0.1.0\n")


@pytest.mark.long  # the same
@pytest.mark.timeout(600)
def test_it_is_installed_without_any_network_from_what_was_collected() -> None:
    collect, install = _blocks(AIR_GAPPED, "Install without a package index")
    alone = f"unshare --net sh -ec '{install}'"

    done = _with_places_of_its_own(collect, alone)

    assert "'" not in install
    assert _downloaded(done).endswith("weighbridge 0.1.0\n")
