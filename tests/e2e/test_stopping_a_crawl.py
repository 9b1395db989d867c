"""`weighbridge crawl` that is told to stop while a registry keeps it waiting."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

_DEADLINE_S = 60.0


def _let(handler: signal.Handlers) -> None:
    signal.signal(signal.SIGINT, handler)


@pytest.mark.parametrize(
    ("number", "ctrl_c", "code"),
    [
        (signal.SIGINT, signal.SIG_DFL, 130),
        (signal.SIGTERM, signal.SIG_DFL, 143),
        (signal.SIGTERM, signal.SIG_IGN, 143),
    ],
    ids=["ctrl-c", "sigterm", "sigterm in the background"],
)
def test_a_crawl_that_is_stopped_says_what_it_keeps_and_how_to_go_on(
    tmp_path: Path, number: signal.Signals, ctrl_c: signal.Handlers, code: int
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(_DEADLINE_S)
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "weighbridge",
                *("crawl", address, "--database", "w.db"),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            preexec_fn=lambda: _let(ctrl_c),
        )
        try:
            asked, _ = silent.accept()
            with asked:
                assert asked.recv(1)
                if ctrl_c is signal.SIG_IGN:
                    process.send_signal(signal.SIGINT)
                    with pytest.raises(subprocess.TimeoutExpired):
                        process.wait(timeout=1)
                process.send_signal(number)
                said, errors = process.communicate(timeout=_DEADLINE_S)
        finally:
            process.kill()
            process.wait()

    assert (process.returncode, said) == (code, "")
    assert errors.count("\n") == 2, errors
    stopped, go_on = errors.splitlines()
    assert stopped.startswith("Stopped. 0 ")
    assert go_on == f"Go on with: weighbridge crawl {address} --database w.db"
    assert (tmp_path / "w.db").exists()
