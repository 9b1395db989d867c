"""A registry that is slow does not hold a job for ever."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from weighbridge.cli.main import run


@pytest.fixture
def silent() -> Iterator[str]:
    """It takes connections and never answers."""
    taken: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def take() -> None:
            with suppress(OSError):
                while True:
                    taken.append(server.accept()[0])

        threading.Thread(target=take, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
    for connection in taken:
        connection.close()


@pytest.mark.parametrize("command", [["inspect"], ["check", "--max-compressed", "1MB"]])
def test_what_is_not_answered_in_time_could_not_be_weighed(
    command: list[str],
    silent: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    began = time.monotonic()

    code = run([*command, f"{silent}/shop/app", "--timeout", "1s"])

    assert code == 3
    assert time.monotonic() - began < 30  # One request alone may take a minute.
    told = capsys.readouterr().err
    assert "not everything was answered within 1s [out_of_time]" in told
    assert "allow more time: --timeout 15m" in told


@pytest.mark.parametrize("timeout", ["0s", "5", "-1s", "soon"])
def test_a_timeout_is_a_duration(
    timeout: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["inspect", "127.0.0.1:1/shop/app", "--timeout", timeout]) == 2

    assert "--timeout" in capsys.readouterr().err
